"""Where CSF is in a healthy head: ventricles, and the sulci, fissures and cisterns."""

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.anatomy import disc
from ichscan.simulate.head import Head
from ichscan.types import Float32

Bool = NDArray[np.bool_]


def ventricles(head: Head) -> Bool:
    """Mark the lateral and third ventricles: dark, deep, broad; bool (slices, grid rows, grid cols)."""
    out = np.zeros(head.grid_inside.shape, dtype=np.bool_)
    area = head.area_mm2
    for i in np.flatnonzero(area > 0.35 * area.max()):
        soft = cv2.GaussianBlur(head.grid_hu[i], (0, 0), 1.5 / head.pitch[0])
        deep = head.depth_mm[i] > 0.42 * head.depth_mm[i].max()
        dark = (soft < head.brain_hu - 9.0) & (soft > -12.0) & deep
        out[i] = cv2.morphologyEx(dark.astype(np.uint8), cv2.MORPH_OPEN, disc(2)) > 0
        count, parts, stats, _ = cv2.connectedComponentsWithStats(out[i].astype(np.uint8), connectivity=8)
        small = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] * head.pitch[0] * head.pitch[1] < 25.0]
        out[i] &= ~np.isin(parts, small)
    return out


def sulci(head: Head) -> Float32:
    """Rate how much each voxel is subarachnoid CSF: float32 (slices, grid rows, grid cols) in [0, 1]."""
    out = np.zeros(head.grid_hu.shape, dtype=np.float32)
    deep = ventricles(head)
    wide = disc(round(5.0 / head.pitch[0]))
    for i in np.flatnonzero(head.grid_inside.any(axis=(1, 2))):
        filled = np.where(head.grid_inside[i], np.clip(head.grid_hu[i], -10.0, 60.0), head.brain_hu).astype(np.float32)
        soft = cv2.GaussianBlur(filled, (0, 0), 1.0 / head.pitch[0])
        # Sulci are dark against the gyri around them; cisterns are dark as such.
        valley = cv2.morphologyEx(soft, cv2.MORPH_CLOSE, wide) - soft
        rating = np.maximum((valley - 5.0) / 6.0, (head.brain_hu - 8.0 - soft) / 6.0)
        blocked = cv2.dilate(deep[i].astype(np.uint8), disc(2)) > 0
        out[i] = np.clip(rating, 0.0, 1.0) * (head.grid_inside[i] & ~blocked & (soft > -8.0))
    return out
