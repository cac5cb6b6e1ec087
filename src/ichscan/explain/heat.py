"""Heat of a scan: its maps on one scale, gated by the probabilities, kept inside the head.

Maps are never stretched to their own maximum: that lights up every healthy slice.
"""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.anatomy import intracranial_mask
from ichscan.explain.maps import on_slice, shown_maps
from ichscan.labels import ANY
from ichscan.types import Float32, Int16, Prediction, Volume

Bool = NDArray[np.bool_]
SOFT_TISSUE_HU: Final = (-20, 120)
MARGIN: Final = 4
"""Pixels by which the inside of the head is widened: blood against the skull is part of it."""


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """Heat of one label in a scan.

    Attributes:
        maps: float32 (slices, map rows, map cols) in [0, 1].
        boxes: int32 (slices, 3), (top, left, side) of the square that each map covers.
        shape: (rows, cols) of a slice.
        inside: bool (slices, rows, cols), where heat may be; everywhere when None.
    """

    maps: Float32
    boxes: NDArray[np.int32]
    shape: tuple[int, int]
    inside: Bool | None

    def on(self, index: int) -> Float32:
        """Heat of one slice in its pixels, float32 (rows, cols) in [0, 1]."""
        top, left, side = (int(v) for v in self.boxes[index])
        out = on_slice(self.maps[index], (top, left, side), self.shape)
        if self.inside is not None:
            out[~self.inside[index]] = 0
        return out


def heat(volume: Volume, prediction: Prediction, label: int = ANY, inside: Bool | None = None) -> Heat:
    """Heat of a scan: gate * map / largest map value of all slices that are shown at all.

    One scale for the whole scan, and nothing on slices that the model calls clear.

    Args:
        volume: the slices.
        prediction: with maps; without, the heat is 0.
        label: index into `ichscan.labels.LABELS`.
        inside: see `inside_head`.
    """
    rows, cols = volume.hu.shape[1:]
    found = shown_maps(prediction, volume.positions_mm)
    if found is None:
        return Heat(np.zeros((len(volume.hu), 1, 1), np.float32), prediction.boxes, (rows, cols), inside)
    shown = gates(prediction, label)
    largest = found[shown > 0, label].max(initial=0)
    scale = shown / largest if largest > 0 else np.zeros_like(shown)
    return Heat(found[:, label] * scale[:, None, None], prediction.boxes, (rows, cols), inside)


def gates(prediction: Prediction, label: int = ANY) -> Float32:
    """How much of each slice's map is shown, float32 (slices,).

    0 up to half the slice's threshold, 1 from the threshold on, linear between.
    """
    half = np.float32(max(float(prediction.slice_thresholds[label]), 1e-6) / 2)
    shown: Float32 = np.clip((prediction.slices[:, label] - half) / half, 0, 1)
    return shown


def inside_head(volume: Volume, prediction: Prediction) -> Bool | None:
    """Bool (slices, rows, cols), the inside of the skull a little widened, where heat may be shown.

    Where no closed skull is found (base, vertex, craniectomy) it is all soft tissue of the slice.

    Returns:
        None when pixel spacing is not recorded, or when no slice has heat.
    """
    lit = np.flatnonzero(gates(prediction))
    if volume.spacing_mm is None or prediction.class_maps is None or len(lit) == 0:
        return None
    return widened(intracranial_mask(volume.hu, volume.spacing_mm), volume.hu, lit)


def widened(mask: Bool, hu: Int16, slices: NDArray[np.intp]) -> Bool:
    """The mask with some slices made ready for heat: widened, or all soft tissue where nothing is enclosed.

    Args:
        mask: bool (slices, rows, cols), see `ichscan.anatomy.intracranial_mask`.
        hu: int16 (slices, rows, cols).
        slices: which of them.
    """
    out = mask.copy()
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MARGIN + 1, 2 * MARGIN + 1))
    low, high = SOFT_TISSUE_HU
    for i in slices:
        one = mask[i]
        out[i] = cv2.dilate(one.astype(np.uint8), kernel) > 0 if one.any() else (hu[i] > low) & (hu[i] < high)
    return out


def activation(maps: Float32, boxes: NDArray[np.int32], inside: Bool) -> tuple[float, float]:
    """Positive activation of some slices, in all and outside of the head.

    Networks also look at orbits, sinuses and blood in the scalp (Burduja et al. 2020, section 5).

    Args:
        maps: float32 (slices, map rows, map cols); negative values count as 0.
        boxes: int32 (slices, 3), see `Heat`.
        inside: bool (slices, rows, cols).
    """
    total = outside = 0.0
    for one, box, mask in zip(maps, boxes, inside, strict=True):
        values = on_slice(np.maximum(one, 0), (int(box[0]), int(box[1]), int(box[2])), mask.shape)
        total += float(values.sum(dtype=np.float64))
        outside += float(values[~mask].sum(dtype=np.float64))
    return total, outside
