"""Where the head is in a slice: the square that is cut out before resizing."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.types import Int16

Int32 = NDArray[np.int32]

STEP: Final = 4
"""The head is searched on every 4th pixel: an edge error of at most 4 pixels costs nothing and saves 16-fold."""
SKIN_HU: Final = -200
HEAD_SHARE: Final = 0.6
"""The side of the square fits this share of the slices (the brain); noses and shoulders are cut, never shrunk."""
MAX_HEAD_MM: Final = 260.0


def slice_box(windowed: NDArray[np.uint8]) -> tuple[int, int, int]:
    """The papers' autocrop: bounding box of all pixels above 0 in any window, padded evenly to a square.

    Args:
        windowed: uint8 (rows, cols, channels).

    Returns:
        (top, left, side) in pixels; top or left is negative where the padding reaches beyond the image. The whole
        image when it is black. Source: Alqaisi & Almashagbeh 2025, section 3.3.4.
    """
    foreground = windowed.max(axis=2) > 0
    rows = np.flatnonzero(foreground.any(axis=1))
    cols = np.flatnonzero(foreground.any(axis=0))
    if len(rows) == 0:
        top, left, height, width = 0, 0, foreground.shape[0], foreground.shape[1]
    else:
        top, left = int(rows[0]), int(cols[0])
        height, width = int(rows[-1]) + 1 - top, int(cols[-1]) + 1 - left
    side = max(height, width)
    return top - (side - height) // 2, left - (side - width) // 2, side


def whole_boxes(hu: Int16) -> Int32:
    """The whole slices, padded evenly to squares: int32 (slices, 3) of int16 (slices, rows, cols); see `slice_box`."""
    height, width = hu.shape[1:]
    side = max(height, width)
    return np.tile(np.array([-((side - height) // 2), -((side - width) // 2), side], np.int32), (len(hu), 1))


def head_boxes(hu: Int16, column_spacing_mm: float | None = None) -> Int32:
    """One square per slice around the head, all of one size, so that scale is the same through the scan.

    Table and head holder are thinner than the opening or not connected to the head, and fall away.

    Args:
        hu: int16 (slices, rows, cols), HU.
        column_spacing_mm: pixel size; bounds the square when shoulders are in the scan.

    Returns:
        int32 (slices, 3): top row, left column, side, in pixels; may reach beyond the image.
    """
    small = (hu[:, ::STEP, ::STEP] > SKIN_HU).astype(np.uint8)
    found = [_largest_object(mask) for mask in small]
    sides = [max(box[2:]) for box in found if box is not None]
    rows, cols = hu.shape[1:]
    side = float(np.quantile(sides, HEAD_SHARE, method="higher")) * STEP if sides else float(max(rows, cols))
    if column_spacing_mm:
        side = min(side, MAX_HEAD_MM / column_spacing_mm)
    side_px = int(np.ceil(side)) + 2 * STEP
    boxes = np.empty((len(hu), 3), np.int32)
    for i, box in enumerate(found):
        y, x, h, w = box if box is not None else (0, 0, small.shape[1], small.shape[2])
        center_y, center_x = (y + h / 2) * STEP, (x + w / 2) * STEP
        boxes[i] = round(center_y - side_px / 2), round(center_x - side_px / 2), side_px
    return boxes


def _largest_object(mask: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """(top, left, height, width) of the largest connected object after an opening, or None when nothing is there."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((5, 5), np.uint8))
    count, _, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    if count < 2:
        return None
    x, y, w, h, _ = stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))]
    return int(y), int(x), int(h), int(w)
