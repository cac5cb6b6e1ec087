"""On which side of the head a map's mass lies: from the patient's frame and the head's own midline, never from columns.

Heads lie turned and off centre, and images come flipped; so the midline is taken from the inside of the skull.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from ichscan.explain.heat import Bool
from ichscan.report.place import lps_mm
from ichscan.types import Float32, Float64, Volume

ONE: Final = 0.8
"""A map lies on one side when at least this share of its mass does."""
BOTH: Final = 0.35
"""It lies on both when each has at least this share; between, the side is not clear."""
FLOOR: Final = 0.25
"""Mass counts from this share of the largest value on: less is background."""
WHOLE: Final = 0.5
"""Slices with at least this share of the largest cross-section tell where the middle is; those of the base do not."""
LONGER: Final = 1.2
"""Only a head whose variance along its long axis is this many times the one across tells how it is turned."""
STEEPEST: Final = 0.5
"""Turned further than this (tangent, 27 degrees), the long axis is not believed to be the midline."""

EVERY: Final = 2
"""Pixels per pixel looked at, along each axis: the middle of a head needs no more."""


class Midline(NamedTuple):
    """The plane between left and right, x = x0 + by_y * (y - y0) + by_z * (z - z0), LPS mm."""

    x0: float
    y0: float
    z0: float
    by_y: float
    by_z: float

    def left_of(self, points: Float64) -> Float64:
        """Distance along x of points, float64 (points, 3) LPS mm; positive = the patient's left (LPS: +x)."""
        x, y, z = points.T
        found: Float64 = x - (self.x0 + self.by_y * (y - self.y0) + self.by_z * (z - self.z0))
        return found


def midline_of(mask: Bool, volume: Volume) -> Midline | None:
    """The midline of a head from the inside of its skull; None without one, or without recorded geometry.

    Centres of the large cross-sections give its middle and its slant, their common long axis how the head is turned.

    Args:
        mask: bool (slices, rows, cols), see `ichscan.anatomy.intracranial_mask`.
        volume: the slices.
    """
    areas = mask[:, ::EVERY, ::EVERY].sum(axis=(1, 2))
    if not areas.any():
        return None
    centres, spreads, weights = [], [], []
    for i in np.flatnonzero(areas >= WHOLE * areas.max()):
        points = lps_mm(volume, int(i), EVERY * np.argwhere(mask[i, ::EVERY, ::EVERY]).astype(np.float64))
        if points is None:
            return None
        centres.append(points.mean(axis=0))
        spreads.append(np.cov(points[:, :2].T, bias=True))
        weights.append(float(areas[i]))
    middle = np.average(centres, axis=0, weights=weights)
    away = np.asarray(centres) - middle
    height = float(np.average(away[:, 2] ** 2, weights=weights))
    by_z = float(np.average(away[:, 0] * away[:, 2], weights=weights)) / height if height > 1 else 0.0
    turned = _turned(np.average(spreads, axis=0, weights=weights))
    return Midline(
        float(middle[0]), float(middle[1]), float(middle[2]), turned, float(np.clip(by_z, -STEEPEST, STEEPEST))
    )


def side_of(maps: Mapping[int, Float32], midline: Midline, volume: Volume) -> str:
    """The patient's side, "left", "right" or "both"; "" when it is not clear.

    Args:
        maps: slice index -> float32 (rows, cols), at least 0.
        midline: of the head.
        volume: the slices.
    """
    largest = max((float(values.max(initial=0)) for values in maps.values()), default=0.0)
    mass = {"left": 0.0, "right": 0.0}
    for index, values in maps.items():
        found = np.argwhere((values > 0) & (values >= FLOOR * largest))
        points = lps_mm(volume, index, found.astype(np.float64))
        if points is None:
            return ""
        weights = values[found[:, 0], found[:, 1]].astype(np.float64)
        left = midline.left_of(points) > 0
        mass["left"] += float(weights[left].sum())
        mass["right"] += float(weights[~left].sum())
    total = sum(mass.values())
    if not total > 0:
        return ""
    if min(mass.values()) >= BOTH * total:
        return "both"
    larger = max(mass, key=lambda side: mass[side])
    return larger if mass[larger] >= ONE * total else ""


def _turned(spread: Float64) -> float:
    """Change of the midline's x per mm of y, from the covariance (2, 2) of x and y over a cross-section."""
    values, vectors = np.linalg.eigh(spread)
    along_x, along_y = (float(v) for v in vectors[:, 1])
    if values[1] < LONGER * values[0] or abs(along_x) > STEEPEST * abs(along_y):
        return 0.0
    return along_x / along_y
