"""How well the model does in subgroups: ranking and decisions, with intervals, as tables and forest plots."""

from typing import Any, Final

import numpy as np

from ichscan.evaluate.cases import Cases, Evaluation
from ichscan.evaluate.estimate import NOT_ESTIMABLE, text
from ichscan.evaluate.group_measures import FEWEST, MEASURES, Result, measure_group
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
ALL: Final = "All"


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
        results = [measure_group(group, rows, threshold) for group in (everything, *groups)]
        facts[level] = _facts(results, left_out, threshold)
        sections.append(_section(cases, results, left_out, threshold))
    return Part(KEY, facts, tuple(sections))


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
    told = (text(result.values[name]) if name in result.values else None for name in shown)
    counts = (result.patients, result.with_positive, result.cases, result.positives)
    return (result.group.family, result.group.name, *counts, *told)


def _forest(results: list[Result], name: str, level: str) -> Forest:
    groups: dict[str, tuple[Estimate, ...]] = {}
    for result in results:
        if name in result.values:
            patients = result.with_negative if name == "specificity" else result.with_positive
            estimate = _estimate(f"{result.group.name} ({patients:,})", result.values[name])
            groups[result.group.family] = (*groups.get(result.group.family, ()), estimate)
    overall = results[0].values[name]
    kind = "negative" if name == "specificity" else "positive"
    reference = overall["value"] if isinstance(overall, dict) else None
    return Forest(groups, f"{name} (patients with {kind} {level})", reference)


def _estimate(label: str, fact: Any) -> Estimate:
    if not isinstance(fact, dict):
        return Estimate(label, None, None, None, str(fact))
    return Estimate(label, fact["value"], fact["low"], fact["high"], text(fact, 2).replace(" to ", "-"))


def _facts(results: list[Result], left_out: dict[str, str], threshold: float) -> dict[str, Any]:
    groups = [_fact_of_group(result) for result in results]
    return {"label": LABELS[ANY], "threshold": threshold, "groups": groups, "left_out": left_out}


def _fact_of_group(result: Result) -> dict[str, Any]:
    return {
        "by": result.group.family,
        "group": result.group.name,
        "patients": result.patients,
        "patients_with_positive": result.with_positive,
        "patients_with_negative": result.with_negative,
        "cases": result.cases,
        "positives": result.positives,
        **result.values,
    }
