"""Subarachnoid bleed: blood in sulci, fissures and cisterns, thin and branching."""

from dataclasses import dataclass

import cv2
import numpy as np

from ichscan.errors import NotAnalysableError
from ichscan.simulate.csf import sulci
from ichscan.simulate.head import Head
from ichscan.simulate.texture import smooth_field
from ichscan.types import Float32


@dataclass(frozen=True, slots=True)
class Subarachnoid:
    """Parameters: `centre_mm` (z, row, col) and how far the blood reaches from there."""

    centre_mm: tuple[float, float, float]
    reach_mm: float
    hu: float
    seed: int


def draw(head: Head, rng: np.random.Generator) -> Subarachnoid:
    """Draw blood around a point of the subarachnoid space, sulcal or in the basal cisterns.

    Raises:
        NotAnalysableError: less than 1 ml of subarachnoid space was found.
    """
    spots = np.argwhere(sulci(head) > 0.6)
    voxel_ml = head.pitch[0] * head.pitch[1] * float(np.median(head.thickness_mm)) / 1000.0
    if len(spots) * voxel_ml < 1.0:
        raise NotAnalysableError(f"simulate: expected 1 ml of subarachnoid CSF, found {len(spots) * voxel_ml:.2f} ml")
    # Cisterns and Sylvian fissures are few voxels but the commonest place.
    weight = np.where(head.depth_mm[tuple(spots.T)] > 12.0, 5.0, 1.0)
    i, row, col = spots[int(rng.choice(len(spots), p=weight / weight.sum()))]
    return Subarachnoid(
        centre_mm=(float(head.positions_mm[i]), float(row * head.pitch[0]), float(col * head.pitch[1])),
        reach_mm=float(rng.uniform(14.0, 55.0)),
        hu=float(rng.uniform(48.0, 70.0)),
        seed=int(rng.integers(2**31)),
    )


def opacity(head: Head, p: Subarachnoid) -> Float32:
    """Fraction of each grid voxel that is blood: float32 (slices, grid rows, grid cols) in [0, 1]."""
    space = sulci(head)
    y, x = head.coordinates()
    z0, y0, x0 = p.centre_mm
    field = smooth_field(head, 10.0, p.seed)
    out = np.zeros(head.grid_hu.shape, dtype=np.float32)
    for i, z in enumerate(head.positions_mm):
        distance = np.sqrt((y - y0) ** 2 + (x - x0) ** 2 + (z - z0) ** 2)
        part = np.clip((p.reach_mm - distance + 8.0 * field[i]) / 10.0, 0.0, 1.0)
        blurred = cv2.GaussianBlur(space[i] * part, (0, 0), 0.6 / head.pitch[0])
        # The gain makes up for what blurring takes from a sulcus of two pixels' width.
        out[i] = np.clip(1.7 * blurred, 0.0, 1.0) * (head.depth_mm[i] > 0)
    return out
