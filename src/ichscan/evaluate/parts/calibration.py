"""Do the probabilities keep their word, as they are and after recalibration on other patients?"""

from typing import Any, Final

import numpy as np

from ichscan.evaluate.calibration import METHODS, cross_fit
from ichscan.evaluate.cases import LEVELS, Binary, Cases, Evaluation
from ichscan.evaluate.estimate import NOT_ESTIMABLE, estimate, text
from ichscan.evaluate.groups import cross_groups
from ichscan.evaluate.metrics import log_losses, squared_errors
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.reliability import expected_calibration_error, recalibration
from ichscan.labels import LABELS
from ichscan.pages.section import Cell, Grid, Section
from ichscan.types import Float64

KEY: Final = "calibration"
SOURCE: Final = (
    "Cox 1958 (slope, intercept; intervals from the variance between patients), Naeini et al. 2015 and Nguyen & "
    "O'Connor 2015 (calibration error, 10 bins of equal width or count), Guo et al. 2017, Platt 1999, Zadrozny & Elkan "
    "2002 (temperature, Platt, isotonic)"
)
BEFORE: Final = "as predicted"


def part(evaluation: Evaluation, options: Options) -> Part:
    """Tables of every level; facts: level -> label -> method -> measures."""
    facts = {level: _level(evaluation.level(level), options.seed) for level in LEVELS}
    notes = (
        "A slope below 1 means that probabilities are too extreme; an intercept above 0 that they are too low on the "
        "whole. Calibration errors are above 0 by chance alone, the more the fewer rows there are.",
        "After = fitted on the other folds, or on the other fifths of the patients where there are no folds, and "
        "measured on patients that had no say in it.",
    )
    grids = tuple(_grid(level, facts[level]) for level in evaluation.shown_levels)
    return Part(KEY, facts, (Section(KEY, "Calibration", SOURCE, notes, grids),))


def _level(cases: Cases, seed: int) -> dict[str, Any]:
    return {name: _label(cases.label(c), seed) for c, name in enumerate(LABELS)}


def _label(binary: Binary, seed: int) -> dict[str, Any] | str:
    if not binary.estimable:
        return NOT_ESTIMABLE
    groups = cross_groups(binary, seed)
    found = {BEFORE: calibration_facts(binary, binary.p)}
    for method in METHODS:
        found[method] = calibration_facts(binary, cross_fit(method, binary.p, binary.y, groups))
    return found


def calibration_facts(binary: Binary, p: Float64) -> dict[str, Any]:
    """Measures of probabilities p, float64 (n,), for the rows of `binary`, which has both classes."""
    fitted = recalibration(p, binary.y, binary.patients)
    return {
        "brier": float(squared_errors(p, binary.y).mean()),
        "log_loss": float(log_losses(p, binary.y).mean()),
        "ece": expected_calibration_error(p, binary.y, adaptive=False),
        "ece_adaptive": expected_calibration_error(p, binary.y, adaptive=True),
        "observed": float(np.mean(binary.y)),
        "expected": float(np.mean(p)),
        **{
            name: estimate(value[0], value[1:])
            for name, value in (
                ("slope", fitted.slope),
                ("intercept", fitted.intercept),
                ("in_the_large", fitted.in_the_large),
            )
        },
    }


def _grid(level: str, facts: dict[str, Any]) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    names = ("observed", "expected", "ece", "ece_adaptive", "brier", "log_loss", "slope", "intercept", "in_the_large")
    for label, found in facts.items():
        if isinstance(found, str):
            rows.append((label, found, *([""] * len(names))))
            continue
        rows.extend((label, method, *(text(values[name]) for name in names)) for method, values in found.items())
    columns: tuple[str, ...] = (
        "label",
        "probabilities",
        "observed share",
        "mean probability",
        "ECE, equal width",
        "ECE, equal count",
    )
    columns += ("Brier score", "log loss", "slope (95 %)", "intercept (95 %)", "in the large (95 %)")
    return Grid(f"calibration_{level}", f"{level.capitalize()}", columns, tuple(rows))
