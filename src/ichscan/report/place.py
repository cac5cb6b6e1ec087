"""Where a map is strongest: in pixels, and in the patient's frame (LPS, mm)."""

from typing import Final

import cv2
import numpy as np

from ichscan.report.findings import Place
from ichscan.types import Float32, Float64, Volume

CORE: Final = 0.5
"""A region is what has at least this share of the slice's largest map value."""


def place_of(values: Float32, index: int, volume: Volume) -> Place | None:
    """Weighted centre of the strongest connected region of a slice's map; None when the map is empty.

    A bleed may be crescent-shaped, with its centre in healthy brain; then the region's nearest pixel is taken.

    Args:
        values: float32 (rows, cols), at least 0, in the pixels of the slice.
        index: of the slice.
        volume: the slices.
    """
    largest = float(values.max(initial=0))
    if not largest > 0:
        return None
    _, parts = cv2.connectedComponents((values >= CORE * largest).astype(np.uint8), connectivity=8)
    mass = np.bincount(parts.ravel(), weights=values.ravel().astype(np.float64))
    mass[0] = 0
    rows, columns = np.nonzero(parts == int(mass.argmax()))
    weights = values[rows, columns].astype(np.float64)
    row, column = float(np.average(rows, weights=weights)), float(np.average(columns, weights=weights))
    away = (rows - row) ** 2 + (columns - column) ** 2
    nearest = int(away.argmin())
    if away[nearest] > 1:
        row, column = float(rows[nearest]), float(columns[nearest])
    x = lps_mm(volume, index, np.array([[row, column]]))
    return Place(index, row, column, None if x is None else (float(x[0, 0]), float(x[0, 1]), float(x[0, 2])))


def lps_mm(volume: Volume, index: int, pixels: Float64) -> Float64 | None:
    """Pixels of a slice in the patient's frame, float64 (points, 3), LPS, mm (PS3.3 C.7.6.2.1.1).

    Args:
        volume: the slices.
        index: of the slice.
        pixels: float64 (points, 2), row and column; the centre of the top left pixel is (0, 0).

    Returns:
        None when origins (0020,0032), orientation (0020,0037) or spacing (0028,0030) are not recorded.
    """
    if volume.origins is None or volume.orientation is None or volume.spacing_mm is None:
        return None
    along_row = np.asarray(volume.orientation[:3], np.float64)
    along_column = np.asarray(volume.orientation[3:], np.float64)
    row_mm, column_mm = volume.spacing_mm
    found: Float64 = (
        volume.origins[index] + pixels[:, 1:] * column_mm * along_row + pixels[:, :1] * row_mm * along_column
    )
    return found
