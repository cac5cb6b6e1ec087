"""Decisions of one label at a threshold: counts, rates and likelihood ratios with intervals, as JSON."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Binary
from ichscan.evaluate.estimate import NOT_ESTIMABLE, estimate
from ichscan.evaluate.intervals import (
    Ratio,
    clustered_f1,
    clustered_wilson,
    counts_by_patient,
    decisions_of,
    likelihood_ratios,
    mean_of_two,
    predictive_values,
)
from ichscan.evaluate.metrics import shares
from ichscan.evaluate.resampling import Resamples
from ichscan.types import Float64

RATES = {"sensitivity": (0, 3), "specificity": (2, 1), "ppv": (0, 1), "npv": (2, 3)}
"""Name -> columns of (tp, fp, tn, fn) whose share of both the first is."""
RESAMPLED = ("sensitivity", "specificity", "ppv", "npv", "f1", "accuracy", "balanced_accuracy")


def decision_facts(counts: Float64) -> dict[str, Any]:
    """Counts, rates and likelihood ratios from counts per patient, float64 (m, 4): tp, fp, tn, fn.

    Intervals: see `ichscan.evaluate.intervals`.
    """
    found = decisions_of(counts)
    out: dict[str, Any] = {"tp": found.tp, "fp": found.fp, "tn": found.tn, "fn": found.fn}
    for name, (top, rest) in RATES.items():
        out[name] = estimate(getattr(found, name), clustered_wilson(counts[:, top], counts[:, top] + counts[:, rest]))
    right = counts[:, 0] + counts[:, 2]
    out["accuracy"] = estimate(found.accuracy, clustered_wilson(right, counts.sum(axis=1)))
    for name, ratio in zip(("lr_positive", "lr_negative"), likelihood_ratios(counts), strict=True):
        out[name] = NOT_ESTIMABLE if np.isnan(ratio[1]) else estimate(ratio[0], ratio[1:])
    out["f1"] = estimate(found.f1, clustered_f1(counts))
    both = [(f["value"], f["low"], f["high"]) for f in (out["sensitivity"], out["specificity"]) if f != NOT_ESTIMABLE]
    out["balanced_accuracy"] = (
        estimate(found.balanced_accuracy, mean_of_two(*both)) if len(both) == 2 else NOT_ESTIMABLE
    )
    return out


def resampled_decisions(binary: Binary, cut: float, resamples: Resamples) -> dict[str, Float64]:
    """Rates of every draw, float64 (draws,) each, NaN without denominator: the names in `RESAMPLED`."""
    positive, truth = binary.p >= cut, binary.y == 1
    cells = np.stack([positive & truth, positive & ~truth, ~positive & ~truth, ~positive & truth], axis=1)
    tp, fp, tn, fn = resamples.sums(cells.astype(np.float64), binary.patients).T
    out = {
        "sensitivity": shares(tp, tp + fn),
        "specificity": shares(tn, tn + fp),
        "ppv": shares(tp, tp + fp),
        "npv": shares(tn, tn + fn),
        "f1": shares(2 * tp, 2 * tp + fp + fn),
        "accuracy": shares(tp + tn, tp + fp + tn + fn),
    }
    out["balanced_accuracy"] = (out["sensitivity"] + out["specificity"]) / 2
    return out


def decisions_at(binary: Binary, positive: NDArray[np.bool_]) -> dict[str, Any]:
    """`decision_facts` of decisions, bool (n,), about the rows of `binary`."""
    return decision_facts(counts_by_patient(positive, binary.y, binary.patients))


def predictive_facts(counts: Float64, prevalence: float) -> dict[str, Any]:
    """PPV and NPV at another prevalence, in (0, 1): Bayes' theorem on likelihood ratios (Mercaldo et al. 2007)."""
    positive, negative = likelihood_ratios(counts)
    if np.isnan(positive[1]) or np.isnan(negative[1]):
        return {"prevalence": prevalence, "ppv": NOT_ESTIMABLE, "npv": NOT_ESTIMABLE}
    return {"prevalence": prevalence, **_both(positive, negative, prevalence)}


def _both(positive: Ratio, negative: Ratio, prevalence: float) -> dict[str, Any]:
    ppv = [predictive_values(ratio, 1.0, prevalence)[0] for ratio in positive]
    npv = [predictive_values(1.0, ratio, prevalence)[1] for ratio in negative]
    return {"ppv": estimate(ppv[0], ppv[1:]), "npv": estimate(npv[0], npv[:0:-1])}
