"""Not sure: read first. Answers that keep a stated coverage, and how often there is none.

Class-conditional (Mondrian) split conformal prediction (Vovk et al. 2005, section 4.5; Sadinle et al. 2019): of the
positives, at least 1 - alpha have "positive" among the answers that are kept, and of the negatives likewise
"negative". Where one answer is left it is given; where both are left, or none, a person reads first. The promise holds
on average for rows that are exchangeable, such as patients; slices of one patient are not, so there it is measured
rather than promised.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ichscan.types import Float64


@dataclass(frozen=True, slots=True)
class Band:
    """Positive stays possible from `low` upwards, negative up to `high`; in [0, 1], both included."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """Counts of a set. Coverage = the truth is among the answers kept.

    Attributes:
        positives, negatives: rows.
        covered_positives, covered_negatives: of them.
        sure_positive, sure_negative: rows with one answer.
        wrong_positive, wrong_negative: of the rows with one answer, those whose answer is wrong.
        both, neither: rows without an answer, because both stay possible, or none is.
    """

    positives: int
    negatives: int
    covered_positives: int
    covered_negatives: int
    sure_positive: int
    sure_negative: int
    wrong_positive: int
    wrong_negative: int
    both: int
    neither: int

    @property
    def abstained(self) -> int:
        """Rows that a person reads first."""
        return self.both + self.neither


def fit_band(p: Float64, y: NDArray[np.uint8], alpha: float) -> Band:
    """The band from a calibration set, p and y (n,); a class with fewer than 1 / alpha - 1 rows is never ruled out."""
    return Band(1 - _quantile(1 - p[y == 1], alpha), _quantile(p[y == 0], alpha))


def _quantile(scores: Float64, alpha: float) -> float:
    """The ceil((n + 1)(1 - alpha))-th smallest; 1 where there are not so many."""
    rank = int(np.ceil((len(scores) + 1) * (1 - alpha) - 1e-9))
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else 1.0


def cross_answers(
    p: Float64, y: NDArray[np.uint8], groups: NDArray[np.int64], alpha: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(positive is possible, negative is possible), bool (n,) each; each group's by a band from the other groups."""
    positive, negative = np.zeros(len(p), np.bool_), np.zeros(len(p), np.bool_)
    for group in np.unique(groups):
        here, rest = groups == group, groups != group
        band = fit_band(p[rest], y[rest], alpha)
        positive[here], negative[here] = answers(p[here], band)
    return positive, negative


def answers(p: Float64, band: Band) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(positive is possible, negative is possible), bool (n,) each."""
    return 1 - p <= 1 - band.low, p <= band.high


def coverage(positive: NDArray[np.bool_], negative: NDArray[np.bool_], y: NDArray[np.uint8]) -> Coverage:
    """Counts of answers, bool (n,) each, against the truth, uint8 (n,)."""
    truth = y == 1
    yes, no = positive & ~negative, negative & ~positive
    counts = (
        truth, ~truth, truth & positive, ~truth & negative, yes, no, yes & ~truth, no & truth, positive & negative,
        ~positive & ~negative,
    )  # fmt: skip
    return Coverage(*(int(np.count_nonzero(c)) for c in counts))
