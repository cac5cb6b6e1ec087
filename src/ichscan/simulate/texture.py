"""Smooth random fields: what makes the outline of a simulated bleed irregular."""

import cv2
import numpy as np

from ichscan.simulate.head import Head
from ichscan.types import Float32


def smooth_field(head: Head, scale_mm: float, seed: int) -> Float32:
    """Make a random field over the grid, continuous in all three axes.

    Args:
        head: the grid.
        scale_mm: distance over which values change.
        seed: of the field; the same seed gives the same field.

    Returns:
        float32 (slices, grid rows, grid cols), mean about 0, standard deviation about 1.
    """
    rng = np.random.default_rng(seed)
    n, rows, cols = head.grid_hu.shape
    z = (head.positions_mm - head.positions_mm[0]) / scale_mm
    knots = int(np.ceil(z[-1])) + 2
    coarse = rng.standard_normal(
        (knots, int(rows * head.pitch[0] / scale_mm) + 2, int(cols * head.pitch[1] / scale_mm) + 2)
    ).astype(np.float32)
    planes = np.stack([cv2.resize(p, (cols, rows), interpolation=cv2.INTER_CUBIC) for p in coarse])
    low = np.minimum(z.astype(np.intp), knots - 2)
    part = (z - low).astype(np.float32)
    out = np.empty((n, rows, cols), dtype=np.float32)
    for i in range(n):
        a, b = 1.0 - part[i], part[i]
        # Keep the variance the same between the knots of the linear interpolation.
        out[i] = (a * planes[low[i]] + b * planes[low[i] + 1]) / np.sqrt(a * a + b * b)
    return out
