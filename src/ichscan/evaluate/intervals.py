"""Confidence intervals by resampling patients: slices of one patient are not independent."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Metric = Callable[[NDArray[np.float64], NDArray[np.uint8]], float]


def bootstrap_by_patient(
    metric: Metric,
    scores: NDArray[np.float64],
    labels: NDArray[np.uint8],
    patients: NDArray[np.str_],
    draws: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """95 % percentile interval of `metric(scores, labels)` over resampled patients (Efron & Tibshirani 1993).

    Args:
        metric: returns NaN where it is not defined (one class only); such draws are left out.
        scores: float64 (n,).
        labels: uint8 (n,), 0 or 1.
        patients: (n,), the patient of each row.
        draws: number of resamples.
        seed: for the resampling.
    """
    rng = np.random.default_rng(seed)
    rows = [np.flatnonzero(patients == p) for p in np.unique(patients)]
    values = []
    for _ in range(draws):
        index = np.concatenate([rows[k] for k in rng.integers(0, len(rows), len(rows))])
        values.append(metric(scores[index], labels[index]))
    kept = np.array(values)[~np.isnan(values)]
    if len(kept) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [0.025, 0.975])
    return float(low), float(high)


def wilson(successes: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); (0, 1) without trials."""
    if trials == 0:
        return 0.0, 1.0
    p = successes / trials
    center = p + z * z / (2 * trials)
    spread = z * np.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return float((center - spread) / scale), float((center + spread) / scale)
