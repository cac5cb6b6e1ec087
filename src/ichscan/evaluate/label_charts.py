"""Small charts of one label: decisions, scores by class, rates over thresholds, and reliability."""

from typing import Final

import numpy as np

from ichscan.evaluate.cases import Binary
from ichscan.evaluate.curves import counts_at
from ichscan.evaluate.intervals import clustered_wilson
from ichscan.evaluate.metrics import decide, shares
from ichscan.evaluate.reliability import places, reliability
from ichscan.pages.section import Confusion, Curve, Curves, Overlaid, Reliability
from ichscan.types import Float64

EDGES: Final = np.round(np.linspace(0, 1, 26), 2)
STEPS: Final = np.round(np.linspace(0, 1, 101), 2)


def confusion_chart(rows: Binary, threshold: float) -> Confusion:
    """Counts of positive = p >= threshold against the truth."""
    found = decide(rows.p, rows.y, threshold)
    return Confusion(tn=found.tn, fp=found.fp, fn=found.fn, tp=found.tp)


def scores_chart(rows: Binary, threshold: float) -> Overlaid:
    """Histograms of the probabilities of negatives and positives."""
    counts = {
        name: tuple(int(n) for n in np.histogram(rows.p[rows.y == value], EDGES)[0])
        for name, value in (("negative", 0), ("positive", 1))
    }
    return Overlaid(_tuple(EDGES), counts, "probability", None if np.isnan(threshold) else threshold)


def threshold_chart(rows: Binary, threshold: float) -> Curves:
    """Sensitivity, specificity, PPV and F1 over the threshold (Hoseyni et al. 2024 draw the last)."""
    tp, fp = counts_at(rows.p, rows.y, STEPS)
    positives, negatives = rows.positives, len(rows.y) - rows.positives
    rates = {
        "sensitivity": tp / positives,
        "specificity": 1 - fp / negatives,
        "PPV": shares(tp, tp + fp),
        "F1": 2 * tp / (positives + tp + fp),
    }
    curves = {name: Curve(_tuple(STEPS), _optional(values)) for name, values in rates.items()}
    return Curves(curves, "threshold", "", place=None if np.isnan(threshold) else threshold)


def reliability_chart(rows: Binary) -> Reliability:
    """Frequency over mean probability in bins of equal count, with 95 % intervals that know the patients."""
    place = places(rows.p, adaptive=True)
    bins = reliability(rows.p, rows.y, adaptive=True)
    _, patient = np.unique(rows.patients, return_inverse=True)
    ends = []
    for k in np.unique(place):
        here = place == k
        trials = np.bincount(patient[here]).astype(np.float64)
        ends.append(clustered_wilson(np.bincount(patient[here], rows.y[here]).astype(np.float64), trials))
    low, high = zip(*ends, strict=True)
    shown, _ = np.histogram(rows.p, EDGES)
    return Reliability(
        predicted=_tuple(bins.mean), observed=_tuple(bins.frequency), low=low, high=high,
        cases=tuple(int(n) for n in bins.count), edges=_tuple(EDGES), counts=tuple(int(n) for n in shown),
    )  # fmt: skip


def _tuple(values: Float64) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _optional(values: Float64) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(v) else round(float(v), 5) for v in values)
