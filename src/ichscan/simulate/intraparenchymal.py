"""Intraparenchymal bleed: a lobed ball of blood within the brain, with a rim of oedema."""

from dataclasses import dataclass

import numpy as np

from ichscan.errors import NotAnalysableError
from ichscan.simulate.connected import keep_connected
from ichscan.simulate.head import Head
from ichscan.simulate.place import slice_for
from ichscan.simulate.texture import smooth_field
from ichscan.types import Float32


@dataclass(frozen=True, slots=True)
class Intraparenchymal:
    """Parameters: `centre_mm` and `radii_mm` as (z, row, col); `turn` of the radii in the plane, radians."""

    centre_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    turn: float
    lobes: float
    oedema_hu: float
    oedema_mm: float
    hu: float
    seed: int


def draw(head: Head, rng: np.random.Generator) -> Intraparenchymal:
    """Draw a bleed of 5 to 60 mm across, at any depth of the brain.

    Raises:
        NotAnalysableError: no slice has brain far enough from the skull.
    """
    radius = float(np.exp(rng.uniform(np.log(3.0), np.log(26.0))))
    index = slice_for(head, rng, 0.35)
    room = (head.depth_mm[index] > min(radius + 4.0, 26.0)) & (head.grid_hu[index] > head.brain_hu - 8.0)
    spots = np.argwhere(room)
    if not len(spots):
        raise NotAnalysableError(f"simulate: no brain deeper than {radius + 4:.0f} mm in slice {index + 1}; draw again")
    row, col = spots[int(rng.integers(len(spots)))]
    ratio = rng.uniform(0.65, 1.35, size=3)
    centre = (float(head.positions_mm[index]), float(row * head.pitch[0]), float(col * head.pitch[1]))
    return Intraparenchymal(
        centre_mm=centre,
        radii_mm=(radius * float(ratio[0]), radius * float(ratio[1]), radius * float(ratio[2])),
        turn=float(rng.uniform(0.0, np.pi)),
        lobes=float(rng.uniform(0.08, 0.24)),
        oedema_hu=float(rng.uniform(5.0, 15.0)),
        oedema_mm=float(rng.uniform(1.5, 3.5) + 0.2 * radius),
        hu=float(rng.uniform(50.0, 78.0)),
        seed=int(rng.integers(2**31)),
    )


def opacity(head: Head, p: Intraparenchymal) -> Float32:
    """Fraction of each grid voxel that is blood: float32 (slices, grid rows, grid cols) in [0, 1]."""
    return keep_connected(_profile(head, p, 0.0, 1.8))


def oedema(head: Head, p: Intraparenchymal) -> Float32:
    """Strength of the dark rim, blood included: float32 (slices, grid rows, grid cols) in [0, 1]."""
    return _profile(head, p, p.oedema_mm, 1.0 + 0.7 * p.oedema_mm)


def _profile(head: Head, p: Intraparenchymal, grow_mm: float, edge_mm: float) -> Float32:
    y, x = head.coordinates()
    z0, y0, x0 = p.centre_mm
    cos, sin = np.cos(p.turn), np.sin(p.turn)
    a = ((y - y0) * cos + (x - x0) * sin) / p.radii_mm[1]
    b = ((x - x0) * cos - (y - y0) * sin) / p.radii_mm[2]
    flat = (a * a + b * b).astype(np.float32)
    mean = float(np.prod(p.radii_mm)) ** (1 / 3)
    field = smooth_field(head, max(4.0, 0.9 * mean), p.seed) * p.lobes
    out = np.zeros(head.grid_hu.shape, dtype=np.float32)
    for i, (z, thick) in enumerate(zip(head.positions_mm, head.thickness_mm, strict=True)):
        if abs(z - z0) > 1.8 * p.radii_mm[0] + thick + grow_mm:
            continue
        for part in (-0.33, 0.0, 0.33):
            c = (z + part * thick - z0) / p.radii_mm[0]
            distance = (1.0 + field[i] - np.sqrt(flat + np.float32(c * c))) * mean + grow_mm
            out[i] += np.clip(distance / edge_mm + 0.5, 0.0, 1.0) / 3.0
        out[i] *= head.depth_mm[i] > 1.5
    return out
