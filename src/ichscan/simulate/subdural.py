"""Subdural bleed: a crescent between dura and arachnoid, long and thin, over one hemisphere or along the falx."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ichscan.simulate.connected import keep_connected
from ichscan.simulate.head import Head
from ichscan.simulate.place import slice_for
from ichscan.simulate.texture import smooth_field
from ichscan.types import Float32

_EDGE_MM: Final = 1.6
"""Width of the soft edge: the blur of the scanner's kernel."""


@dataclass(frozen=True, slots=True)
class Subdural:
    """Parameters of a crescent.

    Attributes:
        falx: along the falx rather than over the convexity.
        z_mm: position of its middle.
        angle: of its middle, radians: 0 is the right-hand side of the image, pi/2 the back of the head.
        half_angle: half its length, radians.
        half_height_mm: half its extent along z.
        thickness_mm: at its middle.
        hu: density: 52-75 acute, 38-52 some days old.
        seed: of the uneven inner edge.
    """

    falx: bool
    z_mm: float
    angle: float
    half_angle: float
    half_height_mm: float
    thickness_mm: float
    hu: float
    seed: int


def draw(head: Head, rng: np.random.Generator) -> Subdural:
    """Draw a crescent 3 to 16 mm thick over 70 to 170 degrees of one side; one in eight lies along the falx."""
    index = slice_for(head, rng, 0.5)
    falx = bool(rng.random() < 0.125)
    thickness = float(np.exp(rng.uniform(np.log(3.0), np.log(6.0 if falx else 16.0))))
    # Thick collections are long as well: otherwise the inner edge would not follow the skull.
    half = float(np.radians(min(rng.uniform(35.0, 60.0) + 2.0 * thickness, 85.0)))
    side = 0.0 if rng.random() < 0.5 else np.pi
    acute = rng.random() < 0.8
    return Subdural(
        falx=falx,
        z_mm=float(head.positions_mm[index]),
        angle=float(side + rng.normal(0.0, np.radians(20.0))),
        half_angle=half,
        half_height_mm=float(rng.uniform(14.0, 50.0)),
        thickness_mm=thickness,
        hu=float(rng.uniform(52.0, 75.0) if acute else rng.uniform(38.0, 52.0)),
        seed=int(rng.integers(2**31)),
    )


def opacity(head: Head, p: Subdural) -> Float32:
    """Fraction of each grid voxel that is blood: float32 (slices, grid rows, grid cols) in [0, 1]."""
    behind, across = head.midline()
    inward = _falx_distance(head, p) if p.falx else head.depth_mm
    if p.falx:
        # Half of the falx, before or behind the centre, whichever the angle's sine says.
        along = behind * np.float32(1.0 if np.sin(p.angle) > 0.0 else -1.0)
        arc = np.sqrt(np.clip(1.0 - ((along - 42.0) / 34.0) ** 2, 0.0, 1.0))
    else:
        off = np.abs((np.arctan2(behind, across) - p.angle + np.pi) % (2 * np.pi) - np.pi) / p.half_angle
        arc = np.sqrt(np.clip(1.0 - off**2, 0.0, 1.0))
    wobble = 1.0 + 0.18 * smooth_field(head, 22.0, p.seed)
    out = np.zeros(head.grid_hu.shape, dtype=np.float32)
    for i, z in enumerate(head.positions_mm):
        height = 1.0 - ((z - p.z_mm) / p.half_height_mm) ** 2
        if height <= 0.0:
            continue
        thick = p.thickness_mm * arc * np.float32(np.sqrt(height)) * wobble[i]
        soft = np.clip((thick - inward[i]) / _EDGE_MM + 0.5, 0.0, 1.0)
        out[i] = soft * (head.depth_mm[i] > 0) * (thick > 0.6)
    return keep_connected(out)


def _falx_distance(head: Head, p: Subdural) -> Float32:
    """Distance to one side from the falx, mm; far away below the level of the lateral ventricles."""
    _, across = head.midline()
    side = np.float32(np.sign(np.cos(p.angle)) or 1.0)
    distance = np.where(across * side > -0.8, np.abs(across), np.float32(1e3))
    area = head.area_mm2
    centre = float((head.positions_mm * area).sum() / area.sum())
    stack = np.repeat(distance[None], len(area), axis=0)
    stack[head.positions_mm < centre - 10.0] = 1e3
    return np.asarray(stack, dtype=np.float32)
