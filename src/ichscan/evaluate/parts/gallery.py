"""Errors to look at: the slices that the model gets most confidently wrong, and the scans that it misses."""

from typing import Any, Final

import numpy as np

from ichscan.evaluate.cases import UNKNOWN, Cases, Evaluation
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.slice_picture import slice_picture, slice_rows
from ichscan.evaluate.wrong import HALF, decided, shortened_id, spread_over_patients
from ichscan.labels import ANY, LABELS, TYPES
from ichscan.pages.section import Grid, Picture, Section

KEY: Final = "gallery"
SOURCE: Final = "Brain window, 0 to 80 HU (Burduja et al. 2020, section 3); orange: boxes of the data set"
SLICES: Final = 12
"""Of each kind."""
EACH: Final = 3
"""Slices of one patient."""
SCANS: Final = 12
KINDS: Final = (("missed", "Slices missed"), ("false alarm", "Slices alarmed without hemorrhage"))


def part(evaluation: Evaluation, options: Options) -> Part:
    """Pictures of the most confident errors of slices, and the missed scans by their most suspicious true slice."""
    facts: dict[str, Any] = {}
    sections = []
    found = decided(evaluation.slices)
    for kind, title in KINDS:
        rows = spread_over_patients(evaluation.slices, found[kind], SLICES, EACH)
        facts[kind] = {"slices": len(found[kind]), "shown": [_fact(evaluation.slices, row) for row in rows]}
        sections.append(_slices(evaluation, options, kind, title, rows, len(found[kind])))
    missed = [int(row) for row in decided(evaluation.scans)["missed"]]
    facts["missed scans"] = [_fact(evaluation.scans, row) for row in missed]
    sections.append(_scans(evaluation, options, missed))
    return Part(KEY, facts, tuple(sections))


def _slices(evaluation: Evaluation, options: Options, kind: str, title: str, rows: list[int], total: int) -> Section:
    cases = evaluation.slices
    key = f"{KEY}-{kind.replace(' ', '-')}"
    if not total:
        return Section(key, title, SOURCE, ("None.",))
    edge = "lowest" if kind == "missed" else "highest"
    notes = [
        f"{len(rows)} of {total:,}: those of {edge} probability, at most {EACH} of a patient. {_threshold(cases)}",
        "Some may be errors of the label: look before you blame the model.",
    ]
    pictures = _pictures(evaluation, options, key, rows)
    grids = () if pictures else (_table(cases, key, rows),)
    return Section(key, title, SOURCE, (*notes, *_without(options, pictures)), grids, (), pictures)


def _scans(evaluation: Evaluation, options: Options, missed: list[int]) -> Section:
    key, title = f"{KEY}-scans", "Scans missed"
    cases = evaluation.scans
    if not missed:
        return Section(key, title, SOURCE, ("None.",))
    shown = missed[:SCANS]
    best = [row for row in (_best_slice(evaluation, scan) for scan in shown) if row is not None]
    pictures = _pictures(evaluation, options, key, best)
    notes = [f"{len(missed):,} of {int((cases.y[:, ANY] == 1).sum()):,} positive scans. {_threshold(cases)}"]
    if pictures:
        notes.append("Of each, the slice with hemorrhage that has the highest probability.")
    return Section(
        key, title, SOURCE, (*notes, *_without(options, pictures)), (_table(cases, key, missed),), (), pictures
    )


def _best_slice(evaluation: Evaluation, scan: int) -> int | None:
    slices = evaluation.slices
    rows = np.flatnonzero(evaluation.scan_of_slice == scan)
    rows = rows[(slices.y[rows, ANY] == 1) & ~np.isnan(slices.p[rows, ANY])]
    return int(rows[slices.p[rows, ANY].argmax()]) if len(rows) else None


def _pictures(evaluation: Evaluation, options: Options, key: str, rows: list[int]) -> tuple[Picture, ...]:
    """Of rows of slices; none without images."""
    if options.store is None or not rows:
        return ()
    cases = evaluation.slices
    places = slice_rows(options.store, [str(cases.ids[row]) for row in rows])
    return tuple(
        Picture(
            f"{key}-{k}", _caption(cases, row), slice_picture(options.store, place),
            f"Axial slice {shortened_id(str(cases.ids[row]))} in the brain window; truth: {_truth(cases, row)}",
        )
        for k, (row, place) in enumerate(zip(rows, places, strict=True))
        if place is not None
    )  # fmt: skip


def _without(options: Options, pictures: tuple[Picture, ...]) -> tuple[str, ...]:
    if pictures:
        return ()
    why = "no images were given" if options.store is None else "the images given do not hold these slices"
    return (f"Without pictures: {why}.",)


def _caption(cases: Cases, row: int) -> str:
    return f"{shortened_id(str(cases.ids[row]))}: {cases.p[row, ANY]:.3f}; truth: {_truth(cases, row)}"


def _truth(cases: Cases, row: int) -> str:
    """Types that are there, or "no hemorrhage"."""
    present = [label for c, label in enumerate(TYPES) if cases.y[row, c] == 1]
    if present:
        return ", ".join(present)
    if cases.y[row, ANY] == 1:
        return "hemorrhage, type not known" if (cases.y[row] == UNKNOWN).any() else "hemorrhage"
    return "no hemorrhage"


def _guess(cases: Cases, row: int) -> str:
    """The type with the highest probability."""
    p = cases.p[row, : len(TYPES)]
    return "" if np.isnan(p).all() else f"{TYPES[int(np.nanargmax(p))]} {np.nanmax(p):.3f}"


def _table(cases: Cases, key: str, rows: list[int]) -> Grid:
    entries = tuple(
        (shortened_id(str(cases.ids[row])), round(float(cases.p[row, ANY]), 3), _guess(cases, row), _truth(cases, row))
        for row in rows
    )
    return Grid(key, cases.level.capitalize(), ("id", LABELS[ANY], "most probable type", "truth"), entries)


def _threshold(cases: Cases) -> str:
    threshold = float(cases.thresholds[ANY])
    if np.isnan(threshold):
        return f"No threshold is known: {HALF:g} stands in for it."
    return f"Threshold: {threshold:.3g}."


def _fact(cases: Cases, row: int) -> dict[str, Any]:
    return {"id": str(cases.ids[row]), "probability": float(cases.p[row, ANY]), "truth": _truth(cases, row)}
