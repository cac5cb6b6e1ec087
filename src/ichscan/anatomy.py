"""The space inside the skull on a non-contrast head CT, found from bone alone.

The skull is a ring in most slices and an open one at its base, at sutures and at burr holes. So bone is thickened
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

_THICKEN_MM: Final = (2.0, 5.0, 9.0, 14.0)
_ENOUGH: Final = 0.55
_MOST_FAT: Final = 0.12
_SMALLEST_MM2: Final = 250.0
_FORAMEN_MM2: Final = 600.0
"""Below the smallest foramen magnum, above a spinal canal: where the way down ends."""


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
            mask[i] = fine & (hu[i] < _bone_from(hu[i])) & (hu[i] > -200)
    return mask


def enclosed(hu: Int16, spacing_mm: tuple[float, float]) -> Bool:
    """Find the intracranial space on a grid of `PITCH_MM`: bool (slices, coarse rows, coarse cols)."""
    rows, cols = hu.shape[1:]
    size = (max(8, round(cols * spacing_mm[1] / PITCH_MM)), max(8, round(rows * spacing_mm[0] / PITCH_MM)))
    small = np.stack([cv2.resize(s.astype(np.float32), size, interpolation=cv2.INTER_AREA) for s in hu])
    holes = np.stack([_holes(s) for s in small])
    return _follow(holes)


def _holes(hu: Float32) -> Bool:
    """Fill one coarse slice's bone outline: what the bone encloses, after the least thickening that suffices."""
    head = _largest(hu > -300)
    bone = ((hu >= _bone_from(hu)) & head).astype(np.uint8)
    best = np.zeros(hu.shape, dtype=np.bool_)
    for radius in _THICKEN_MM:
        found = _inside_of(bone, radius, hu)
        if found.sum() > 1.15 * best.sum():
            best = found
        if best.sum() > _ENOUGH * head.sum():
            break
    return best


def _bone_from(hu: Int16 | Float32) -> float:
    """Lower the bone threshold for slices cut off at the top of a display window, where bone is the top itself."""
    return min(BONE_HU, 0.96 * float(hu.max()))


def _inside_of(bone: NDArray[np.uint8], radius_mm: float, hu: Float32) -> Bool:
    """Keep what bone thickened by `radius_mm` encloses, soft tissue only, grown back to the bone itself.

    Thickening bars gaps up to twice the radius; closing would not, where the ends of the gap are thin.
    """
    reach = max(1, round(radius_mm / PITCH_MM))
    margin = reach + 1
    padded = cv2.copyMakeBorder(bone, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=0)
    outside = (cv2.dilate(padded, disc(reach)) == 0).astype(np.uint8)
    cv2.floodFill(outside, None, (0, 0), 2)
    holes = outside[margin:-margin, margin:-margin] == 1
    opened = cv2.morphologyEx((holes & (hu > -25)).astype(np.uint8), cv2.MORPH_OPEN, disc(1))
    count, parts, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
    keep = np.zeros(hu.shape, dtype=np.bool_)
    for part in range(1, count):
        if stats[part, cv2.CC_STAT_AREA] * PITCH_MM**2 >= _SMALLEST_MM2 and not _fatty(parts == part, hu, bone):
            keep |= parts == part
    grown = (cv2.dilate(keep.astype(np.uint8), disc(reach + 1)) > 0) & (bone == 0)
    filled = cv2.morphologyEx(grown.astype(np.uint8), cv2.MORPH_CLOSE, disc(2)) > 0
    return np.asarray(filled & (bone == 0), dtype=np.bool_)


def _fatty(part: Bool, hu: Float32, bone: NDArray[np.uint8]) -> bool:
    """Tell orbit, sinus and face, which hold fat or air, from the brain, which lies against bone all round."""
    around = (cv2.dilate(part.astype(np.uint8), disc(3)) > 0) & (bone == 0)
    return float((hu[around] < -25).mean()) > _MOST_FAT


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
            if step < 0 and _ended(out[i], before):
                break
            before = out[i] if out[i].any() else before
            i += step
    return out


def _ended(now: Bool, before: Bool) -> bool:
    """Say whether the way down has left the skull: a canal, or nothing below an area like the foramen's."""
    if now.any():
        return bool(now.sum() * PITCH_MM**2 < _FORAMEN_MM2)
    return bool(before.sum() * PITCH_MM**2 < 2 * _FORAMEN_MM2)


def _continuing(holes: Bool, before: Bool) -> Bool:
    allowed = holes & (cv2.dilate(before.astype(np.uint8), disc(3)) > 0)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(allowed.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros_like(holes)
    area = stats[1:, cv2.CC_STAT_AREA]
    keep = np.flatnonzero(area >= max(0.08 * area.max(), _SMALLEST_MM2 / PITCH_MM**2)) + 1
    return np.asarray(np.isin(parts, keep), dtype=np.bool_)


def _largest(mask: Bool) -> Bool:
    count, parts, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    if count < 2:
        return np.zeros_like(mask)
    return np.asarray(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), dtype=np.bool_)


def disc(radius: int) -> NDArray[np.uint8]:
    """Make the round structuring element of `radius` pixels."""
    y, x = np.ogrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x * x + y * y <= radius * radius + radius * 0.5, dtype=np.uint8)
