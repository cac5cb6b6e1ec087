"""Two sources of predictions on the same rows: paired differences per level and label."""

from dataclasses import replace
from typing import Any, Final

import numpy as np

from ichscan.evaluate.cases import LEVELS, Binary, Cases, Evaluation
from ichscan.evaluate.compare import compare
from ichscan.evaluate.estimate import NOT_ESTIMABLE
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.resampling import Resamples
from ichscan.labels import LABELS
from ichscan.pages.section import Cell, Grid, Section

RANKING: Final = (
    "level", "label", "positive", "n", "AUC", "AUC of other", "AUC difference", "95 %, AUC difference", "p (DeLong)",
    "Brier difference", "95 %, Brier difference",
)  # fmt: skip
DECISIONS: Final = (
    "level", "label", "sensitivity", "sensitivity of other", "95 %, sensitivity difference", "specificity",
    "specificity of other", "95 %, specificity difference", "only first right", "only other right", "p (McNemar)",
)  # fmt: skip


def part(evaluation: Evaluation, options: Options) -> Part:
    """Differences first minus other; nothing when there is no other source."""
    if options.other is None:
        return Part("comparison", {}, ())
    found = {level: _level(evaluation.level(level), options.other.level(level), options) for level in LEVELS}
    facts = {"other": dict(options.other.source), "other_chosen_on": options.other.chosen_on, **found}
    section = Section(
        "comparison",
        f"Compared with {options.other.source.get('name', options.other.source['path'])}",
        "DeLong et al. 1988 with Obuchowski 1997 for several rows of a patient; McNemar 1947, mid-p and by patient",
        _notes(evaluation, options.other),
        (
            Grid("ranking", "Ranking and probabilities", RANKING, tuple(_rows(found, _ranking))),
            Grid("decisions", "Decisions at each source's own thresholds", DECISIONS, tuple(_rows(found, _decisions))),
        ),
    )
    return Part("comparison", facts, (section,))


def _level(one: Cases, other: Cases, options: Options) -> dict[str, Any]:
    """Per label, on the rows that both predict."""
    one, other = one.where(np.isin(one.ids, other.ids)), other.where(np.isin(other.ids, one.ids))
    resamples = Resamples.of(one.patients, options.draws, options.seed)
    out: dict[str, Any] = {"rows": len(one)}
    for c, label in enumerate(LABELS):
        first, second = _both(one, other, c)
        cuts = (float(one.thresholds[c]), float(other.thresholds[c]))
        out[label] = compare(first, second, cuts, resamples) if len(first.y) else NOT_ESTIMABLE
    return out


def _both(one: Cases, other: Cases, c: int) -> tuple[Binary, Binary]:
    """One label where both know and predict it; both are in the order of the data, patients by the first's numbers."""
    known = ~np.isnan(one.p[:, c]) & ~np.isnan(other.p[:, c])
    first = one.where(known).label(c)
    second = other.where(known).label(c)
    return first, replace(second, patients=first.patients)


def _rows(found: dict[str, dict[str, Any]], row: Any) -> list[tuple[Cell, ...]]:
    return [
        (level, label, *row(found[level][label]))
        for level in LEVELS
        for label in LABELS
        if isinstance(found[level][label], dict)
    ]


def _ranking(one: dict[str, Any]) -> tuple[Cell, ...]:
    auc, brier = one["auc"], one["brier"]
    counts = (one["positives"], one["n"])
    shown = (None, "-") if isinstance(brier, str) else (brier["difference"], _interval(brier))
    if isinstance(auc, str):
        return (*counts, auc, None, None, "-", None, *shown)
    test = auc["delong"]
    p_value = NOT_ESTIMABLE if np.isnan(test["p_value"]) else test["p_value"]
    return (*counts, auc["one"], auc["other"], auc["difference"], _interval(test), p_value, *shown)


def _decisions(one: dict[str, Any]) -> tuple[Cell, ...]:
    if "mcnemar" not in one:
        return (NOT_ESTIMABLE, None, "-", None, None, "-", None, None, None)
    cells: list[Cell] = []
    for name in ("sensitivity", "specificity"):
        value = one[name]
        cells += [value, None, "-"] if isinstance(value, str) else [value["one"], value["other"], _interval(value)]
    test = one["mcnemar"]
    return (*cells, test["first_only"], test["second_only"], test["clustered"])


def _interval(value: dict[str, Any]) -> str:
    return "-" if np.isnan(value["low"]) else f"{value['low']:.3f} to {value['high']:.3f}"


def _notes(one: Evaluation, other: Evaluation) -> tuple[str, ...]:
    common = int(np.isin(one.slices.ids, other.slices.ids).sum())
    return (
        f"{common:,} slices are predicted by both; {len(one.slices) - common:,} by the first alone, "
        f"{len(other.slices) - common:,} by the other alone. Differences are first minus other. Intervals of the AUC's "
        "difference are DeLong's, by patient; the others are percentiles over resampled patients, the same for both. "
        "Nothing is corrected for the number of comparisons.",
        f"Thresholds of the other: {other.chosen_on}.",
        *(f"Warning, of the other: {text}" for text in other.data["warnings"]),
    )
