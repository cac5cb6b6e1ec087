"""Do the maps point at the lesion? Scores of maps against boxes or masks, slice by slice.

- Pointing game (Zhang et al. 2018, Int J Comput Vis 126:1084-1102, section 4.2): a hit when the map's maximum lies in a
  lesion of the label; with a tolerance of 0 or 15 pixels.
- Energy inside (Wang et al. 2020, Score-CAM, section 4.3): share of the map that lies in lesions.
- Overlap: intersection over union and Dice of the map's part at or above a threshold with the lesions.
- Boxes found (Wang et al. 2017, ChestX-ray8, section 4.2): share of boxes whose intersection over union with the
  bounding box of some connected part of the thresholded map is at least .1, or .3.
- Boxes marked: share of boxes in which the maximum of some connected part lies: the pointing game for each lesion.

The chance of a hit is the lesions' share of the inside of the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.types import Float32

Bool = NDArray[np.bool_]
Boxes = Sequence[tuple[float, float, float, float]]
"""(x0, y0, x1, y1) in pixels: columns [x0, x1), rows [y0, y1)."""
TOLERANCE: Final = 15.0
"""Pixels, the tolerance of Zhang et al. 2018."""
LEVELS: Final = (0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
"""Thresholds tried, as shares of the map's maximum in the slice."""
OVERLAPS: Final = (0.1, 0.3)
UNKNOWN_MM: Final = 0.35
"""Pixel size where none is recorded: an adult head is about 190 mm long, 550 pixels at this size."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One label of one slice with a lesion of it.

    Attributes:
        patient, slice_id, label, maps: what was scored; `maps` names the kind of map.
        fold: that was held out; -1 = none.
        area_cm2: of the lesions: their mask, or the union of their boxes.
        boxes_cm2: area of each box.
        probability: of the label in the slice.
        distance: pixels from the map's maximum to the nearest lesion; 0 = in it, infinite for a map of zeros.
        chance: share of the inside of the head that is lesion.
        energy: share of the map inside the lesions; NaN when the map is 0 everywhere.
        iou, dice: at each of `LEVELS`.
        box_iou: best intersection over union of each box, at each of `LEVELS`.
        marked: of each box, at each of `LEVELS`.
    """

    patient: str
    slice_id: str
    label: str
    maps: str
    fold: int
    area_cm2: float
    boxes_cm2: tuple[float, ...]
    probability: float
    distance: float
    chance: float
    energy: float
    iou: tuple[float, ...]
    dice: tuple[float, ...]
    box_iou: tuple[tuple[float, ...], ...]
    marked: tuple[tuple[bool, ...], ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """What a map is compared with.

    Attributes:
        patient, slice_id, fold: see `Scored`.
        inside: bool (rows, cols), the inside of the head; maps count there only.
        pixel_cm2: area of a pixel.
    """

    patient: str
    slice_id: str
    fold: int
    inside: Bool
    pixel_cm2: float


def score(
    values: Float32,
    boxes: Boxes,
    where: Slice,
    label: str,
    maps: str,
    probability: float = float("nan"),
    mask: Bool | None = None,
    order: Float32 | None = None,
) -> Scored:
    """Scores one map.

    Args:
        values: float32 (rows, cols), at least 0.
        boxes: of the label's lesions in the slice, at least one, or none with a mask.
        where: the slice.
        label: its name.
        maps: name of the kind of map.
        probability: see `Scored`.
        mask: bool (rows, cols), the lesions themselves, where the data set has them; else the boxes stand for them.
        order: float32 (rows, cols), of maps that saturate: any values of the same order, in which maxima are sought.
    """
    lesion = box_mask(boxes, values.shape) if mask is None else mask
    boxes = boxes or bounding_boxes(lesion)
    kept = np.where(where.inside, values, 0)
    energy = float(kept.sum(dtype=np.float64))
    cuts = [kept >= level * kept.max() for level in LEVELS] if energy > 0 else [np.zeros_like(lesion)] * len(LEVELS)
    overlaps = [(int((cut & lesion).sum()), int(cut.sum())) for cut in cuts]
    size = int(lesion.sum())
    order = np.where(where.inside, values if order is None else order, -np.inf).astype(np.float32)
    per_box = [_per_box(order, cut, boxes) for cut in cuts]
    return Scored(
        patient=where.patient,
        slice_id=where.slice_id,
        label=label,
        maps=maps,
        fold=where.fold,
        area_cm2=size * where.pixel_cm2,
        boxes_cm2=tuple((x1 - x0) * (y1 - y0) * where.pixel_cm2 for x0, y0, x1, y1 in boxes),
        probability=probability,
        distance=_distance(order, lesion) if energy > 0 else float("inf"),
        chance=float((lesion & where.inside).sum() / max(int(where.inside.sum()), 1)),
        energy=float(kept[lesion].sum(dtype=np.float64)) / energy if energy > 0 else float("nan"),
        iou=tuple(both / max(cut + size - both, 1) for both, cut in overlaps),
        dice=tuple(2 * both / max(cut + size, 1) for both, cut in overlaps),
        box_iou=tuple(tuple(iou for iou, _ in found) for found in per_box),
        marked=tuple(tuple(marked for _, marked in found) for found in per_box),
    )


def box_mask(boxes: Boxes, shape: tuple[int, ...]) -> Bool:
    """The union of boxes, bool (rows, cols)."""
    out = np.zeros(shape, np.bool_)
    for x0, y0, x1, y1 in boxes:
        out[max(int(y0), 0) : int(np.ceil(y1)), max(int(x0), 0) : int(np.ceil(x1))] = True
    return out


def bounding_boxes(mask: Bool) -> list[tuple[float, float, float, float]]:
    """Boxes (x0, y0, x1, y1) around the connected parts of a mask (rows, cols), 8-connected."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask, np.uint8), connectivity=8)
    return [(float(x), float(y), float(x + w), float(y + h)) for x, y, w, h, _ in stats[1:].tolist()]


def box_iou(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> float:
    """Intersection over union of two boxes (x0, y0, x1, y1)."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    both = max(width, 0.0) * max(height, 0.0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both
    return both / union if union > 0 else 0.0


def _per_box(order: Float32, cut: Bool, boxes: Boxes) -> list[tuple[float, bool]]:
    """For each box its best intersection over union with a part of `cut`, and whether a part has its maximum in it."""
    parts = bounding_boxes(cut)
    peaks = [_peak(order, part) for part in parts]
    return [
        (
            max((box_iou(box, part) for part in parts), default=0.0),
            any(box[0] <= x < box[2] and box[1] <= y < box[3] for x, y in peaks),
        )
        for box in boxes
    ]


def _peak(order: Float32, part: tuple[float, float, float, float]) -> tuple[int, int]:
    """(x, y) of the maximum within a part's bounding box."""
    x0, y0, x1, y1 = (int(v) for v in part)
    y, x = np.unravel_index(int(order[y0:y1, x0:x1].argmax()), (y1 - y0, x1 - x0))
    return x0 + int(x), y0 + int(y)


def _distance(order: Float32, lesion: Bool) -> float:
    """From the maximum to the nearest lesion, pixels; infinite without a lesion."""
    if not lesion.any():
        return float("inf")
    y, x = np.unravel_index(int(order.argmax()), order.shape)
    far = cv2.distanceTransform((~lesion).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return float(far[y, x])


COLUMNS: Final = tuple(
    f.name for f in fields(Scored) if f.name not in ("boxes_cm2", "iou", "dice", "box_iou", "marked")
)
"""Of the table that is kept, before those at the chosen threshold."""
