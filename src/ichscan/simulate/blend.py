"""Set blood into the scan: a smooth HU increment, so that the noise of the scanner stays as it was."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.simulate.head import Head
from ichscan.types import Float32, Int16

Bool = NDArray[np.bool_]

BLOOD_FROM: Final = 0.4
"""Opacity from which a voxel counts as blood in the mask."""


def blend(
    head: Head, opacity: Float32, target_hu: float, *, smooth_mm: float, rim: Float32 | None = None, rim_hu: float = 0.0
) -> tuple[Int16, Bool]:
    """Move the voxels towards `target_hu` by `opacity`, and the rest of `rim` down by `rim_hu`.

    Args:
        head: the healthy head; it is not changed.
        opacity: float32 (slices, grid rows, grid cols) in [0, 1].
        target_hu: density of undiluted blood.
        smooth_mm: extent over which the healthy HU are averaged: detail finer than this (noise) is kept.
        rim: float32 (slices, grid rows, grid cols) in [0, 1], oedema, or None.
        rim_hu: how many HU the oedema takes away.

    Returns:
        (int16 HU, bool mask of blood), both (slices, rows, cols).
    """
    out = head.hu.copy()
    mask = np.zeros(head.hu.shape, dtype=np.bool_)
    rows, cols = head.hu.shape[1:]
    for i in range(len(out)):
        if not opacity[i].any() and (rim is None or not rim[i].any()):
            continue
        inside = head.inside[i]
        part = cv2.resize(opacity[i], (cols, rows), interpolation=cv2.INTER_LINEAR) * inside
        base = _healthy(head, i, smooth_mm, (cols, rows))
        change = part * (target_hu - base)
        if rim is not None:
            dark = cv2.resize(rim[i], (cols, rows), interpolation=cv2.INTER_LINEAR) * inside * (base > 12.0)
            change -= rim_hu * dark * (1.0 - part)
        out[i] += np.rint(change).astype(np.int16)
        mask[i] = part >= BLOOD_FROM
    return out, mask


def _healthy(head: Head, i: int, smooth_mm: float, size: tuple[int, int]) -> Float32:
    """Average the healthy HU inside the skull only, so that bone does not leak into the brain's mean."""
    weight = head.grid_inside[i].astype(np.float32)
    sigma = smooth_mm / head.pitch[0]
    total = cv2.GaussianBlur(np.clip(head.grid_hu[i], -20.0, 100.0) * weight, (0, 0), sigma)
    mean = total / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
    return np.asarray(cv2.resize(mean, size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
