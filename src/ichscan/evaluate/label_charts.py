"""Small charts of one label: decisions, scores by class, rates over thresholds, and reliability."""

from typing import Final

import numpy as np

from ichscan.evaluate.cases import Binary
from ichscan.evaluate.curves import counts_at
from ichscan.evaluate.intervals import clustered_wilson
from ichscan.evaluate.metrics import decide
from ichscan.pages.section import Confusion, Curve, Curves, Overlaid, Reliability
from ichscan.types import Float64

BINS: Final = 10
"""Of equal count in reliability curves; equal probabilities stay together."""
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
        "PPV": np.divide(tp, tp + fp, out=np.full(len(tp), np.nan), where=tp + fp > 0),
        "F1": 2 * tp / (positives + tp + fp),
    }
    curves = {name: Curve(_tuple(STEPS), _optional(values)) for name, values in rates.items()}
    return Curves(curves, "threshold", "", place=None if np.isnan(threshold) else threshold)


def reliability_chart(rows: Binary) -> Reliability:
    """Frequency over mean probability in bins of equal count, with 95 % intervals that know the patients."""
    edges = np.unique(np.quantile(rows.p, np.linspace(0, 1, BINS + 1)))
    place = np.clip(np.searchsorted(edges, rows.p, side="right") - 1, 0, max(len(edges) - 2, 0))
    _, patient = np.unique(rows.patients, return_inverse=True)
    points = []
    for k in np.unique(place):
        here = place == k
        cases = int(here.sum())
        trials = np.bincount(patient[here]).astype(np.float64)
        positives = np.bincount(patient[here], rows.y[here]).astype(np.float64)
        low, high = clustered_wilson(positives, trials)
        points.append((float(rows.p[here].mean()), float(rows.y[here].mean()), low, high, cases))
    predicted, observed, low_ends, high_ends, counts = zip(*points, strict=True)
    shown, _ = np.histogram(rows.p, EDGES)
    return Reliability(predicted, observed, low_ends, high_ends, counts, _tuple(EDGES), tuple(int(n) for n in shown))


def _tuple(values: Float64) -> tuple[float, ...]:
    return tuple(float(v) for v in values)


def _optional(values: Float64) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(v) else round(float(v), 5) for v in values)
