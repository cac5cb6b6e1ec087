"""How often the answer is "not sure: read first" when a stated share of the answers must hold the truth."""

from dataclasses import asdict
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import LEVELS, Binary, Cases, Evaluation
from ichscan.evaluate.conformal import coverage, cross_answers, fit_band
from ichscan.evaluate.estimate import NOT_ESTIMABLE, estimate, text
from ichscan.evaluate.groups import cross_groups
from ichscan.evaluate.intervals import clustered_wilson
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.resampling import numbered
from ichscan.labels import LABELS
from ichscan.pages.section import Cell, Grid, Section

KEY: Final = "not_sure"
COVERAGES: Final = (0.9, 0.95)
SOURCE: Final = (
    "Class-conditional split conformal prediction: Vovk, Gammerman & Shafer 2005; Sadinle, Lei & Wasserman 2019"
)


def part(evaluation: Evaluation, options: Options) -> Part:
    """Tables of every level; facts: level -> label -> list over the stated coverages."""
    facts = {level: _level(evaluation.level(level), options.seed) for level in LEVELS}
    notes = (
        "Positive is answered when only positive stays possible, negative when only negative does; otherwise a person "
        "reads first. Of the positives a stated share must keep positive among the possible answers, and of the "
        "negatives likewise.",
        "Calibrated on the other folds, or on the other fifths of the patients, and measured on patients that had no "
        "say in it. The promise is about patients drawn alike; for slices, which are alike within a patient, and for "
        "another hospital it is not given. A class with too few rows is never ruled out, so nearly all are not sure.",
    )
    grids = tuple(_grid(level, facts[level]) for level in evaluation.shown_levels)
    return Part(KEY, facts, (Section(KEY, "Not sure: read first", SOURCE, notes, grids),))


def _level(cases: Cases, seed: int) -> dict[str, Any]:
    return {name: _label(cases.label(c), seed) for c, name in enumerate(LABELS)}


def _label(binary: Binary, seed: int) -> list[dict[str, Any]] | str:
    if not binary.estimable:
        return NOT_ESTIMABLE
    groups = cross_groups(binary, seed)
    return [_covered(binary, groups, stated) for stated in COVERAGES]


def _covered(binary: Binary, groups: NDArray[np.int64], stated: float) -> dict[str, Any]:
    positive, negative = cross_answers(binary.p, binary.y, groups, 1 - stated)
    found = coverage(positive, negative, binary.y)
    band = fit_band(binary.p, binary.y, 1 - stated)
    truth, sure = binary.y == 1, positive != negative
    wrong = np.where(truth, negative, positive) & sure
    return {
        "stated": stated,
        "band": {"positive_from": band.low, "negative_to": band.high},
        **asdict(found),
        "coverage_positives": _rate(positive, truth, binary),
        "coverage_negatives": _rate(negative, ~truth, binary),
        "abstained": _rate(~sure, np.ones_like(truth), binary),
        "wrong_when_sure": _rate(wrong, sure, binary),
    }


def _rate(hit: NDArray[np.bool_], among: NDArray[np.bool_], binary: Binary) -> Any:
    index, _ = numbered(binary.patients)
    top, bottom = (np.bincount(index, rows).astype(np.float64) for rows in (hit & among, among))
    total = float(bottom.sum())
    return estimate(float(top.sum()) / total, clustered_wilson(top, bottom)) if total else NOT_ESTIMABLE


def _grid(level: str, facts: dict[str, Any]) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    names = ("coverage_positives", "coverage_negatives", "abstained", "wrong_when_sure")
    for label, found in facts.items():
        if isinstance(found, str):
            rows.append((label, found, *([""] * 6)))
            continue
        for one in found:
            band = one["band"]
            edges = (f"{band['positive_from']:.3f}", f"{band['negative_to']:.3f}")
            rows.append((label, f"{one['stated']:g}", *edges, *(text(one[name]) for name in names)))
    columns: tuple[str, ...] = (
        "label",
        "stated",
        "positive possible from",
        "negative possible up to",
        "coverage of positives (95 %)",
    )
    columns += ("coverage of negatives (95 %)", "not sure (95 %)", "wrong when sure (95 %)")
    return Grid(f"not_sure_{level}", level.capitalize(), columns, tuple(rows))
