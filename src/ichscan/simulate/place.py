"""Where a bleed may sit: a slice of the head, a point of the inner table."""

import cv2
import numpy as np

from ichscan.simulate.head import Head


def slice_for(head: Head, rng: np.random.Generator, least_area: float) -> int:
    """Draw a slice whose intracranial area is at least `least_area` of the largest one's."""
    area = head.area_mm2
    return int(rng.choice(np.flatnonzero(area >= least_area * area.max())))


def table_point(
    head: Head, index: int, rng: np.random.Generator, *, lateral: bool
) -> tuple[tuple[float, float], tuple[float, float]]:
    """Draw a point of the inner table in slice `index`, and the direction from it into the head.

    Returns:
        ((row, col) in mm, (row, col) unit vector).
    """
    depth = cv2.GaussianBlur(head.depth_mm[index], (0, 0), 4.0 / head.pitch[0])
    edge = np.argwhere((head.depth_mm[index] > 0) & (head.depth_mm[index] <= 1.5 * head.pitch[0]))
    weight = np.ones(len(edge))
    if lateral:
        behind, across = (axis[edge[:, 0], edge[:, 1]] for axis in head.midline())
        weight = np.abs(across) / np.hypot(behind, across) + 0.1
    row, col = edge[int(rng.choice(len(edge), p=weight / weight.sum()))]
    gy = float(cv2.Sobel(depth, cv2.CV_32F, 0, 1)[row, col])
    gx = float(cv2.Sobel(depth, cv2.CV_32F, 1, 0)[row, col])
    norm = float(np.hypot(gy, gx)) or 1.0
    return (float(row * head.pitch[0]), float(col * head.pitch[1])), (gy / norm, gx / norm)
