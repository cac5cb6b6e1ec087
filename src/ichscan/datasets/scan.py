"""One labelled scan, the same for every source."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ichscan.labels import LABELS
from ichscan.types import Float64, Int16


@dataclass(frozen=True, slots=True)
class Box:
    """A lesion's bounding box in pixels of its slice: columns [x0, x1), rows [y0, y1)."""

    slice_index: int
    kind: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True, slots=True)
class LabelledScan:
    """A head CT with one label row per slice.

    Attributes:
        patient: identifier within the collection; splits never separate what shares it.
        hu: int16 (slices, rows, cols), HU, inferior to superior.
        positions_mm: float64 (slices,), ascending.
        slice_numbers: the source's own numbers, for people to find a slice.
        labels: uint8 (slices, 6) in the order of `ichscan.labels.LABELS`; 255 = not known (only from a store).
        boxes: lesion boxes, where the collection has them.
    """

    patient: str
    hu: Int16
    positions_mm: Float64
    slice_numbers: tuple[int, ...]
    labels: NDArray[np.uint8]
    boxes: tuple[Box, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.hu)
        if self.labels.shape != (n, len(LABELS)) or len(self.positions_mm) != n or len(self.slice_numbers) != n:
            raise ValueError(f"patient {self.patient}: per-slice fields differ in length from {n} slices")
