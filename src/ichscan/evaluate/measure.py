"""Everything that is measured on one level, per label and over the labels, as JSON with intervals by patient."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import UNKNOWN, Binary, Cases
from ichscan.evaluate.curves import (
    area_under_roc,
    average_precision,
    resampled_counts,
    roc_counts,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)
from ichscan.evaluate.decisions import RESAMPLED, decision_facts, predictive_facts, resampled_decisions
from ichscan.evaluate.delong import area
from ichscan.evaluate.estimate import NOT_ESTIMABLE, estimate
from ichscan.evaluate.intervals import clustered_wilson, counts_by_patient
from ichscan.evaluate.metrics import exact_match, log_losses, macro_f1, shares, squared_errors, weighted_log_losses
from ichscan.evaluate.resampling import Resamples, numbered, percentiles
from ichscan.labels import LABELS, TYPES
from ichscan.types import Float64

FIXED: Final = (0.8, 0.9, 0.95)
"""Specificities and sensitivities at which the other one is told."""
PREVALENCES: Final = (0.01, 0.05, 0.1, 0.2, 0.35, 0.5)
"""Predictive values are told for these shares of hemorrhage, beside that of the data."""
AVERAGED: Final = ("auc", "average_precision", "brier", "log_loss", *RESAMPLED)

METHODS: Final[Mapping[str, str]] = {
    "auc": "Obuchowski 1997 in logits (with one row per patient: DeLong 1988); Newcombe 2006 with few patients",
    "auc.delong": "DeLong 1988, as if rows were independent: too narrow where a patient has several rows",
    "auc.bootstrap": "percentiles over resampled patients",
    "sensitivity, specificity, ppv, npv, accuracy, exact_match": "Wilson 1927 on the effective number of rows "
    "(Rao & Scott 1992; Korn & Graubard 1998); with one row per patient, Wilson's own",
    "f1": "the same, of tp / (tp + fp + fn), transformed",
    "balanced_accuracy": "from those of sensitivity and specificity (Zou & Donner 2008)",
    "lr_positive, lr_negative": "log method of Simel et al. 1991, variance between patients",
    "everything else": "percentiles over resampled patients (Efron & Tibshirani 1993)",
}
"""Of the 95 % intervals."""


def measure(cases: Cases, draws: int, seed: int = 0, prevalence: float | None = None) -> dict[str, Any]:
    """Measures one level.

    Args:
        cases: rows of one level.
        draws: bootstrap resamples of patients, at least 1.
        seed: of the resampling.
        prevalence: another share of hemorrhage at which predictive values are told, in (0, 1).

    Returns:
        {"n", "patients", "draws", "labels": label -> see `measure_label`, "macro_types" and "macro_all": means over
        the labels that are estimable, "overall": measures of whole rows, "predictive_values": at prevalences}.
    """
    resamples = Resamples.of(cases.patients, draws, seed)
    labels: dict[str, Any] = {}
    drawn: dict[str, dict[str, Float64]] = {}
    for c, name in enumerate(LABELS):
        labels[name], drawn[name] = measure_label(cases.label(c), float(cases.thresholds[c]), resamples)
    any_label, cut = cases.label(LABELS.index("any")), float(cases.thresholds[LABELS.index("any")])
    return {
        "n": len(cases),
        "patients": len(resamples.patients),
        "draws": draws,
        "labels": labels,
        "macro_types": _macro(labels, drawn, TYPES),
        "macro_all": _macro(labels, drawn, LABELS),
        "overall": _overall(cases, resamples),
        "predictive_values": _predictive(any_label, cut, prevalence),
    }


def measure_label(binary: Binary, cut: float, resamples: Resamples) -> tuple[dict[str, Any], dict[str, Float64]]:
    """One label: counts, ranking, probabilities and, with a threshold, decisions.

    Args:
        binary: its rows.
        cut: threshold; NaN = none.
        resamples: draws of patients, those of the rows among them.

    Returns:
        Facts: "n", "positives", "negatives", "patients", "positive_patients", "threshold", then one entry per measure,
        an estimate or "not estimable". Draws: measure -> float64 (draws,).
    """
    facts: dict[str, Any] = {
        "n": len(binary.y),
        "positives": binary.positives,
        "negatives": len(binary.y) - binary.positives,
        "patients": numbered(binary.patients)[1],
        "positive_patients": numbered(binary.patients[binary.y == 1])[1],
        "threshold": None if np.isnan(cut) else cut,
    }
    ranking, draws = _ranking(binary, resamples)
    facts |= ranking
    for name, losses in (("brier", squared_errors(binary.p, binary.y)), ("log_loss", log_losses(binary.p, binary.y))):
        facts[name], draws[name] = _mean(losses, binary.patients, resamples)
    if not np.isnan(cut):
        facts |= decision_facts(counts_by_patient(binary.p >= cut, binary.y, binary.patients))
        draws |= resampled_decisions(binary, cut, resamples)
    return facts, draws


def _ranking(binary: Binary, resamples: Resamples) -> tuple[dict[str, Any], dict[str, Float64]]:
    names = [f"sensitivity_at_specificity_{v:g}" for v in FIXED] + [f"specificity_at_sensitivity_{v:g}" for v in FIXED]
    if not binary.estimable:
        return dict.fromkeys(["auc", "average_precision", *names], NOT_ESTIMABLE), {}
    values = _curve_measures(*roc_counts(binary.p, binary.y)[1:])
    draws = _curve_measures(*resampled_counts(binary.p, binary.y, binary.patients, resamples)[1:])
    facts: dict[str, Any] = {
        name: estimate(float(value), percentiles(draws[name])) for name, value in values.items() if name != "auc"
    }
    by_patient, rows = area(binary.p, binary.y, binary.patients), area(binary.p, binary.y)
    auc = {
        "value": by_patient.auc,
        "low": by_patient.low,
        "high": by_patient.high,
        "method": by_patient.method,
        "bootstrap": _bounds(by_patient.auc, percentiles(draws["auc"])),
        "delong": [rows.low, rows.high],
    }
    return {"auc": auc, **facts}, {name: draws[name] for name in ("auc", "average_precision")}


def _bounds(value: float, interval: tuple[float, float]) -> list[float] | None:
    """An interval beside another; None without width, see `estimate`."""
    fact = estimate(value, interval)
    return None if isinstance(fact, str) or fact["low"] is None else list(interval)


def _curve_measures(tp: Float64, fp: Float64) -> dict[str, Float64]:
    out = {"auc": area_under_roc(tp, fp), "average_precision": average_precision(tp, fp)}
    for v in FIXED:
        out[f"sensitivity_at_specificity_{v:g}"] = sensitivity_at_specificity(tp, fp, v)
    for v in FIXED:
        out[f"specificity_at_sensitivity_{v:g}"] = specificity_at_sensitivity(tp, fp, v)
    return out


def _mean(values: Float64, patients: NDArray[np.generic], resamples: Resamples) -> tuple[Any, Float64]:
    """Of values (n,), as an estimate, and of every draw."""
    if len(values) == 0:
        return NOT_ESTIMABLE, np.full(resamples.draws, np.nan)
    sums = resamples.sums(np.stack([values, np.ones(len(values))], axis=1), patients)
    draws = shares(sums[:, 0], sums[:, 1])
    return estimate(float(values.mean()), percentiles(draws)), draws


def _macro(
    labels: Mapping[str, Any], drawn: Mapping[str, Mapping[str, Float64]], names: tuple[str, ...]
) -> dict[str, Any]:
    """Means over the labels among `names` where each measure is estimable; draws must have all of them."""
    out: dict[str, Any] = {}
    for measure_name in AVERAGED:
        usable = [n for n in names if isinstance(labels[n].get(measure_name), dict)]
        if not usable:
            out[measure_name] = NOT_ESTIMABLE
            continue
        mean = float(np.mean([labels[n][measure_name]["value"] for n in usable]))
        draws = np.mean([drawn[n][measure_name] for n in usable], axis=0)
        out[measure_name] = {**_as_dict(estimate(mean, percentiles(draws))), "labels": usable}
    return out


def _as_dict(fact: Any) -> dict[str, Any]:
    return fact if isinstance(fact, dict) else {"value": None, "low": None, "high": None}


def _overall(cases: Cases, resamples: Resamples) -> dict[str, Any]:
    """Of rows whose six labels are all known and predicted."""
    complete = (cases.y != UNKNOWN).all(axis=1) & ~np.isnan(cases.p).any(axis=1)
    p, y, patients = cases.p[complete], cases.y[complete], cases.patients[complete]
    out: dict[str, Any] = {"n": len(y)}
    out["weighted_log_loss"], _ = _mean(weighted_log_losses(p, y) if len(y) else np.empty(0), patients, resamples)
    if np.isnan(cases.thresholds).any() or not len(y):
        return {**out, "exact_match": NOT_ESTIMABLE, "macro_f1": NOT_ESTIMABLE}
    decisions = p >= cases.thresholds
    right = (decisions == (y == 1)).all(axis=1)
    index, _ = numbered(patients)
    interval = clustered_wilson(np.bincount(index, right).astype(np.float64), np.bincount(index).astype(np.float64))
    out["exact_match"] = estimate(exact_match(decisions, y), interval)
    out["macro_f1"] = estimate(macro_f1(decisions, y))
    return out


def _predictive(binary: Binary, cut: float, prevalence: float | None) -> list[dict[str, Any]]:
    """Predictive values of `any` at prevalences; empty without threshold."""
    if np.isnan(cut):
        return []
    counts = counts_by_patient(binary.p >= cut, binary.y, binary.patients)
    wanted = sorted({*PREVALENCES, *([] if prevalence is None else [prevalence])})
    return [predictive_facts(counts, share) for share in wanted]
