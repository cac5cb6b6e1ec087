"""Where CSF is in a healthy head: ventricles, and the sulci, fissures and cisterns."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.anatomy import disc
from ichscan.simulate.head import Head
from ichscan.types import Float32, Float64

Bool = NDArray[np.bool_]

_BELOW_VERTEX_MM: Final = (30.0, 72.0)
"""Lateral and third ventricles, measured down from the inner vertex of a head of 150 cm^2; cisterns lie lower."""

_REFERENCE_MM2: Final = 15000.0


def ventricles(head: Head) -> Bool:
    """Mark the lateral and third ventricles: dark, deep, broad; bool (slices, grid rows, grid cols)."""
    out = np.zeros(head.grid_inside.shape, dtype=np.bool_)
    below = _below_vertex(head)
    scale = _scale(head)
    behind, across = head.midline()
    # The cisterns around the quadrigeminal plate and the great vein lie in the midline behind the third ventricle.
    cistern = (np.abs(across) < 9.0 * scale) & (behind > 4.0 * scale)
    for i in np.flatnonzero((below > _BELOW_VERTEX_MM[0]) & (below < _BELOW_VERTEX_MM[1])):
        deep = (head.depth_mm[i] > 0.45 * head.depth_mm[i].max()) & ~cistern
        out[i] = _dark(head, i, deep)
    return out


def _scale(head: Head) -> float:
    """Relate the head's size to the reference: a length factor."""
    return float(np.sqrt(head.area_mm2.max() / _REFERENCE_MM2))


def _below_vertex(head: Head) -> Float64:
    """Measure down from the inner vertex in reference mm: float64 (slices,)."""
    area = head.area_mm2
    vertex = head.positions_mm[np.flatnonzero(area > 0.05 * area.max())[-1]]
    return np.asarray((vertex - head.positions_mm) / _scale(head), dtype=np.float64)


def _dark(head: Head, i: np.intp, where: Bool) -> Bool:
    """Grow from voxels that are surely CSF into those that may be: white matter is only a little brighter."""
    soft = cv2.GaussianBlur(head.grid_hu[i], (0, 0), 1.4 / head.pitch[0])
    maybe = (soft < head.brain_hu - 13.0) & (soft > -12.0) & where
    maybe = cv2.morphologyEx(maybe.astype(np.uint8), cv2.MORPH_OPEN, disc(1))
    sure = soft < head.brain_hu - 17.5
    count, parts, stats, _ = cv2.connectedComponentsWithStats(maybe, connectivity=8)
    least = 20.0 / (head.pitch[0] * head.pitch[1])
    cores = np.bincount(parts[sure & (maybe > 0)], minlength=count)
    keep = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] >= least and cores[k] >= 0.4 * least]
    return np.asarray(np.isin(parts, keep), dtype=np.bool_)


def sulci(head: Head) -> Float32:
    """Rate how much each voxel is subarachnoid CSF: float32 (slices, grid rows, grid cols) in [0, 1]."""
    out = np.zeros(head.grid_hu.shape, dtype=np.float32)
    deep = ventricles(head)
    below = _below_vertex(head)
    behind, across = head.midline()
    for i in np.flatnonzero(head.grid_inside.any(axis=(1, 2))):
        barred = cv2.dilate(deep[i].astype(np.uint8), disc(3)) > 0
        if below[i] > _BELOW_VERTEX_MM[1]:
            # The fourth ventricle: in the midline of the posterior fossa, deep to the cerebellum.
            barred |= (np.abs(across) < 12.0) & (behind > 8.0) & (head.depth_mm[i] > 20.0)
        elif below[i] > _BELOW_VERTEX_MM[0]:
            # What is dark and deep here is a ventricle, or white matter around it, if not found as such.
            barred |= head.depth_mm[i] > 0.5 * head.depth_mm[i].max()
        out[i] = _sulci(head, i, barred)
    return out


def _sulci(head: Head, i: np.intp, ventricle: Bool) -> Float32:
    inside = head.grid_inside[i]
    filled = np.where(inside, np.clip(head.grid_hu[i], -10.0, 60.0), head.brain_hu).astype(np.float32)
    soft = cv2.GaussianBlur(filled, (0, 0), 1.0 / head.pitch[0])
    # Sulci are dark against the gyri around them; cisterns and fissures are dark as such. Far from the skull
    # only the latter count: a shallow valley there is white matter or noise.
    valley = cv2.morphologyEx(soft, cv2.MORPH_CLOSE, disc(round(5.0 / head.pitch[0]))) - soft
    shallow = np.clip((24.0 - head.depth_mm[i]) / 6.0, 0.0, 1.0)
    rating = np.maximum((valley - 5.0) / 5.0 * shallow, (head.brain_hu - 12.0 - soft) / 4.0)
    rating = np.asarray(np.clip(rating, 0.0, 1.0) * (inside & ~ventricle & (soft > -8.0)), dtype=np.float32)
    # Old infarcts and cysts are as dark, but broader than any sulcus; cisterns as broad lie in the midline.
    core = cv2.morphologyEx((rating > 0.5).astype(np.uint8), cv2.MORPH_OPEN, disc(round(4.0 / head.pitch[0])))
    broad = cv2.dilate(core, disc(round(3.0 / head.pitch[0]))) > 0
    rating *= ~(broad & (np.abs(head.midline()[1]) > 16.0))
    count, parts, stats, _ = cv2.connectedComponentsWithStats((rating > 0.3).astype(np.uint8), connectivity=8)
    least = 10.0 / (head.pitch[0] * head.pitch[1])
    specks = [k for k in range(1, count) if stats[k, cv2.CC_STAT_AREA] < least]
    return np.asarray(rating * ~np.isin(parts, specks), dtype=np.float32)
