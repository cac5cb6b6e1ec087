"""Figures of discrimination and calibration at every level: what the tables say, for the eye."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from ichscan.evaluate.bands import curve_charts
from ichscan.evaluate.cases import LEVELS, Binary, Cases, Evaluation
from ichscan.evaluate.label_charts import confusion_chart, reliability_chart, scores_chart, threshold_chart
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.resampling import Resamples
from ichscan.labels import ANY, LABELS
from ichscan.pages.section import Chart, Figure, Section

KEY: Final = "figures"
SOURCE: Final = "Band: the middle 95 % of resampled patients (Efron & Tibshirani 1993), point by point."
ORDER: Final = (ANY, *(c for c in range(len(LABELS)) if c != ANY))
"""`any` comes first: it decides who is read first."""


def part(evaluation: Evaluation, options: Options) -> Part:
    """Curves, confusion matrices, histograms of scores, rates over thresholds and reliability of each level."""
    facts: dict[str, Any] = {}
    sections = []
    for name in LEVELS:
        cases = evaluation.level(name)
        if name == "patients" and same(cases, evaluation.scans):
            facts[name] = "the same as of scans"
            continue
        labels, thresholds, left_out = chosen(cases)
        facts[name] = {"drawn": list(labels), "not estimable": left_out}
        sections.append(_section(cases, labels, thresholds, left_out, options, evaluation.chosen_on))
    return Part(KEY, facts, tuple(sections))


def same(one: Cases, other: Cases) -> bool:
    """Whether two levels hold the same numbers, as patients with one scan each do."""
    return np.array_equal(one.p, other.p, equal_nan=True) and np.array_equal(one.y, other.y)


def chosen(cases: Cases) -> tuple[dict[str, Binary], dict[str, float], dict[str, dict[str, int]]]:
    """Labels with both classes, their thresholds, and the counts of the labels without, all by name, `any` first."""
    labels, thresholds, left_out = {}, {}, {}
    for c in ORDER:
        rows = cases.label(c)
        if rows.estimable:
            labels[LABELS[c]], thresholds[LABELS[c]] = rows, float(cases.thresholds[c])
        else:
            left_out[LABELS[c]] = {"cases": len(rows.y), "positives": rows.positives}
    return labels, thresholds, left_out


def _section(
    cases: Cases, labels: Mapping[str, Binary], thresholds: Mapping[str, float],
    left_out: Mapping[str, Mapping[str, int]], options: Options, chosen_on: str,
) -> Section:  # fmt: skip
    key, title = f"figures-{cases.level}", f"Figures: {cases.level}"
    notes = []
    if left_out:
        told = (f"{label} (positive: {n['positives']:,} of {n['cases']:,})" for label, n in left_out.items())
        notes.append(f"Not estimable without both classes, so not drawn: {', '.join(told)}.")
    if not labels:
        return Section(key, title, SOURCE, tuple(notes))
    if any(not np.isnan(t) for t in thresholds.values()):
        notes.insert(0, f"Dots and dashed vertical lines mark the thresholds; {chosen_on.rstrip('.')}.")
    else:
        notes.insert(0, "No thresholds are known: nothing is decided, and no confusion matrix is drawn.")
    notes.append(
        "Dashed otherwise: chance (ROC), the share of positive cases of the first label (precision), and probabilities "
        "that keep their word (reliability; intervals count patients, grey: how many cases have which probability)."
    )
    figures = (*_curves(cases.level, labels, thresholds, options), *_by_label(cases.level, labels, thresholds))
    return Section(key, title, SOURCE, tuple(notes), (), figures)


def _curves(
    level: str, labels: Mapping[str, Binary], thresholds: Mapping[str, float], options: Options
) -> tuple[Figure, ...]:
    first = next(iter(labels.values()))
    resamples = Resamples.of(first.patients, options.draws, options.seed)
    roc, pr = curve_charts(labels, thresholds, resamples)
    return (
        Figure(f"{level}-roc", f"ROC curves of {level}", roc),
        Figure(f"{level}-pr", f"Precision over recall of {level}", pr),
    )


def _by_label(level: str, labels: Mapping[str, Binary], thresholds: Mapping[str, float]) -> Iterator[Figure]:
    """Charts of the first label, then those of the others, folded."""
    for k, (label, rows) in enumerate(labels.items()):
        fold = f"{label}: decisions, probabilities, rates by threshold, reliability" if k else ""
        cut = thresholds[label]
        charts: dict[str, tuple[str, Chart]] = {
            "scores": ("probabilities by class", scores_chart(rows, cut)),
            "thresholds": ("rates by threshold", threshold_chart(rows, cut)),
            "reliability": ("reliability", reliability_chart(rows)),
        }
        if not np.isnan(cut):
            charts = {"confusion": (f"decisions at {cut:.3g}", confusion_chart(rows, cut)), **charts}
        for name, (title, chart) in charts.items():
            yield Figure(f"{level}-{name}-{label}", f"{label}: {title}", chart, small=True, fold=fold)
