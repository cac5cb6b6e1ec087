"""Platt scaling of logits, and how well probabilities keep their word."""

import numpy as np
from numpy.typing import NDArray


def fit_platt(logits: NDArray[np.float64], labels: NDArray[np.uint8], steps: int = 100) -> tuple[float, float]:
    """(scale, offset) such that sigmoid(scale * logit + offset) is calibrated (Platt 1999, with his soft targets).

    The soft targets keep the fit finite with few or separable positives. Newton's method; scale is kept positive, so
    that the ranking is never turned round.

    Args:
        logits: float64 (n,).
        labels: uint8 (n,).
        steps: at most this many Newton steps.
    """
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    target = np.where(labels == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    mean, spread = float(logits.mean()), float(logits.std()) or 1.0
    x = np.stack([(logits - mean) / spread, np.ones_like(logits)], axis=1).astype(np.float64)
    w = np.array([1.0, np.log((positives + 1) / (negatives + 1))])
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (p - target)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + 1e-6 * np.eye(2)
        step = np.linalg.solve(hessian, gradient)
        w -= np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    scale = max(w[0], 0.05) / spread
    return float(scale), float(w[1] - scale * mean)


def calibrated(logits: NDArray[np.float64], scale: float, offset: float) -> NDArray[np.float64]:
    """sigmoid(scale * logit + offset), written so that it cannot overflow."""
    x = scale * logits + offset
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + small), small / (1 + small)), np.float64)


def expected_calibration_error(probabilities: NDArray[np.float64], labels: NDArray[np.uint8], bins: int = 10) -> float:
    """Mean absolute gap of probability and frequency over bins of equal count (adaptive ECE)."""
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [abs(probabilities[part].mean() - labels[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / len(probabilities))
