"""Counts of a detector over all thresholds, and the areas under its curves; for the data and for draws of patients.

Curves are counts at falling thresholds along axis 0: tp[k] and fp[k] rows are positive when positive means score >=
thresholds[k]. Further axes (draws) go along unchanged, so the same functions measure the data and its resamples.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.metrics import shares
from ichscan.evaluate.resampling import Resamples, percentiles
from ichscan.types import Float64

BINS: Final = 4096
"""Resampled curves have at most about so many thresholds; each bin holds at most 1/2048 of either class, so that the
area under the ROC curve of the data changes by less than .00025."""
ROUNDING: Final = 1e-9


def roc_counts(scores: Float64, labels: NDArray[np.uint8]) -> tuple[Float64, Float64, Float64]:
    """(thresholds, tp, fp), float64 (distinct scores,) each; thresholds fall."""
    thresholds = np.unique(scores)[::-1]
    return thresholds, *counts_at(scores, labels, thresholds)


def counts_at(scores: Float64, labels: NDArray[np.uint8], thresholds: Float64) -> tuple[Float64, Float64]:
    """(tp, fp), float64 (t,) each, of positive = score >= threshold."""
    positive, negative = np.sort(scores[labels == 1]), np.sort(scores[labels == 0])
    tp = len(positive) - np.searchsorted(positive, thresholds, side="left")
    fp = len(negative) - np.searchsorted(negative, thresholds, side="left")
    return tp.astype(np.float64), fp.astype(np.float64)


def resampled_counts(
    scores: Float64, labels: NDArray[np.uint8], patients: NDArray[np.generic], resamples: Resamples
) -> tuple[Float64, Float64, Float64]:
    """Curves of every draw: scores are sorted once, each draw only adds up the weights of its patients.

    Args:
        scores: float64 (n,).
        labels: uint8 (n,), 0 or 1.
        patients: (n,), the patient of each row.
        resamples: draws of these patients.

    Returns:
        thresholds float64 (k,), tp and fp float64 (k, draws). Exact where there are at most `BINS` distinct scores.
    """
    from scipy.sparse import coo_array

    thresholds = _bins(scores, labels)
    rising = thresholds[::-1]
    row = len(rising) - np.searchsorted(rising, scores, side="right")
    column = resamples.index(patients)
    curves = []
    for value in (1, 0):
        here = labels == value
        shape = (len(thresholds), len(resamples.patients))
        ones = np.ones(int(here.sum()), np.float32)
        table = coo_array((ones, (row[here], column[here])), shape=shape).tocsr()
        curves.append(np.cumsum(table @ resamples.weights, axis=0, dtype=np.float64))
    return thresholds, curves[0], curves[1]


def _bins(scores: Float64, labels: NDArray[np.uint8]) -> Float64:
    distinct = np.unique(scores)
    if len(distinct) <= BINS:
        return distinct[::-1]
    share = np.arange(BINS // 2) / (BINS // 2)
    edges = [distinct[:1], *(np.quantile(scores[labels == v], share, method="lower") for v in (0, 1))]
    return np.unique(np.concatenate(edges))[::-1]


def area_under_roc(tp: Float64, fp: Float64) -> Float64:
    """P(score of a positive > score of a negative), ties count half; NaN with one class only."""
    found, alarms = _steps(tp), _steps(fp)
    below = fp[-1] - fp + alarms / 2
    return shares((found * below).sum(axis=0), tp[-1] * fp[-1])


def average_precision(tp: Float64, fp: Float64) -> Float64:
    """Sum over the thresholds of (rise in sensitivity) x precision, not interpolated; NaN with one class only."""
    precision = np.divide(tp, tp + fp, out=np.zeros_like(tp), where=tp + fp > 0)
    area = shares((_steps(tp) * precision).sum(axis=0), tp[-1])
    return np.asarray(np.where(fp[-1] > 0, area, np.nan), np.float64)


def sensitivity_at_specificity(tp: Float64, fp: Float64, specificity: float) -> Float64:
    """The highest sensitivity of all thresholds that keep at least `specificity`; NaN with one class only."""
    kept = fp <= (1 - specificity) * fp[-1] + ROUNDING
    best = np.where(kept, tp, 0.0).max(axis=0)
    return np.asarray(np.where(fp[-1] > 0, shares(best, tp[-1]), np.nan), np.float64)


def specificity_at_sensitivity(tp: Float64, fp: Float64, sensitivity: float) -> Float64:
    """The highest specificity of all thresholds that keep at least `sensitivity`; NaN with one class only."""
    kept = tp >= sensitivity * tp[-1] - ROUNDING
    fewest = np.where(kept, fp, fp[-1]).min(axis=0)
    return np.asarray(np.where(tp[-1] > 0, 1 - shares(fewest, fp[-1]), np.nan), np.float64)


def bootstrap_auc(
    scores: Float64, labels: NDArray[np.uint8], patients: NDArray[np.generic], draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of the area under the ROC curve over resampled patients; NaN with one class only."""
    if not 0 < np.count_nonzero(labels) < len(labels):
        return float("nan"), float("nan")
    _, tp, fp = resampled_counts(scores, labels, patients, Resamples.of(patients, draws, seed))
    return percentiles(area_under_roc(tp, fp))


def _steps(counts: Float64) -> Float64:
    return np.asarray(np.diff(counts, axis=0, prepend=np.zeros_like(counts[:1])), np.float64)
