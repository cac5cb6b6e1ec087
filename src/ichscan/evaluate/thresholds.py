"""Operating points, chosen on out-of-fold predictions and never on a test set."""

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.metrics import decide

GRID = np.round(np.linspace(0.005, 0.995, 199), 3)


def mean_f1_threshold(
    probabilities: NDArray[np.float64], labels: NDArray[np.uint8], folds: NDArray[np.int_]
) -> tuple[float, float]:
    """Argmax of the F1-over-threshold curve averaged over the folds (Hoseyni et al. 2024).

    Folds without positives have no F1 and are left out.

    Returns:
        (threshold, mean F1 at it); (0.5, NaN) when no fold has positives.
    """
    curves = []
    for fold in np.unique(folds):
        rows = folds == fold
        if labels[rows].any():
            curves.append([decide(probabilities[rows], labels[rows], t).f1 for t in GRID])
    if not curves:
        return 0.5, float("nan")
    mean = np.mean(curves, axis=0)
    best = np.flatnonzero(mean >= mean.max() - 1e-9)
    k = int(best[len(best) // 2])  # the middle of a plateau is the safest point on it
    return float(GRID[k]), float(mean[k])


def sensitivity_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.uint8], sensitivity: float) -> float:
    """The highest threshold that keeps at least `sensitivity`, placed half-way (in log-odds) to the next lower score.

    Args:
        probabilities: float64 (n,), calibrated.
        labels: uint8 (n,), with at least one positive.
        sensitivity: in (0, 1].
    """
    positive = np.sort(probabilities[labels == 1])[::-1]
    needed = int(np.ceil(sensitivity * len(positive) - 1e-9))
    lowest = float(positive[max(needed, 1) - 1])
    below = probabilities[probabilities < lowest]
    return _between(lowest, float(below.max())) if len(below) else lowest


def _between(one: float, other: float) -> float:
    """The probability half-way between two, in log-odds."""
    logit = [np.log(p / (1 - p)) for p in np.clip([one, other], 1e-6, 1 - 1e-6)]
    return float(1 / (1 + np.exp(-np.mean(logit))))


def specificity_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.uint8], specificity: float) -> float:
    """The lowest threshold that keeps at least `specificity`: the highest sensitivity that this allows.

    Placed half-way (in log-odds) between the last negative that is left alone and the next higher score.

    Args:
        probabilities: float64 (n,), calibrated.
        labels: uint8 (n,), with at least one negative.
        specificity: in (0, 1].
    """
    negative = np.sort(probabilities[labels == 0])
    highest = float(negative[max(int(np.ceil(specificity * len(negative) - 1e-9)), 1) - 1])
    above = probabilities[probabilities > highest]
    return _between(highest, float(above.min()) if len(above) else 1.0)


def youden_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950), half-way to the next lower score.

    Args:
        probabilities: float64 (n,).
        labels: uint8 (n,), with positives and negatives.
    """
    scores = np.unique(probabilities)
    positive, negative = np.sort(probabilities[labels == 1]), np.sort(probabilities[labels == 0])
    missed = np.searchsorted(positive, scores, side="left") / len(positive)
    left_alone = np.searchsorted(negative, scores, side="left") / len(negative)
    k = int(np.argmax(left_alone - missed))
    return float(scores[0] if k == 0 else (scores[k - 1] + scores[k]) / 2)
