"""Slices turned as the network learned them, face up and the patient's left at the right, and its maps turned back.

Networks err on heads that lie face down or on a side: they saw none in training. Rows and columns say how a slice lies
(Image Orientation (Patient) (0020,0037)), so this costs nothing but a view of the pixels.
"""

from dataclasses import dataclass

import numpy as np

from ichscan.model.crop import Int32
from ichscan.types import Float32, Int16, Volume


@dataclass(frozen=True, slots=True)
class Turn:
    """How slices are turned: rows and columns are exchanged first, then flipped.

    Attributes:
        exchange: rows become columns: the patient lies on a side in the image.
        flips: axes (0 rows, 1 columns) that are reversed afterwards.
        shape: (rows, cols) of the slices as acquired.
    """

    exchange: bool
    flips: tuple[int, ...]
    shape: tuple[int, int]

    def pixels(self, hu: Int16) -> Int16:
        """Slices as the network learned them: a view of int16 (slices, rows, cols)."""
        turned = hu.transpose(0, 2, 1) if self.exchange else hu
        return np.flip(turned, tuple(axis + 1 for axis in self.flips))

    def column_spacing(self, spacing_mm: tuple[float, float] | None) -> float | None:
        """Distance of the columns of the turned slices, mm."""
        return None if spacing_mm is None else spacing_mm[0 if self.exchange else 1]

    def maps(self, maps: Float32) -> Float32:
        """Maps of turned slices as those of the slices as acquired: float32 (..., rows, cols)."""
        back = np.flip(maps, tuple(axis - 2 for axis in self.flips))
        return np.ascontiguousarray(back.swapaxes(-1, -2) if self.exchange else back)

    def boxes(self, boxes: Int32) -> Int32:
        """Squares in turned slices, int32 (slices, 3) (top, left, side), in the pixels as acquired."""
        back = boxes.copy()
        sides = self.shape[::-1] if self.exchange else self.shape
        for axis in self.flips:
            back[:, axis] = sides[axis] - boxes[:, axis] - boxes[:, 2]
        return back[:, [1, 0, 2]] if self.exchange else back


def turn_of(volume: Volume) -> Turn:
    """The turn that puts a volume upright; none where its orientation is not recorded."""
    shape = (volume.hu.shape[1], volume.hu.shape[2])
    if volume.orientation is None:
        return Turn(False, (), shape)
    row, column = volume.orientation[:3], volume.orientation[3:]
    exchange = abs(row[1]) > abs(row[0])
    along_x, along_y = (column[0], row[1]) if exchange else (row[0], column[1])
    return Turn(exchange, tuple(axis for axis, cosine in ((0, along_y), (1, along_x)) if cosine < 0), shape)
