"""How well the model does in subgroups: ranking and decisions, with intervals, as tables and forest plots."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Binary, Cases, Evaluation
from ichscan.evaluate.delong import area
from ichscan.evaluate.intervals import clustered_wilson
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.subgrouping import Group, subgroups
from ichscan.labels import ANY, LABELS
from ichscan.pages.section import Cell, Estimate, Figure, Forest, Grid, Section

KEY: Final = "subgroups"
SOURCE: Final = (
    "AUC: DeLong 1988, in patients Obuchowski 1997; sensitivity and specificity: Wilson 1927, in patients Rao & Scott "
    "1992. Groups: CLAIM 2024 and STARD-AI ask for results by subgroup."
)
LEVELS: Final = ("slices", "scans")
FEWEST: Final = 5
"""Patients with cases of the class that a measure is about: with fewer, it says nothing."""
NOT_ESTIMABLE: Final = "not estimable"
MEASURES: Final = ("AUC", "sensitivity", "specificity")
ALL: Final = "All"
Value = tuple[float, float, float] | None
"""Estimate, low and high of the 95 % interval; None = not estimable."""


@dataclass(frozen=True, slots=True)
class Result:
    """One subgroup.

    Attributes:
        family, name: of the group.
        patients: with cases in the group.
        cases, positives: in the group.
        with_positive, with_negative: patients who have such cases.
        values: by measure; a measure that has no meaning for the group is absent.
    """

    family: str
    name: str
    patients: int
    cases: int
    positives: int
    with_positive: int
    with_negative: int
    values: dict[str, Value]


def part(evaluation: Evaluation, options: Options) -> Part:
    """AUC, sensitivity and specificity of `any` by subgroup, of slices and scans."""
    facts: dict[str, Any] = {}
    sections = []
    for level in LEVELS:
        cases = evaluation.level(level)
        rows = cases.label(ANY)
        if not rows.estimable:
            note = f"Not estimable: {rows.positives:,} of {len(rows.y):,} {level} are positive."
            facts[level] = NOT_ESTIMABLE
            sections.append(Section(f"{KEY}-{level}", _title(level), SOURCE, (note,)))
            continue
        groups, left_out = subgroups(cases)
        threshold = float(cases.thresholds[ANY])
        everything = Group(ALL, f"all {level}", np.ones(len(cases), np.bool_))
        results = [measure(group, rows, threshold) for group in (everything, *groups)]
        facts[level] = _facts(results, left_out, threshold)
        sections.append(_section(cases, results, left_out, threshold))
    return Part(KEY, facts, tuple(sections))


def measure(group: Group, rows: Binary, threshold: float) -> Result:
    """The measures of one group.

    A group that divides the positive cases is ranked against all negative ones, and has no specificity of its own.

    Args:
        group: of the cases.
        rows: the label of these cases.
        threshold: positive means p >= threshold; NaN = no decisions.
    """
    inside = group.rows[rows.rows]
    if group.positives_only:
        inside = inside & (rows.y == 1)
    positive = inside & (rows.y == 1)
    negative = (rows.y == 0) if group.positives_only else inside & (rows.y == 0)
    with_positive, with_negative = (len(np.unique(rows.patients[chosen])) for chosen in (positive, negative))
    enough = with_positive >= FEWEST, with_negative >= FEWEST
    values: dict[str, Value] = {"AUC": _auc(rows, positive | negative) if all(enough) else None}
    if not np.isnan(threshold):
        right = (rows.p >= threshold) == (rows.y == 1)
        values["sensitivity"] = _share(right, positive, rows.patients) if enough[0] else None
        if not group.positives_only:
            values["specificity"] = _share(right, negative, rows.patients) if enough[1] else None
    return Result(
        group.family, group.name, len(np.unique(rows.patients[inside])), int(inside.sum()), int(positive.sum()),
        with_positive, 0 if group.positives_only else with_negative, values,
    )  # fmt: skip


def _auc(rows: Binary, chosen: NDArray[np.bool_]) -> Value:
    found = area(rows.p[chosen], rows.y[chosen], rows.patients[chosen])
    return None if np.isnan(found.auc) else (found.auc, found.low, found.high)


def _share(right: NDArray[np.bool_], chosen: NDArray[np.bool_], patients: NDArray[np.int64]) -> Value:
    _, index = np.unique(patients[chosen], return_inverse=True)
    trials = np.bincount(index).astype(np.float64)
    low, high = clustered_wilson(np.bincount(index, right[chosen]).astype(np.float64), trials)
    return float(right[chosen].mean()), low, high


def _title(level: str) -> str:
    return f"Subgroups: {level}"


def _section(cases: Cases, results: list[Result], left_out: dict[str, str], threshold: float) -> Section:
    shown = MEASURES if not np.isnan(threshold) else MEASURES[:1]
    grid = Grid(
        "groups", f"{LABELS[ANY]} by subgroup: estimate and 95 % interval",
        ("by", "group", "patients", "with positive", cases.level, "positive", *shown),
        tuple(_row(result, shown) for result in results),
    )  # fmt: skip
    figures = tuple(
        Figure(
            f"{KEY}-{cases.level}-{name}",
            f"{name} of {LABELS[ANY]}, {cases.level}",
            _forest(results, name, cases.level),
        )
        for name in shown
    )
    return Section(
        f"{KEY}-{cases.level}", _title(cases.level), SOURCE, _notes(cases, results, left_out), (grid,), figures
    )


def _notes(cases: Cases, results: list[Result], left_out: dict[str, str]) -> tuple[str, ...]:
    notes = [
        f"{len(results) - 1} subgroups are looked at and nothing is adjusted for that: of so many 95 % intervals, "
        "about one in twenty misses by chance. A group that stands apart is a question, not a finding.",
        f"Not estimable: a measure of fewer than {FEWEST} patients, those with positive cases for the sensitivity, "
        "with negative ones for the specificity, with either for the AUC. Types, their number, the lesion's area and "
        "the number of slices with hemorrhage divide the positive cases, which are ranked against all negative ones.",
    ]
    if "lesion_mm2" in cases.facts:
        whose = "" if cases.level == "slices" else " in the slice where it is largest"
        notes.append(f"Area: of the boxes around the lesions{whose}, which hold more than the lesions do.")
    reasons = dict.fromkeys(left_out.values())
    told = {why: ", ".join(family.lower() for family in left_out if left_out[family] == why) for why in reasons}
    notes += [f"No groups by {families}: {why}." for why, families in told.items()]
    return tuple(notes)


def _row(result: Result, shown: tuple[str, ...]) -> tuple[Cell, ...]:
    told = (_text(result.values[name]) if name in result.values else None for name in shown)
    counts = (result.patients, result.with_positive, result.cases, result.positives)
    return (result.family, result.name, *counts, *told)


def _text(value: Value) -> str:
    return NOT_ESTIMABLE if value is None else f"{value[0]:.3f} ({value[1]:.3f} to {value[2]:.3f})"


def _forest(results: list[Result], name: str, level: str) -> Forest:
    groups: dict[str, tuple[Estimate, ...]] = {}
    for result in results:
        if name in result.values:
            patients = result.with_negative if name == "specificity" else result.with_positive
            estimate = _estimate(f"{result.name} ({patients:,})", result.values[name])
            groups[result.family] = (*groups.get(result.family, ()), estimate)
    overall = results[0].values[name]
    kind = "negative" if name == "specificity" else "positive"
    return Forest(groups, f"{name} (patients with {kind} {level})", None if overall is None else overall[0])


def _estimate(label: str, value: Value) -> Estimate:
    if value is None:
        return Estimate(label, None, None, None, NOT_ESTIMABLE)
    return Estimate(label, *value, f"{value[0]:.2f} ({value[1]:.2f}-{value[2]:.2f})")


def _facts(results: list[Result], left_out: dict[str, str], threshold: float) -> dict[str, Any]:
    groups = [_fact_of_group(result) for result in results]
    return {"label": LABELS[ANY], "threshold": threshold, "groups": groups, "left_out": left_out}


def _fact_of_group(result: Result) -> dict[str, Any]:
    return {
        "by": result.family,
        "group": result.name,
        "patients": result.patients,
        "patients_with_positive": result.with_positive,
        "patients_with_negative": result.with_negative,
        "cases": result.cases,
        "positives": result.positives,
        **{name: _fact(value) for name, value in result.values.items()},
    }


def _fact(value: Value) -> Any:
    return NOT_ESTIMABLE if value is None else {"value": value[0], "low": value[1], "high": value[2]}
