"""The answer on one screen: how well `any` is found at each level, and what was missed. Stands first on the page."""

from collections.abc import Mapping
from typing import Any

from ichscan.evaluate.cases import LEVELS, Evaluation
from ichscan.evaluate.estimate import text
from ichscan.evaluate.part import Options, Part
from ichscan.pages.section import Cell, Grid, Section

COLUMNS = ("level", "AUC (95 %)", "found", "sensitivity (95 %)", "left alone", "specificity (95 %)")


def part(evaluation: Evaluation, options: Options) -> Part:
    """Taken from the measures that were made before; empty without them."""
    measures = next((one.facts for one in options.made if one.key == "measures"), None)
    if measures is None:
        return Part("summary", {}, ())
    found = {level: measures[level]["labels"]["any"] for level in LEVELS}
    sentences = tuple(_sentence(level, found[level]) for level in ("patients", "slices"))
    warnings = tuple(f"Warning: {warning}" for warning in evaluation.data["warnings"])
    told = (f"Thresholds: {evaluation.chosen_on}.",) if "tp" in found["slices"] or "tp" in found["patients"] else ()
    rows = tuple(_row(level, found[level]) for level in LEVELS)
    grid = Grid("summary", "Hemorrhage of any type", COLUMNS, rows)
    section = Section("summary", "In short", "Details below", (*warnings, *sentences, *told), (grid,))
    return Part("summary", {"sentences": list(sentences)}, (section,))


def _sentence(level: str, facts: Mapping[str, Any]) -> str:
    """What became of the rows of a level at its threshold."""
    with_it, without = facts["positives"], facts["negatives"]
    if "tp" not in facts:
        return f"{with_it:,} {level} with hemorrhage, {without:,} without; no threshold, so no decisions."
    return (
        f"Of {with_it:,} {level} with hemorrhage {facts['tp']:,} are found and {facts['fn']:,} missed; "
        f"of {without:,} without, {facts['fp']:,} are falsely alarmed."
    )


def _row(level: str, facts: Mapping[str, Any]) -> tuple[Cell, ...]:
    decided = "tp" in facts
    return (
        level,
        text(facts["auc"]),
        f"{facts['tp']:,} of {facts['positives']:,}" if decided else None,
        text(facts["sensitivity"]) if decided else None,
        f"{facts['tn']:,} of {facts['negatives']:,}" if decided else None,
        text(facts["specificity"]) if decided else None,
    )
