"""A store of drawn heads with bleeds of every type, and a backbone of one convolution: experiments in seconds."""

from pathlib import Path

import torch
from tests import dicom_builders as build
from tests.datasets.tiny_store import slice_row, write_store
from torch import nn

from ichscan.datasets.splits import make_split, save_split
from ichscan.datasets.store import SliceStore, open_store
from ichscan.labels import TYPES

SLICES = 3
SIDE = 48


def experiment_store(folder: Path, patients: int = 20) -> SliceStore:
    """Every other patient bleeds, one type after the other, in the middle slice: a bright square in its own place."""
    rows, images = [], []
    for n in range(patients):
        kind = TYPES[n // 2 % len(TYPES)]
        for i in range(SLICES):
            hu = build.head_hu(n * SLICES + i, SIDE, SIDE)
            bleeds = n % 2 == 1 and i == 1
            if bleeds:
                at = 12 + 4 * TYPES.index(kind)
                hu[at : at + 8, 20:28] = 75
            labels = tuple(int(bleeds and name == kind) for name in TYPES)
            rows.append(slice_row(f"p{n:02d}", i, (*labels, int(bleeds))))
            images.append(hu)
    return open_store(write_store(folder, rows, images))


def with_split(store: SliceStore, kind: str = "holdout", **wishes: float) -> SliceStore:
    """The store with a split named "default"."""
    save_split(make_split(store, kind, name="default", **wishes), store)  # type: ignore[arg-type]
    return store


class TinyBackbone(nn.Module):
    """One convolution and average pooling."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.width = 6
        self.layer = nn.Conv2d(channels, self.width, 5, stride=4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.relu(self.layer(x))
        return features.mean((2, 3)), features


def tiny_backbone(name: str, in_channels: int, weights: object = None, size: object = None) -> TinyBackbone:
    """In place of `ichscan.train.backbones.build`."""
    return TinyBackbone(in_channels)
