"""Out-of-fold predictions -> choices (sequence, scan rule, calibration, thresholds) and the figures that go with them.

Everything here sees a patient only through networks that never saw that patient. Calibration and thresholds are also
measured cross-fitted (fitted on four folds, applied to the fifth), which is the honest figure for a new patient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.calibration import calibrated, fit_platt
from ichscan.evaluate.delong import area
from ichscan.evaluate.intervals import clustered_wilson, counts_by_patient, decisions_of
from ichscan.evaluate.metrics import auc, weighted_log_loss
from ichscan.evaluate.reliability import expected_calibration_error
from ichscan.evaluate.thresholds import mean_f1_threshold, sensitivity_threshold, specificity_threshold
from ichscan.labels import ANY, LABELS
from ichscan.train.sequence import SequenceTraining, scan_logits, train_scan_ensemble

Float64 = NDArray[np.float64]
MOVING_MEAN = (0.6, 1.8, 0.6)
RULE = "maximum of the F1 curve averaged over the folds"
OPERATING_POINTS = (1.0, 0.95, 0.9, 0.8)


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """Per patient: evidence (slices, 16), labels (slices, 6) and fold, in one order of patients."""

    patients: tuple[str, ...]
    evidence: tuple[NDArray[np.float32], ...]
    labels: tuple[NDArray[np.uint8], ...]
    folds: tuple[int, ...]

    @property
    def slice_labels(self) -> NDArray[np.uint8]:
        return np.concatenate(self.labels)

    @property
    def scan_labels(self) -> NDArray[np.uint8]:
        return np.stack([rows.max(axis=0) for rows in self.labels])

    @property
    def slice_patients(self) -> NDArray[np.str_]:
        return np.repeat(np.array(self.patients), [len(rows) for rows in self.labels])

    @property
    def slice_folds(self) -> NDArray[np.int_]:
        return np.repeat(np.array(self.folds), [len(rows) for rows in self.labels])


def sequence_out_of_fold(oof: OutOfFold, config: SequenceTraining, seed: int) -> list[NDArray[np.float32]]:
    """Slice logits (slices, 6) per patient from scan networks trained on the other folds' evidence."""
    out: dict[int, NDArray[np.float32]] = {}
    for fold in sorted(set(oof.folds)):
        rest = [i for i, f in enumerate(oof.folds) if f != fold]
        ensemble = train_scan_ensemble(
            [oof.evidence[i] for i in rest], [oof.labels[i] for i in rest], config, seed + fold
        )
        for i, f in enumerate(oof.folds):
            if f == fold:
                out[i] = scan_logits(ensemble, oof.evidence[i])[0]
    return [out[i] for i in range(len(oof.patients))]


def moving_mean(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weighted mean of each slice with its neighbours, weights .6, 1.8, .6 (second place of RSNA 2019)."""
    padded = np.concatenate([logits[:1], logits, logits[-1:]])
    a, b, c = MOVING_MEAN
    return np.asarray((a * padded[:-2] + b * padded[1:-1] + c * padded[2:]) / (a + b + c), np.float32)


def scan_rule(logits: NDArray[np.float32], rule: str) -> NDArray[np.float32]:
    """Scan logits (6,) from slice logits (slices, 6): "top1" (the maximum), "top3", ..., or "noisy-or"."""
    if rule == "noisy-or":
        miss = np.log1p(-1 / (1 + np.exp(-logits.astype(np.float64).clip(-30, 30)))).sum(axis=0)
        return np.asarray(np.log(np.expm1(-miss).clip(1e-9, 1e9)), np.float32)
    top = int(rule.removeprefix("top"))
    ordered = np.sort(logits, axis=0)[::-1]
    if len(ordered) < top:
        ordered = np.concatenate([ordered, np.repeat(ordered[-1:], top - len(ordered), axis=0)])
    return np.asarray(ordered[:top].mean(axis=0), np.float32)


def compare(
    oof: OutOfFold, variants: Mapping[str, Sequence[NDArray[np.float32]]], rules: Sequence[str]
) -> list[dict[str, Any]]:
    """One row per sequence variant and scan rule: slice and scan AUC of `any`, mean AUC over the types, mean AP."""
    rows = []
    y, ys = oof.slice_labels, oof.scan_labels
    for name, logits in variants.items():
        flat = np.concatenate(list(logits)).astype(np.float64)
        types = [auc(flat[:, c], y[:, c]) for c in range(ANY)]
        for rule in rules:
            scans = np.stack([scan_rule(one, rule) for one in logits]).astype(np.float64)
            rows.append(
                {
                    "sequence": name,
                    "scan_rule": rule,
                    "slice_auc_any": auc(flat[:, ANY], y[:, ANY]),
                    "slice_auc_types": float(np.nanmean(types)),
                    "scan_auc_any": auc(scans[:, ANY], ys[:, ANY]),
                    "scan_auc_types": float(np.nanmean([auc(scans[:, c], ys[:, c]) for c in range(ANY)])),
                }
            )
    return rows


@dataclass(frozen=True, slots=True)
class Level:
    """Choices and figures for slices or for scans.

    Attributes:
        scale, offset: Platt scaling per label, fitted on all out-of-fold predictions.
        threshold: per label, on calibrated probabilities.
        rule: how the thresholds were chosen.
        probabilities: float64 (n, 6), calibrated on all.
        report: figures per label.
    """

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    threshold: tuple[float, ...]
    rule: str
    probabilities: Float64
    report: dict[str, Any]


def settle(
    logits: Float64,
    labels: NDArray[np.uint8],
    folds: NDArray[np.int_],
    patients: NDArray[np.str_],
    specificity: float = 0.0,
) -> Level:
    """Fits calibration and thresholds of one level and measures them.

    The threshold of each label is the maximum of the F1 curve averaged over the folds (Hoseyni et al. 2024). With
    `specificity`, that of `any` is the lowest that keeps it instead: F1 weighs a false alarm as much as a miss, a
    second reader does not. What other operating points of `any` would give is reported beside it.
    """
    platt = [fit_platt(logits[:, c], labels[:, c]) for c in range(len(LABELS))]
    p = np.stack([calibrated(logits[:, c], *platt[c]) for c in range(len(LABELS))], axis=1)
    keep = [specificity if c == ANY else 0.0 for c in range(len(LABELS))]
    threshold = [_cut(p[:, c], labels[:, c], folds, keep[c]) for c in range(len(LABELS))]
    report: dict[str, Any] = {
        label: _figures(logits[:, c], p[:, c], labels[:, c], folds, patients, threshold[c], keep[c])
        for c, label in enumerate(LABELS)
    }
    report["weighted_log_loss"] = weighted_log_loss(p, labels)
    y, any_p = labels[:, ANY], p[:, ANY]
    cuts = [(wanted, sensitivity_threshold(any_p, y, wanted)) for wanted in OPERATING_POINTS]
    report["operating_points"] = [
        {"at_least": wanted, "threshold": cut, **_counts(any_p >= cut, y, patients)} for wanted, cut in cuts
    ]
    rule = (
        f"any: highest sensitivity at a specificity of at least {specificity:g}; types: {RULE}" if specificity else RULE
    )
    return Level(tuple(a for a, _ in platt), tuple(b for _, b in platt), tuple(threshold), rule, p, report)


def _cut(p: Float64, labels: NDArray[np.uint8], folds: NDArray[np.int_], specificity: float) -> float:
    return specificity_threshold(p, labels, specificity) if specificity else mean_f1_threshold(p, labels, folds)[0]


def _figures(
    logits: Float64,
    p: Float64,
    labels: NDArray[np.uint8],
    folds: NDArray[np.int_],
    patients: NDArray[np.str_],
    threshold: float,
    specificity: float,
) -> dict[str, Any]:
    crossed = np.empty_like(p)
    decisions = np.zeros(len(p), bool)
    for fold in np.unique(folds):
        rest, here = folds != fold, folds == fold
        scale, offset = fit_platt(logits[rest], labels[rest])
        crossed[here] = calibrated(logits[here], scale, offset)
        cut = _cut(calibrated(logits[rest], scale, offset), labels[rest], folds[rest], specificity)
        decisions[here] = crossed[here] >= cut
    found = area(p, labels, patients)
    return {
        "positives": int(labels.sum()),
        "n": len(labels),
        "auc": found.auc,
        "auc_95": [found.low, found.high],
        "ece": expected_calibration_error(p, labels),
        "ece_cross_fitted": expected_calibration_error(crossed, labels),
        "brier_cross_fitted": float(np.mean((crossed - labels) ** 2)),
        "threshold": threshold,
        "at_threshold": _counts(p >= threshold, labels, patients),
        "cross_fitted": _counts(decisions, labels, patients),
    }


def _counts(positive: NDArray[np.bool_], labels: NDArray[np.uint8], patients: NDArray[np.str_]) -> dict[str, Any]:
    """Counts and rates of decisions (n,), with intervals that count patients, not slices."""
    cells = counts_by_patient(positive, labels, patients)
    tp, fp, tn, fn = cells.T
    d = decisions_of(cells)
    return {
        "tp": d.tp,
        "fp": d.fp,
        "tn": d.tn,
        "fn": d.fn,
        "sensitivity": d.sensitivity,
        "sensitivity_95": clustered_wilson(tp, tp + fn),
        "specificity": d.specificity,
        "specificity_95": clustered_wilson(tn, tn + fp),
        "precision": d.ppv,
        "f1": d.f1,
        "accuracy": d.accuracy,
    }
