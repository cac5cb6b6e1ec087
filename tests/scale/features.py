"""A store of two-slice series and a network of one convolution, which workers import by name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from tests.datasets.tiny_store import slice_row, write_store
from tests.scale.marks import begun
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


class MarkedStore(SliceStore):
    """Says on which node it is read."""

    def __init__(self, path: Path, manifest: dict[str, Any], marks: Path) -> None:
        super().__init__(path, manifest)
        self.marks = marks

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"marks": self.marks}

    def hu_many(self, rows: Sequence[int] | NDArray[Any]) -> list[Any]:
        begun(self.marks)
        return super().hu_many(rows)
