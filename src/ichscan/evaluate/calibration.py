"""Probabilities that keep their word: temperature, Platt and isotonic calibration, also cross-fitted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import UsageError
from ichscan.evaluate.metrics import CLIP
from ichscan.types import Float64


@dataclass(frozen=True, slots=True)
class Affine:
    """sigmoid(scale * logit + offset)."""

    scale: float
    offset: float

    def __call__(self, p: Float64) -> Float64:
        """Calibrated probabilities, float64 (n,), of p, (n,)."""
        return calibrated(logit(p), self.scale, self.offset)


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """A rising curve through (before, after), float64 (k,) each; flat beyond its ends."""

    before: Float64
    after: Float64

    def __call__(self, p: Float64) -> Float64:
        """Calibrated probabilities, float64 (n,), of p, (n,)."""
        return np.interp(p, self.before, self.after)


Calibrator = Affine | Steps


def fit(method: str, p: Float64, y: NDArray[np.uint8]) -> Calibrator:
    """Fits one method of `METHODS` to probabilities p, (n,), and truth y, uint8 (n,).

    Raises:
        UsageError: unknown method.
    """
    if method not in METHODS:
        raise UsageError(f"calibration: expected a method of {', '.join(METHODS)}, found {method!r}")
    return METHODS[method](p, y)


def cross_fit(method: str, p: Float64, y: NDArray[np.uint8], groups: NDArray[np.int64]) -> Float64:
    """Calibrated probabilities, float64 (n,), each group's by a fit to the other groups; p, y, groups (n,)."""
    out = np.empty(len(p))
    for group in np.unique(groups):
        here, rest = groups == group, groups != group
        out[here] = fit(method, p[rest], y[rest])(p[here])
    return out


def logit(p: Float64) -> Float64:
    """log(p / (1 - p)), with p clipped at 1e-5."""
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


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


def fit_temperature(logits: Float64, labels: NDArray[np.uint8]) -> float:
    """The scale, 1 / temperature, in [1/20, 20], with the least log loss of sigmoid(scale * logit) (Guo et al. 2017).

    Args:
        logits: float64 (n,).
        labels: uint8 (n,).
    """
    from scipy.optimize import minimize_scalar

    signed = np.where(labels == 1, logits, -logits)

    def loss(log_scale: float) -> float:
        return float(np.logaddexp(0, -np.exp(log_scale) * signed).mean())

    bound = np.log(20)
    return float(np.exp(minimize_scalar(loss, bounds=(-bound, bound), method="bounded").x))


def fit_isotonic(p: Float64, labels: NDArray[np.uint8]) -> Steps:
    """The rising curve with the least squared error: pool adjacent violators (Zadrozny & Elkan 2002).

    Args:
        p: float64 (n,), probabilities; equal ones get one value.
        labels: uint8 (n,).
    """
    from scipy.optimize import isotonic_regression

    before, index = np.unique(p, return_inverse=True)
    rows = np.bincount(index)
    after = isotonic_regression(np.bincount(index, labels) / rows, weights=rows).x
    inner = np.zeros(len(before), np.bool_)
    inner[1:-1] = (after[1:-1] == after[:-2]) & (after[1:-1] == after[2:])
    return Steps(before[~inner], np.asarray(after[~inner], np.float64))


def calibrated(logits: NDArray[np.float64], scale: float, offset: float) -> NDArray[np.float64]:
    """sigmoid(scale * logit + offset), written so that it cannot overflow."""
    x = scale * logits + offset
    small = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1 / (1 + small), small / (1 + small)), np.float64)


METHODS: Final[Mapping[str, Callable[[Float64, NDArray[np.uint8]], Calibrator]]] = {
    "temperature": lambda p, y: Affine(fit_temperature(logit(p), y), 0.0),
    "platt": lambda p, y: Affine(*fit_platt(logit(p), y)),
    "isotonic": fit_isotonic,
}
