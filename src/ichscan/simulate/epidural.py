"""Epidural bleed: a biconvex lens between inner table and dura, sharp, dense, arterial."""

from dataclasses import dataclass

import numpy as np

from ichscan.simulate.connected import keep_connected
from ichscan.simulate.head import Head
from ichscan.simulate.place import slice_for, table_point
from ichscan.types import Float32


@dataclass(frozen=True, slots=True)
class Epidural:
    """Parameters: `centre_mm` (z, row, col) on the inner table, `normal` (row, col) into the head, sizes in mm."""

    centre_mm: tuple[float, float, float]
    normal: tuple[float, float]
    thickness_mm: float
    radius_mm: float
    hu: float


def draw(head: Head, rng: np.random.Generator) -> Epidural:
    """Draw a lens 5 to 30 mm thick, mostly over the temporal and parietal convexity."""
    index = slice_for(head, rng, 0.45)
    centre, normal = table_point(head, index, rng, lateral=True)
    thickness = float(np.exp(rng.uniform(np.log(5.0), np.log(28.0))))
    half_chord = min(thickness * rng.uniform(1.5, 2.6) + 6.0, 45.0)
    # Depth of the lens over a skull of about 70 mm radius: t = l^2 / 2R + l^2 / 2S.
    curvature = max(2.0 * thickness / half_chord**2 - 1.0 / 70.0, 1.0 / 150.0)
    return Epidural(
        centre_mm=(float(head.positions_mm[index]), *centre),
        normal=normal,
        thickness_mm=thickness,
        radius_mm=1.0 / curvature,
        hu=float(rng.uniform(52.0, 76.0)),
    )


def opacity(head: Head, p: Epidural) -> Float32:
    """Fraction of each grid voxel that is blood: float32 (slices, grid rows, grid cols) in [0, 1]."""
    y, x = head.coordinates()
    z0, y0, x0 = p.centre_mm
    reach = p.radius_mm - p.thickness_mm
    cy, cx = y0 - p.normal[0] * reach, x0 - p.normal[1] * reach
    flat = (y - cy) ** 2 + (x - cx) ** 2
    near = np.hypot(y - y0, x - x0) < 75.0
    out = np.zeros(head.grid_hu.shape, dtype=np.float32)
    for i, (z, thick) in enumerate(zip(head.positions_mm, head.thickness_mm, strict=True)):
        if abs(z - z0) > 60.0:
            continue
        for part in (-0.33, 0.0, 0.33):
            # The skull also curves away along z: the chord there follows the same law as in the plane.
            dz = (z + part * thick - z0) * np.sqrt(1.0 + p.radius_mm / 70.0)
            out[i] += np.clip((p.radius_mm - np.sqrt(flat + dz * dz)) / 1.6 + 0.5, 0.0, 1.0) / 3.0
        out[i] *= near & (head.depth_mm[i] > 0)
    return keep_connected(out)
