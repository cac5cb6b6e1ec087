"""Do probabilities keep their word? Binned (calibration errors) and by logistic recalibration (slope, intercept)."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.calibration import logit
from ichscan.evaluate.intervals import Z
from ichscan.evaluate.resampling import numbered
from ichscan.types import Float64

BINS: Final = 10
NEWTON_STEPS: Final = 50
DIVERGED: Final = 30.0
"""A coefficient of logits beyond this means that the classes are separated: there is no estimate."""


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Probabilities beside frequencies; empty bins are left out.

    Attributes:
        count: int64 (k,), rows of each bin.
        positives: int64 (k,).
        mean: float64 (k,), mean probability of each bin.
    """

    count: NDArray[np.int64]
    positives: NDArray[np.int64]
    mean: Float64

    @property
    def frequency(self) -> Float64:
        """Share of positives in each bin, float64 (k,)."""
        return np.asarray(self.positives / self.count, np.float64)

    @property
    def expected_error(self) -> float:
        """Expected calibration error: the mean gap of probability and frequency, weighted by rows; NaN if empty."""
        rows = self.count.sum()
        return float((np.abs(self.mean - self.frequency) * self.count).sum() / rows) if rows else float("nan")


def reliability(p: Float64, y: NDArray[np.uint8], bins: int = BINS, *, adaptive: bool) -> Bins:
    """Bins of equal count (`adaptive`; Nguyen & O'Connor 2015) or of equal width (Naeini et al. 2015); p, y (n,)."""
    place = places(p, bins, adaptive=adaptive)
    count = np.bincount(place, minlength=bins)
    positives = np.bincount(place, y, minlength=bins).astype(np.int64)
    total = np.bincount(place, p, minlength=bins)
    kept = count > 0
    return Bins(count[kept], positives[kept], total[kept] / count[kept])


def places(p: Float64, bins: int = BINS, *, adaptive: bool) -> NDArray[np.int64]:
    """Number of the bin of each probability, as `reliability` has them; int64 (n,)."""
    if not adaptive:
        return np.minimum((p * bins).astype(np.int64), bins - 1)
    place = np.empty(len(p), np.int64)
    for number, part in enumerate(np.array_split(np.argsort(p, kind="stable"), bins)):
        place[part] = number
    return place


def expected_calibration_error(p: Float64, y: NDArray[np.uint8], bins: int = BINS, *, adaptive: bool = True) -> float:
    """See `Bins.expected_error`. It is above 0 by chance alone, the more the fewer rows there are."""
    return reliability(p, y, bins, adaptive=adaptive).expected_error


@dataclass(frozen=True, slots=True)
class Recalibration:
    """Logistic recalibration (Cox 1958): y on the logit of p. Each is (value, low, high), a 95 % interval.

    Attributes:
        slope: 1 is right; below 1, probabilities are too extreme.
        intercept: fitted with the slope; 0 is right.
        in_the_large: intercept with the slope held at 1; above 0, probabilities are too low on the whole.
    """

    slope: tuple[float, float, float]
    intercept: tuple[float, float, float]
    in_the_large: tuple[float, float, float]


def recalibration(p: Float64, y: NDArray[np.uint8], patients: NDArray[np.generic]) -> Recalibration:
    """Slope and intercepts, with intervals from the sandwich variance between patients (Liang & Zeger 1986).

    NaN where a class is missing, p is constant or the classes are separated.

    Args:
        p: float64 (n,), clipped at 1e-5.
        y: uint8 (n,).
        patients: (n,), the patient of each row.
    """
    x = logit(p)
    one = np.ones_like(x)
    index, _ = numbered(patients)
    nothing = (float("nan"),) * 3
    in_the_large = _fit(one[:, None], x, y, index)
    both = _fit(np.stack([x, one], axis=1), np.zeros_like(x), y, index) if len(x) and np.ptp(x) > 0 else None
    slope, intercept = both if both else (nothing, nothing)
    return Recalibration(slope, intercept, in_the_large[0] if in_the_large else nothing)


def _fit(
    x: Float64, base: Float64, y: NDArray[np.uint8], index: NDArray[np.int64]
) -> list[tuple[float, float, float]] | None:
    """Logistic regression of y on x, (n, k), beside the fixed term `base`; None where it has no estimate."""
    w = np.zeros(x.shape[1])
    if not 0 < np.count_nonzero(y) < len(y):
        return None
    for _ in range(NEWTON_STEPS):
        fitted = 1 / (1 + np.exp(-np.clip(x @ w + base, -500, 500)))
        hessian = (x * (fitted * (1 - fitted))[:, None]).T @ x
        if np.linalg.cond(hessian) > 1e14 or np.abs(w).max() > DIVERGED:
            return None
        step = np.linalg.solve(hessian, x.T @ (y - fitted))
        w += np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-9:
            return _with_intervals(w, x * (y - fitted)[:, None], hessian, index)
    return None


def _with_intervals(
    w: Float64, scores: Float64, hessian: Float64, index: NDArray[np.int64]
) -> list[tuple[float, float, float]]:
    by_patient = np.stack([np.bincount(index, column) for column in scores.T], axis=1)
    m = len(by_patient)
    bread = np.linalg.inv(hessian)
    spread = Z * np.sqrt(np.diag(bread @ by_patient.T @ by_patient @ bread) * m / max(m - 1, 1))
    return [(float(v), float(v - s), float(v + s)) for v, s in zip(w, spread, strict=True)]
