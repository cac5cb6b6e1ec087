"""What other thresholds would give: chosen by stated rules, measured on patients they were not chosen on."""

from typing import Any, Final

from ichscan.evaluate.cases import LEVELS, Binary, Cases, Evaluation
from ichscan.evaluate.decisions import decisions_at
from ichscan.evaluate.estimate import NOT_ESTIMABLE, text
from ichscan.evaluate.groups import cross_groups
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.thresholds import choose, cross_fitted, is_test
from ichscan.labels import LABELS
from ichscan.pages.section import Cell, Grid, Section

KEY: Final = "operating_points"
CHOICES: Final[tuple[tuple[str, float | None, str], ...]] = (
    ("mean_f1_curve", None, "highest mean F1 of the folds"),
    ("youden", None, "Youden"),
    ("sensitivity", 0.95, "sensitivity at least 0.95"),
    ("sensitivity", 0.9, "sensitivity at least 0.9"),
    ("specificity", 0.9, "specificity at least 0.9"),
    ("cost", 5.0, "a miss costs 5 false alarms"),
)
"""Rule, parameter, and what it is called."""
SOURCE: Final = "Hoseyni et al. 2024 (mean F1 curve), Youden 1950, Metz 1978 (costs)"


def part(evaluation: Evaluation, options: Options) -> Part:
    """Tables of every level; facts: level -> label -> list of points, each with its cross-fitted decisions.

    On the test part nothing is chosen.
    """
    where = str(evaluation.data.get("part", ""))
    if is_test(where):
        note = "These rows are the test part: no threshold is chosen here. Choose on validation predictions."
        return Part(KEY, {"refused": note}, (Section(KEY, "Operating points", SOURCE, (note,)),))
    facts = {level: _level(evaluation.level(level), where, options.seed) for level in LEVELS}
    notes = (
        "Each threshold is chosen on all rows of this set. Sensitivity, specificity and the rest are measured on "
        "patients that had no say in it: the threshold is chosen on the other folds, or on the other fifths of the "
        "patients where there are no folds.",
        "A threshold asked to keep a sensitivity keeps it on the rows it was chosen on, not on new patients.",
    )
    grids = tuple(_grid(level, facts[level]) for level in evaluation.shown_levels)
    return Part(KEY, facts, (Section(KEY, "Operating points", SOURCE, notes, grids),))


def _level(cases: Cases, where: str, seed: int) -> dict[str, Any]:
    return {name: _label(cases.label(c), where, seed) for c, name in enumerate(LABELS)}


def _label(binary: Binary, where: str, seed: int) -> list[dict[str, Any]] | str:
    if not binary.estimable:
        return NOT_ESTIMABLE
    groups = cross_groups(binary, seed)
    found = []
    for rule, parameter, name in CHOICES:
        point = choose(binary, rule, parameter, part=where, chosen_on=where or "the rows of this evaluation")
        decided = cross_fitted(binary.p, binary.y, groups, rule, parameter)
        found.append({"name": name, **point.facts(), "cross_fitted": decisions_at(binary, decided)})
    return found


def _grid(level: str, facts: dict[str, Any]) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for label, points in facts.items():
        if isinstance(points, str):
            rows.append((label, points, *([""] * 6)))
            continue
        for point in points:
            measured = point["cross_fitted"]
            cells = (text(measured[key]) for key in ("sensitivity", "specificity", "ppv", "npv", "f1"))
            rows.append((label, point["name"], f"{point['threshold']:.3f}", *cells))
    columns = (
        "label",
        "rule",
        "threshold",
        "sensitivity (95 %)",
        "specificity (95 %)",
        "PPV (95 %)",
        "NPV (95 %)",
        "F1 (95 %)",
    )
    return Grid(f"operating_points_{level}", f"{level.capitalize()}, cross-fitted", columns, tuple(rows))
