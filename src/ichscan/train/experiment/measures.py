"""Figures of one level: per label ranking and decisions with intervals, and over all labels."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.schema import UNKNOWN
from ichscan.evaluate.curves import bootstrap_auc
from ichscan.evaluate.intervals import clustered_wilson, counts_by_patient, decisions_of
from ichscan.evaluate.metrics import auc, exact_match, macro_f1, weighted_log_loss
from ichscan.evaluate.thresholds import HALF, cross_fitted, threshold
from ichscan.labels import LABELS
from ichscan.train.experiment.levels import Level
from ichscan.types import Float64


def choose_thresholds(level: Level, rule: str) -> Float64:
    """One threshold per label, float64 (k,), by [outcome].threshold on validation predictions.

    .5 for a label of which there is no positive or no negative.
    """
    found = np.full(len(level.labels), HALF)
    for c in range(len(level.labels)):
        known = level.y[:, c] != UNKNOWN
        p, y = level.p[known, c], level.y[known, c]
        if len(np.unique(y)) == 2:
            found[c] = threshold(p, y, level.folds[known], rule)
    return found


def measure(level: Level, thresholds: Float64, draws: int, rule: str = "", match: bool = False) -> dict[str, Any]:
    """Figures per label, and over all labels.

    Args:
        level: what is judged.
        thresholds: float64 (k,).
        draws: resamples of patients for the intervals of AUC; 0 = none.
        rule: when thresholds were chosen on these very predictions: figures cross-fitted over the folds come beside.
        match: exact-match accuracy and macro F1 (P3).
    """
    out: dict[str, Any] = {}
    for c, label in enumerate(level.labels):
        known = level.y[:, c] != UNKNOWN
        p, y, folds = level.p[known, c], level.y[known, c], level.folds[known]
        out[label] = _of_label(p, y, level.patients[known], float(thresholds[c]), draws)
        if rule and len(np.unique(folds)) > 1:
            out[label]["cross_fitted"] = counts(cross_fitted(p, y, folds, rule), y, level.patients[known])
    complete = level.complete
    p, y = level.p[complete], level.y[complete]
    if level.labels == LABELS and len(y):
        out["weighted_log_loss"] = weighted_log_loss(p, y)
    if match and len(y):
        out["exact_match"] = exact_match(p >= thresholds, y)
        out["macro_f1"] = macro_f1(p >= thresholds, y)
    areas = [out[label]["auc"] for label in level.labels if out[label]["auc"] is not None]
    out["mean_auc"] = float(np.mean(areas)) if areas else None
    return out


def _of_label(p: Float64, y: NDArray[np.uint8], patients: NDArray[np.str_], cut: float, draws: int) -> dict[str, Any]:
    area = auc(p, y)
    interval = bootstrap_auc(p, y, patients, draws) if draws and not np.isnan(area) else (np.nan, np.nan)
    return {
        "n": len(y),
        "positives": int((y == 1).sum()),
        "auc": _number(area),
        "auc_95": [_number(v) for v in interval],
        "threshold": cut,
        **counts(p >= cut, y, patients),
    }


def counts(positive: NDArray[np.bool_], y: NDArray[np.uint8], patients: NDArray[np.str_]) -> dict[str, Any]:
    """Confusion matrix and rates of decisions (n,); null where a rate has no denominator.

    95 % intervals count patients, not slices: see `ichscan.evaluate.intervals.clustered_wilson`.
    """
    cells = counts_by_patient(positive, y, patients)
    tp, fp, tn, fn = cells.T
    found = decisions_of(cells)
    return {
        "tp": found.tp,
        "fp": found.fp,
        "tn": found.tn,
        "fn": found.fn,
        "sensitivity": _number(found.sensitivity),
        "sensitivity_95": list(clustered_wilson(tp, tp + fn)),
        "specificity": _number(found.specificity),
        "specificity_95": list(clustered_wilson(tn, tn + fp)),
        "precision": _number(found.ppv),
        "f1": _number(found.f1),
        "accuracy": _number(found.accuracy),
    }


def _number(value: float) -> float | None:
    """JSON knows no NaN."""
    return None if np.isnan(value) else float(value)
