"""One bleed is one piece: drop what a shape left in places that it does not reach."""

import cv2
import numpy as np

from ichscan.types import Float32

_VISIBLE = 0.05


def keep_connected(opacity: Float32) -> Float32:
    """Keep the largest piece in the fullest slice and what overlaps it in the slices above and below, in turn.

    Args:
        opacity: float32 (slices, rows, cols) in [0, 1].

    Returns:
        float32, same shape, zero outside the piece.
    """
    out = np.zeros_like(opacity)
    weight = opacity.sum(axis=(1, 2))
    start = int(weight.argmax())
    if weight[start] <= 0.0:
        return out
    for step in (1, -1):
        before = None
        i = start
        while 0 <= i < len(opacity):
            count, parts, stats, _ = cv2.connectedComponentsWithStats((opacity[i] > _VISIBLE).astype(np.uint8))
            if count < 2:
                break
            if before is None:
                keep = np.array([1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())])
            else:
                keep = np.unique(parts[before & (parts > 0)])
            if not len(keep):
                break
            before = np.isin(parts, keep)
            out[i] = opacity[i] * before
            i += step
    return out
