"""Subdural bleed: a crescent between dura and arachnoid, long and thin, over one hemisphere or along the falx."""

from dataclasses import dataclass

import numpy as np

from ichscan.simulate.head import Head
from ichscan.simulate.place import slice_for
from ichscan.simulate.texture import smooth_field
from ichscan.types import Float32


@dataclass(frozen=True, slots=True)
class Subdural:
    """Parameters: `z_mm` and `angle` (0 = patient's left side of the image, pi/2 = posterior) of its middle."""

    z_mm: float
    angle: float
    half_angle: float
    half_height_mm: float
    thickness_mm: float
    hu: float
    seed: int


def draw(head: Head, rng: np.random.Generator) -> Subdural:
    """Draw a crescent 2.5 to 16 mm thick over 50 to 160 degrees of one side."""
    index = slice_for(head, rng, 0.5)
    thickness = float(np.exp(rng.uniform(np.log(2.5), np.log(16.0))))
    half = float(np.radians(rng.uniform(25.0, 75.0)))
    lateral = float(rng.normal(0.0, np.radians(25.0)))
    side = 0.0 if rng.random() < 0.5 else np.pi
    return Subdural(float(head.positions_mm[index]), side + lateral, half, float(rng.uniform(14.0, 50.0)), thickness,
                    float(rng.choice([rng.uniform(52.0, 75.0), rng.uniform(38.0, 52.0)], p=[0.8, 0.2])),
                    int(rng.integers(2**31)))


def opacity(head: Head, p: Subdural) -> Float32:
    """Fraction of each grid voxel that is blood: float32 (slices, grid rows, grid cols) in [0, 1]."""
    y, x = head.coordinates()
    angle = np.arctan2(y - head.centre_mm[0], x - head.centre_mm[1])
    off = np.abs((angle - p.angle + np.pi) % (2 * np.pi) - np.pi) / p.half_angle
    arc = np.sqrt(np.clip(1.0 - off**2, 0.0, 1.0)).astype(np.float32)
    wobble = 1.0 + 0.18 * smooth_field(head, 22.0, p.seed)
    out = np.zeros(head.grid_hu.shape, dtype=np.float32)
    for i, z in enumerate(head.positions_mm):
        height = 1.0 - ((z - p.z_mm) / p.half_height_mm) ** 2
        if height <= 0.0:
            continue
        thick = p.thickness_mm * arc * np.float32(np.sqrt(height)) * wobble[i]
        soft = np.clip((thick - head.depth_mm[i]) / 1.6 + 0.5, 0.0, 1.0)
        out[i] = soft * (head.depth_mm[i] > 0) * (thick > 0.6)
    return out
