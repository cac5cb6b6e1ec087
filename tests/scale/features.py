"""A store of two-slice series and a network of one convolution, which workers import by name."""

from pathlib import Path

import torch
from tests.datasets.tiny_store import slice_row, write_store
from torch import nn

from ichscan.datasets.store import SliceStore, open_store
from ichscan.model.spec import Channel, InputSpec
from ichscan.train.classifier import SliceClassifier


class Tiny(nn.Module):
    """A backbone of one convolution."""

    width = 5

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(1, 5, 5, stride=4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = torch.relu(self.layer(x))
        return maps.mean((2, 3)), maps


def network_of() -> SliceClassifier:
    torch.manual_seed(0)
    return SliceClassifier(Tiny(), outputs=6)  # type: ignore[arg-type]


def spec() -> InputSpec:
    return InputSpec((Channel(40, 80),), "slice", 32, (0.2,), (0.3,))


def store_of(folder: Path, patients: int) -> SliceStore:
    rows = [slice_row(f"{p:02d}", i) for p in range(patients) for i in range(2)]
    return open_store(write_store(folder, rows))
