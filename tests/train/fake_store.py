"""A collection in memory with the interface of `ichscan.datasets.store.SliceStore`: tiny heads, bright bleeds."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ichscan.datasets.store import SeriesRows

SIDE = 64


class FakeStore:
    """`patients` series of `slices` slices each; every second patient bleeds in its middle slices."""

    def __init__(self, patients: int = 4, slices: int = 6, digest: str = "fake", step_mm: float = 5.0) -> None:
        rng = np.random.default_rng(0)
        self.digest = digest
        self.images: list[NDArray[np.int16]] = []
        self.labels = np.zeros((patients * slices, 6), np.uint8)
        ids, names = [], []
        for p in range(patients):
            for k in range(slices):
                bleeds = p % 2 == 1 and abs(k - slices // 2) <= 1
                self.images.append(head(rng, bleeds))
                if bleeds:
                    self.labels[p * slices + k, [p % 5, 5]] = 1
                ids.append(f"p{p}/{k}")
                names.append(f"p{p}")
        self.slices = slices
        self.patients = [f"p{p}" for p in range(patients)]
        self.step_mm = step_mm
        self.table = pa.table(
            {"slice_id": ids, "patient_id": names, "pixel_col_mm": pa.array([None] * len(ids), pa.float64())}
        )

    def __len__(self) -> int:
        return len(self.images)

    def hu(self, row: int) -> NDArray[np.int16]:
        return self.images[row]

    def hu_many(self, rows: Sequence[int] | NDArray[np.int64]) -> list[NDArray[np.int16]]:
        return [self.hu(int(row)) for row in rows]

    def series(self) -> tuple[SeriesRows, ...]:
        n = self.slices
        return tuple(
            SeriesRows(p, p, p, np.arange(k * n, (k + 1) * n), np.arange(n) * self.step_mm)
            for k, p in enumerate(self.patients)
        )

    def parts(self, folds: int = 2) -> dict[str, tuple[str, ...]]:
        # pairs of a healthy and a bleeding patient stay together
        pairs = [tuple(self.patients[k : k + 2]) for k in range(0, len(self.patients), 2)]
        return {f"fold{f}": tuple(p for pair in pairs[f::folds] for p in pair) for f in range(folds)}


def head(rng: np.random.Generator, bleeds: bool) -> NDArray[np.int16]:
    """A bright ring around grey tissue in air; a bright spot when it bleeds."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2 + 0.5
    radius = np.hypot(x * 1.1, y)
    hu = np.where(radius < 24, 30, -1000).astype(np.float64)
    hu[(radius >= 24) & (radius < 27)] = 900
    hu += rng.normal(0, 4, hu.shape)
    if bleeds:
        cy, cx = rng.integers(-10, 10, 2)
        hu[np.hypot(x - cx, y - cy) < 6] = 75
    return hu.astype(np.int16)
