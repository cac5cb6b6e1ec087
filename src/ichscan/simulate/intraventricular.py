"""Intraventricular bleed: blood in place of CSF, layered in the dependent horns or filling a ventricle as a cast."""

from dataclasses import dataclass

import cv2
import numpy as np

from ichscan.anatomy import disc
from ichscan.errors import NotAnalysableError
from ichscan.simulate.csf import ventricles
from ichscan.simulate.head import Head
from ichscan.simulate.texture import smooth_field
from ichscan.types import Float32


@dataclass(frozen=True, slots=True)
class Intraventricular:
    """Parameters: `level_mm` is the row above which (anteriorly) there is no blood; a cast has no level."""

    layered: bool
    level_mm: float
    centre_mm: tuple[float, float, float]
    reach_mm: float
    hu: float
    seed: int


def draw(head: Head, rng: np.random.Generator) -> Intraventricular:
    """Draw a layer in the posterior horns, or a cast around a point of the ventricles.

    Raises:
        NotAnalysableError: less than 0.5 ml of ventricle was found.
    """
    spots = np.argwhere(ventricles(head))
    voxel_ml = head.pitch[0] * head.pitch[1] * float(np.median(head.thickness_mm)) / 1000.0
    if len(spots) * voxel_ml < 0.5:
        raise NotAnalysableError(f"simulate: expected 0.5 ml of ventricle, found {len(spots) * voxel_ml:.2f} ml")
    i, row, col = spots[int(rng.integers(len(spots)))]
    rows = spots[:, 1] * head.pitch[0]
    return Intraventricular(
        layered=bool(rng.random() < 0.5),
        level_mm=float(np.quantile(rows, rng.uniform(0.4, 0.88))),
        centre_mm=(float(head.positions_mm[i]), float(row * head.pitch[0]), float(col * head.pitch[1])),
        reach_mm=float(rng.uniform(10.0, 50.0)),
        hu=float(rng.uniform(48.0, 75.0)),
        seed=int(rng.integers(2**31)),
    )


def opacity(head: Head, p: Intraventricular) -> Float32:
    """Fraction of each grid voxel that is blood: float32 (slices, grid rows, grid cols) in [0, 1]."""
    space = ventricles(head)
    y, x = head.coordinates()
    field = smooth_field(head, 9.0, p.seed)
    out = np.zeros(head.grid_hu.shape, dtype=np.float32)
    for i in np.flatnonzero(space.any(axis=(1, 2))):
        # The found space is a voxel small all round, as partial volume hides its wall.
        wide = cv2.dilate(space[i].astype(np.uint8), disc(1)).astype(np.float32)
        wide *= head.grid_hu[i] < head.brain_hu - 3.0
        wall = cv2.GaussianBlur(wide, (0, 0), 0.7 / head.pitch[0])
        if p.layered:
            part = np.clip((y - p.level_mm + field[i]) / 2.0 + 0.5, 0.0, 1.0)
        else:
            z0, y0, x0 = p.centre_mm
            distance = np.sqrt((y - y0) ** 2 + (x - x0) ** 2 + (head.positions_mm[i] - z0) ** 2)
            part = np.clip((p.reach_mm - distance + 5.0 * field[i]) / 4.0, 0.0, 1.0)
        out[i] = wall * part * (head.depth_mm[i] > 0)
    return out
