"""The space inside the skull on a non-contrast head CT, found from bone alone.

The skull is a ring in most slices and an open one at its base, at sutures and at burr holes. So bone is closed
by growing amounts until it encloses a plausible area; what it encloses is kept, and slices towards the base may
only keep what lies below the slice above, which drops orbits, sinuses and the neck.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.types import Float32, Int16

Bool = NDArray[np.bool_]

PITCH_MM: Final = 1.6
"""In-plane pixel size the search runs at: coarse enough to be fast, finer than the thinnest adult inner table."""

BONE_HU: Final = 160.0
"""Above clotted blood (at most 100 HU), below the partial volume of an infant's skull."""

_CLOSING_MM: Final = (2.0, 5.0, 9.0, 14.0)
_ENOUGH: Final = 0.55
_SMALLEST_MM2: Final = 250.0


def intracranial_mask(hu: Int16, spacing_mm: tuple[float, float]) -> Bool:
    """Mark the voxels inside the skull: brain, CSF, dura, blood; no bone, no scalp.

    Args:
        hu: int16 (slices, rows, cols), Hounsfield units, slices from inferior to superior.
        spacing_mm: (row spacing, column spacing), PixelSpacing (0028,0030).

    Returns:
        bool (slices, rows, cols). Slices without an enclosed space (neck, above the vertex) are all False.
    """
    inside = enclosed(hu, spacing_mm)
    rows, cols = hu.shape[1:]
    mask = np.zeros(hu.shape, dtype=np.bool_)
    for i, coarse in enumerate(inside):
        if coarse.any():
            fine = cv2.resize(coarse.astype(np.float32), (cols, rows), interpolation=cv2.INTER_LINEAR) > 0.5
            mask[i] = fine & (hu[i] < BONE_HU) & (hu[i] > -200)
    return mask


def enclosed(hu: Int16, spacing_mm: tuple[float, float]) -> Bool:
    """Find the intracranial space on a grid of `PITCH_MM`: bool (slices, coarse rows, coarse cols)."""
    rows, cols = hu.shape[1:]
    size = (max(8, round(cols * spacing_mm[1] / PITCH_MM)), max(8, round(rows * spacing_mm[0] / PITCH_MM)))
    small = np.stack([cv2.resize(s.astype(np.float32), size, interpolation=cv2.INTER_AREA) for s in hu])
    holes = np.stack([_holes(s) for s in small])
    return _follow(holes)


def _holes(hu: Float32) -> Bool:
    """Fill one coarse slice's bone outline: what the bone encloses, after the least closing that suffices."""
    head = _largest(hu > -300)
    bone = ((hu > BONE_HU) & head).astype(np.uint8)
    best = np.zeros(hu.shape, dtype=np.bool_)
    for radius in _CLOSING_MM:
        found = _inside_of(bone, radius, hu)
        if found.sum() > 1.15 * best.sum():
            best = found
        if best.sum() > _ENOUGH * head.sum():
            break
    return best


def _inside_of(bone: NDArray[np.uint8], radius_mm: float, hu: Float32) -> Bool:
    """Keep the holes of bone closed by `radius_mm` that hold soft tissue rather than air or fat."""
    reach = max(1, round(radius_mm / PITCH_MM))
    padded = cv2.copyMakeBorder(bone, reach + 1, reach + 1, reach + 1, reach + 1, cv2.BORDER_CONSTANT, value=0)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, disc(reach))
    outside = (closed == 0).astype(np.uint8)
    cv2.floodFill(outside, None, (0, 0), 2)
    crop = slice(reach + 1, -reach - 1)
    holes = (outside[crop, crop] == 1).astype(np.uint8)
    tissue = (holes > 0) & (hu > -25)
    opened = cv2.morphologyEx(tissue.astype(np.uint8), cv2.MORPH_OPEN, disc(2))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    keep = np.zeros(hu.shape, dtype=np.bool_)
    for part in range(1, count):
        if stats[part, cv2.CC_STAT_AREA] * PITCH_MM**2 >= _SMALLEST_MM2:
            keep |= parts == part
    # Opening and closing eat into corners between brain and bone: grow back, but never into bone.
    grown = cv2.dilate(keep.astype(np.uint8), disc(2)) > 0
    grown &= (bone == 0) & ((closed[crop, crop] > 0) | (holes > 0))
    filled = cv2.morphologyEx(grown.astype(np.uint8), cv2.MORPH_CLOSE, disc(2)) > 0
    return np.asarray(filled & (bone == 0), dtype=np.bool_)


def _follow(holes: Bool) -> Bool:
    """Start at the largest enclosed slice and go up and down, keeping only what continues the slice before."""
    out = np.zeros_like(holes)
    areas = holes.reshape(len(holes), -1).sum(axis=1)
    start = int(areas.argmax())
    if areas[start] * PITCH_MM**2 < _SMALLEST_MM2:
        return out
    out[start] = _largest(holes[start])
    for step in (1, -1):
        before = out[start]
        i = start + step
        while 0 <= i < len(holes) and before.any():
            out[i] = _continuing(holes[i], before)
            before = out[i] if out[i].any() else before
            i += step
    return out


def _continuing(holes: Bool, before: Bool) -> Bool:
    allowed = holes & (cv2.dilate(before.astype(np.uint8), disc(3)) > 0)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(allowed.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros_like(holes)
    area = stats[1:, cv2.CC_STAT_AREA]
    keep = np.flatnonzero(area >= max(0.08 * area.max(), _SMALLEST_MM2 / PITCH_MM**2)) + 1
    return np.isin(parts, keep)


def _largest(mask: Bool) -> Bool:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros_like(mask)
    return np.asarray(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), dtype=np.bool_)


def disc(radius: int) -> NDArray[np.uint8]:
    """Make the round structuring element of `radius` pixels."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius + radius * 0.5, dtype=np.uint8)
