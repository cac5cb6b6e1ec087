"""95 % intervals in closed form: proportions and likelihood ratios, of independent rows and of rows in patients."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.metrics import Decisions
from ichscan.evaluate.resampling import numbered
from ichscan.types import Float64

Z: Final = 1.959964
Ratio = tuple[float, float, float]
"""A number and its 95 % interval: (value, low, high)."""


def wilson(successes: int, trials: int, z: float = Z) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927); (0, 1) without trials."""
    return _wilson(successes / trials, trials, z) if trials else (0.0, 1.0)


def _wilson(p: float, trials: float, z: float) -> tuple[float, float]:
    center = p + z * z / (2 * trials)
    spread = z * np.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(float((center - spread) / scale), 0.0), min(float((center + spread) / scale), 1.0)


def clustered_wilson(successes: Float64, trials: Float64) -> tuple[float, float]:
    """95 % interval of a proportion whose rows belong to patients: Wilson's, on the effective number of rows.

    The effective number is that of rows divided by the design effect (Rao & Scott 1992), the ratio of the variance
    between patients to that of independent rows, at least 1; the quantile is Student's with (patients - 1) degrees of
    freedom (Korn & Graubard 1998). With no success, or no failure, each patient counts as one row. With one row per
    patient this is `wilson`.

    Args:
        successes: float64 (m,), per patient.
        trials: float64 (m,), per patient.
    """
    here = trials > 0
    s, t = successes[here], trials[here]
    m, n = len(t), float(t.sum())
    if m == 0:
        return 0.0, 1.0
    if t.max() == 1:
        return wilson(int(s.sum()), int(n))
    from scipy.stats import t as student

    p = float(s.sum()) / n
    effective = float(m)
    if m > 1 and 0 < p < 1:
        variance = m / (m - 1) * float(((s - p * t) ** 2).sum()) / n**2
        effective = n / max(variance / (p * (1 - p) / n), 1.0)
    return _wilson(p, effective, float(student.ppf(0.975, max(m - 1, 1))))


def clustered_f1(counts: Float64) -> tuple[float, float]:
    """95 % interval of F1 from counts per patient, float64 (m, 4), see `counts_by_patient`.

    F1 = 2 J / (1 + J) rises with J = tp / (tp + fp + fn), a proportion; the interval is that of `clustered_wilson`
    for J, transformed.
    """
    low, high = clustered_wilson(counts[:, 0], counts[:, 0] + counts[:, 1] + counts[:, 3])
    return 2 * low / (1 + low), 2 * high / (1 + high)


def mean_of_two(one: Ratio, other: Ratio) -> tuple[float, float]:
    """95 % interval of the mean of two proportions (value, low, high) by recovery of variances (Zou & Donner 2008).

    As if the two were independent: a little wide where what finds more also raises more alarms.
    """
    below = np.hypot(one[0] - one[1], other[0] - other[1])
    above = np.hypot(one[2] - one[0], other[2] - other[0])
    total = one[0] + other[0]
    return max(float(total - below) / 2, 0.0), min(float(total + above) / 2, 1.0)


def counts_by_patient(positive: NDArray[np.bool_], labels: NDArray[np.uint8], patients: NDArray[np.generic]) -> Float64:
    """Per patient tp, fp, tn, fn: float64 (m, 4).

    Args:
        positive: bool (n,), decisions.
        labels: uint8 (n,), 0 or 1.
        patients: (n,), the patient of each row.
    """
    index, m = numbered(patients)
    truth = labels == 1
    cells = (positive & truth, positive & ~truth, ~positive & ~truth, ~positive & truth)
    return np.stack([np.bincount(index, cell, minlength=m) for cell in cells], axis=1).astype(np.float64)


def decisions_of(counts: Float64) -> Decisions:
    """All patients together."""
    tp, fp, tn, fn = (int(v) for v in counts.sum(axis=0))
    return Decisions(tp, fp, tn, fn)


def likelihood_ratios(counts: Float64) -> tuple[Ratio, Ratio]:
    """LR+ and LR-, each with its 95 % interval: (value, low, high), NaN with one class only.

    The log method of Simel, Samsa & Matchar 1991, with the variance taken between patients (Taylor linearisation); with
    one row per patient it is theirs. Where a cell is 0 the interval comes from counts as if each patient were one row,
    and .5 is added to each cell, which can move the interval off the ratio itself: it is widened to hold it.

    Args:
        counts: float64 (m, 4), see `counts_by_patient`.
    """
    found = decisions_of(counts)
    if not (found.tp + found.fn and found.fp + found.tn):
        nothing = (float("nan"),) * 3
        return nothing, nothing
    positive = _ratio(found.lr_positive, counts, 0, 1)
    negative = _ratio(found.lr_negative, counts, 3, 2)
    return positive, negative


def _ratio(value: float, counts: Float64, top: int, bottom: int) -> Ratio:
    """Of the shares of columns `top` among the positives and `bottom` among the negatives."""
    positives, negatives = counts[:, 0] + counts[:, 3], counts[:, 1] + counts[:, 2]
    cells = counts.sum(axis=0)
    if (cells == 0).any():
        sizes = [float((side > 0).sum()) / float(side.sum()) for side in (positives, negatives)]
        cells = cells * np.array([sizes[0], sizes[1], sizes[1], sizes[0]]) + 0.5
        above, below = cells[0] + cells[3], cells[1] + cells[2]
        center = np.log((cells[top] / above) / (cells[bottom] / below))
        variance = 1 / cells[top] - 1 / above + 1 / cells[bottom] - 1 / below
    else:
        shares = cells[top] / positives.sum(), cells[bottom] / negatives.sum()
        one = (counts[:, top] - shares[0] * positives) / cells[top]
        other = (counts[:, bottom] - shares[1] * negatives) / cells[bottom]
        center, variance = np.log(shares[0] / shares[1]), ((one - other) ** 2).sum()
    spread = Z * np.sqrt(variance)
    low, high = float(np.exp(center - spread)), float(np.exp(center + spread))
    return value, min(low, value), max(high, value)  # NaN, where there is no ratio, changes nothing


def predictive_values(lr_positive: float, lr_negative: float, prevalence: float) -> tuple[float, float]:
    """(PPV, NPV) at another prevalence, in (0, 1), by Bayes' theorem: posterior odds = prior odds x likelihood ratio.

    Applied to the ends of the intervals of the likelihood ratios it gives the logit intervals of Mercaldo, Lau & Zhou
    2007.
    """
    odds = prevalence / (1 - prevalence)
    ppv = 1.0 if np.isinf(lr_positive) else odds * lr_positive / (1 + odds * lr_positive)
    npv = 0.0 if np.isinf(lr_negative) else 1 / (1 + odds * lr_negative)
    return float(ppv), float(npv)
