"""A head made of ellipsoids: scalp, skull, brain, two ventricles and a few sulci, with noise."""

from dataclasses import dataclass

import numpy as np

from ichscan.simulate.head import Bool
from ichscan.types import Float64, Int16

PIXEL_MM = 1.1
SLICE_MM = 5.0


@dataclass(frozen=True)
class Phantom:
    hu: Int16
    brain: Bool
    ventricles: Bool
    spacing_mm: tuple[float, float]
    positions_mm: Float64


def phantom(*, slices: int = 28, size: int = 200, opening: bool = False, ventricles: bool = True) -> Phantom:
    """Build the head; `opening` removes a 12 mm piece of the skull, as an open suture or a burr hole does."""
    z = (np.arange(slices) - 6.0)[:, None, None] * SLICE_MM - 25.0
    axis = (np.arange(size) - size / 2) * PIXEL_MM
    y, x = axis[None, :, None], axis[None, None, :]

    def ellipsoid(half_x: float, half_y: float, half_z: float, x0: float = 0.0, z0: float = 0.0) -> Bool:
        return ((x - x0) / half_x) ** 2 + (y / half_y) ** 2 + ((z - z0) / half_z) ** 2 < 1.0

    brain = ellipsoid(66.0, 82.0, 70.0)
    hu = np.full((slices, size, size), -1000.0)
    hu[ellipsoid(78.0, 94.0, 82.0)] = 40.0
    hu[ellipsoid(73.0, 89.0, 77.0)] = 900.0
    hu[brain] = 34.0
    inner = ellipsoid(60.0, 76.0, 64.0)
    hu[brain & ~inner & (np.sin(np.arctan2(y, x) * 14.0) > 0.75)] = 8.0
    space = (ellipsoid(9.0, 32.0, 16.0, -15.0, 12.0) | ellipsoid(9.0, 32.0, 16.0, 15.0, 12.0)) & ventricles
    hu[space] = 7.0
    if opening:
        hu[np.broadcast_to((np.abs(y) < 6.0) & (x > 60.0), hu.shape) & (hu > 500.0)] = 40.0
    hu += np.random.default_rng(7).normal(0.0, 3.0, hu.shape)
    return Phantom(
        np.rint(hu).astype(np.int16), brain, space, (PIXEL_MM, PIXEL_MM), np.arange(slices, dtype=np.float64) * SLICE_MM
    )
