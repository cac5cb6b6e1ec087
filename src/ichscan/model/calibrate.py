"""Logits to calibrated probabilities."""

import numpy as np

from ichscan.model.spec import Calibration
from ichscan.types import Float32


def probabilities(logits: Float32, calibration: Calibration) -> Float32:
    """sigmoid(scale * logit + offset) per label (Platt 1999), in float64, written so that it cannot overflow.

    Args:
        logits: float32 (..., 6).
        calibration: six scales and offsets.

    Returns:
        float32 (..., 6) in [0, 1].
    """
    x = np.asarray(logits, np.float64) * np.asarray(calibration.scale) + np.asarray(calibration.offset)
    small = np.exp(-np.abs(x))
    result: Float32 = np.where(x >= 0, 1 / (1 + small), small / (1 + small)).astype(np.float32)
    return result
