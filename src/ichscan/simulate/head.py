"""A healthy head, prepared once, in which bleeds are placed: a grid in millimetres beside the full scan."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.anatomy import intracranial_mask
from ichscan.errors import NotAnalysableError
from ichscan.types import Float32, Float64, Int16

Bool = NDArray[np.bool_]

PITCH_MM: Final = 0.8
"""Grid pixel, mm: sulci are 1 to 3 mm wide."""

_LEAST_VOLUME_ML: Final = 150.0


@dataclass(frozen=True, slots=True)
class Head:
    """A head CT with its intracranial space, on the full matrix and on an in-plane grid of `pitch` mm.

    Attributes:
        hu: int16 (slices, rows, cols), the scan, inferior to superior; rows from anterior to posterior.
        inside: bool, shape of hu, the intracranial mask.
        grid_hu: float32 (slices, grid rows, grid cols), HU averaged onto the grid.
        grid_inside: bool, shape of grid_hu.
        depth_mm: float32, shape of grid_hu: in-plane distance to the inner table, 0 outside.
        positions_mm: float64 (slices,), ascending.
        thickness_mm: float64 (slices,), extent of each slice along the normal, taken from the positions.
        pitch: (row, column) size of a grid pixel in mm.
        centre_mm: (row, column) of the centroid of the intracranial space, mm from the first grid pixel.
        axis: (row, column) unit vector in the image from the front of the head to its back.
        brain_hu: median HU of the intracranial space.
    """

    hu: Int16
    inside: Bool
    grid_hu: Float32
    grid_inside: Bool
    depth_mm: Float32
    positions_mm: Float64
    thickness_mm: Float64
    pitch: tuple[float, float]
    centre_mm: tuple[float, float]
    axis: tuple[float, float]
    brain_hu: float

    @property
    def area_mm2(self) -> Float64:
        """Intracranial area of each slice, mm^2: float64 (slices,)."""
        return np.asarray(self.grid_inside.sum(axis=(1, 2)) * self.pitch[0] * self.pitch[1], dtype=np.float64)

    def coordinates(self) -> tuple[Float32, Float32]:
        """Give the mm positions of the grid: rows as (grid rows, 1) and columns as (1, grid cols)."""
        rows, cols = self.grid_hu.shape[1:]
        y = (np.arange(rows, dtype=np.float32) * self.pitch[0])[:, None]
        x = (np.arange(cols, dtype=np.float32) * self.pitch[1])[None, :]
        return y, x

    def midline(self) -> tuple[Float32, Float32]:
        """Give each grid pixel's distance in mm behind the centre and to the right-hand side of the midline."""
        y, x = self.coordinates()
        dy, dx = y - self.centre_mm[0], x - self.centre_mm[1]
        return dy * self.axis[0] + dx * self.axis[1], dx * self.axis[0] - dy * self.axis[1]


def prepare(hu: Int16, spacing_mm: tuple[float, float], positions_mm: Float64) -> Head:
    """Find the intracranial space and lay the grid.

    Raises:
        NotAnalysableError: the slices hold less than 150 ml of intracranial space: no head, or too small a part.
    """
    inside = intracranial_mask(hu, spacing_mm)
    thickness = _thickness(np.asarray(positions_mm, dtype=np.float64))
    voxel_ml = spacing_mm[0] * spacing_mm[1] / 1000.0
    volume = float((inside.sum(axis=(1, 2)) * thickness).sum()) * voxel_ml
    if volume < _LEAST_VOLUME_ML:
        raise NotAnalysableError(
            f"simulate: expected a head with at least {_LEAST_VOLUME_ML:.0f} ml inside the skull, found "
            f"{volume:.0f} ml; give an axial head CT in HU, inferior slice first, with its pixel spacing"
        )
    rows, cols = hu.shape[1:]
    size = (round(cols * spacing_mm[1] / PITCH_MM), round(rows * spacing_mm[0] / PITCH_MM))
    pitch = (rows * spacing_mm[0] / size[1], cols * spacing_mm[1] / size[0])
    grid_hu = np.stack([cv2.resize(s.astype(np.float32), size, interpolation=cv2.INTER_AREA) for s in hu])
    grid_inside = np.stack([cv2.resize(m.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) for m in inside]) > 0
    depth = np.stack([_depth(m) for m in grid_inside]) * np.float32((pitch[0] + pitch[1]) / 2)
    _, r, c = np.nonzero(grid_inside)
    centre = (float(r.mean()) * pitch[0], float(c.mean()) * pitch[1])
    return Head(
        hu=hu,
        inside=inside,
        grid_hu=grid_hu,
        grid_inside=grid_inside,
        depth_mm=depth,
        positions_mm=np.asarray(positions_mm, dtype=np.float64),
        thickness_mm=thickness,
        pitch=pitch,
        centre_mm=centre,
        axis=_axis(grid_inside, pitch),
        brain_hu=float(np.median(grid_hu[grid_inside])),
    )


def _axis(inside: Bool, pitch: tuple[float, float]) -> tuple[float, float]:
    """Take the long axis of the largest slices as front to back; a round head is taken as straight."""
    area = inside.sum(axis=(1, 2))
    _, r, c = np.nonzero(inside[area >= 0.85 * area.max()])
    spread, directions = np.linalg.eigh(np.cov(np.stack([r * pitch[0], c * pitch[1]])))
    row, col = directions[:, 1] * np.sign(directions[0, 1] or 1.0)
    if spread[1] < 1.12 * spread[0] or row < np.cos(np.radians(40.0)):
        return 1.0, 0.0
    return float(row), float(col)


def _depth(mask: Bool) -> Float32:
    # Inner holes (calcifications, vessels) are no inner table.
    closed = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    return np.asarray(cv2.distanceTransform(closed, cv2.DIST_L2, 3), dtype=np.float32)


def _thickness(positions: Float64) -> Float64:
    if len(positions) < 2:
        return np.full(len(positions), 5.0)
    return np.abs(np.gradient(positions))
