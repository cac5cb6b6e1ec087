"""Labels to read again: where the model confidently disagrees with the label, ranked, with pictures."""

import csv
import io
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import write_whole
from ichscan.evaluate.audit_picture import audit_picture
from ichscan.evaluate.cases import Cases, Evaluation
from ichscan.evaluate.label_audit import KINDS, Finding, disagreements, findings, holes, in_turns
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.slice_picture import slice_rows
from ichscan.labels import ANY, LABELS
from ichscan.pages.section import Grid, Picture, Section

KEY: Final = "label_audit"
TITLE: Final = "Label audit: labels to read again"
SOURCE: Final = (
    "Confident disagreement: Northcutt, Jiang & Chuang, JAIR 2021; 70: 1373-1411. Order: weight of evidence, Good, "
    "Biometrika 1979; 66: 393-396. Use: Burduja et al. 2020, section 5."
)
FILE: Final = "label_audit.csv"
COLUMNS: Final = (
    "rank", "shown", "kind", "id", "series_uid", "slice", "first", "last", "labels", "given", "probability",
    "evidence_nats", "surprise_nats", "at_edge",
)  # fmt: skip
MEMORY: Final = (
    "These predictions are not out of fold. If the model learned from these very labels, it has learned their errors, "
    "too, and this list misses them."
)


def part(evaluation: Evaluation, options: Options) -> Part:
    """Ranks all disagreements into label_audit.csv and shows `options.audit` of them."""
    cases, scans, by_slice = _cases(evaluation)
    found = findings(cases, scans)
    shown = in_turns(found, options.audit)
    rows = [_row(evaluation, cases, scans, by_slice, f, n, f in shown) for n, f in enumerate(found, 1)]
    write_whole(options.out / FILE, _csv(rows))
    gaps = holes(cases, scans) if by_slice else np.empty(0, np.int64)
    thresholds = disagreements(cases).thresholds
    facts: dict[str, Any] = {
        "level": cases.level,
        "out_of_fold": bool((cases.fold >= 0).all()),
        "findings": {kind: sum(f.kind == kind for f in found) for kind in KINDS},
        "at_edge": sum(f.at_edge for f in found),
        "holes": [str(cases.ids[r]) for r in gaps],
        "thresholds": {label: list(map(_number, thresholds[c])) for c, label in enumerate(LABELS)},
        "shown": [dict(zip(COLUMNS, row, strict=True)) for row in rows if row[1]],
    }
    section = Section(
        KEY, TITLE, SOURCE, _notes(cases, found, shown, gaps), _grids(rows, cases, gaps), (),
        _pictures(evaluation, options, shown, [row for row in rows if row[1]]),
    )  # fmt: skip
    return Part(KEY, facts, (section,))


def _cases(evaluation: Evaluation) -> tuple[Cases, NDArray[np.int64], bool]:
    """Slices where they have labels, scans otherwise; the scan of each row; whether these are slices."""
    if evaluation.slices.label(ANY).estimable:
        return evaluation.slices, evaluation.scan_of_slice, True
    return evaluation.scans, np.arange(len(evaluation.scans)), False


def _row(
    evaluation: Evaluation, cases: Cases, scans: NDArray[np.int64], by_slice: bool, f: Finding, rank: int, shown: bool
) -> tuple[Any, ...]:
    """In the order of `COLUMNS`; slices count from 1, the most inferior."""
    scan = int(scans[f.peak])
    first = int(np.searchsorted(evaluation.scan_of_slice, scan)) if by_slice else 0
    places = [int(r) - first + 1 if by_slice else None for r in (f.peak, f.rows[0], f.rows[-1])]
    labels = ", ".join(LABELS[c] for c in f.labels)
    return (
        rank, int(shown), f.kind, str(cases.ids[f.peak]), str(evaluation.scans.ids[scan]), *places, labels,
        int(cases.y[f.peak, f.labels[0]]), round(f.probability, 4), round(f.evidence, 3), round(f.surprise, 3),
        int(f.at_edge),
    )  # fmt: skip


def _notes(cases: Cases, found: list[Finding], shown: list[Finding], gaps: NDArray[np.int64]) -> tuple[str, ...]:
    notes = []
    if not (cases.fold >= 0).all():
        notes.append(MEMORY)
    if not found:
        notes.append("No confident disagreement of model and labels.")
    else:
        counts = ", ".join(f"{sum(f.kind == k for f in found):,} {k}" for k in KINDS)
        notes.append(
            f"{len(found):,} findings ({counts}); {len(shown)} are shown, the kinds taking turns. Most will be errors "
            "of the model: it is a list to read again, not a list of wrong labels. All are in " + FILE + "."
        )
        notes.append(
            f"Neighbouring {cases.level} that the model doubts in the same way are one finding, shown at its most "
            f"doubtful. {sum(f.at_edge for f in found)} findings of one or two slices beside a labelled one, where "
            "only the extent is in question, come after the others."
        )
    if len(gaps):
        notes.append(
            f"{len(gaps)} slices without hemorrhage lie between two labelled neighbours: suspicious whatever the model "
            "says."
        )
    return tuple(notes)


def _grids(rows: list[tuple[Any, ...]], cases: Cases, gaps: NDArray[np.int64]) -> tuple[Grid, ...]:
    keep = [COLUMNS.index(c) for c in ("rank", "kind", "id", "first", "last", "labels", "given", "probability")]
    keep += [COLUMNS.index("evidence_nats")]
    columns = ("rank", "kind", cases.level[:-1], "first", "last", "label in doubt", "given", "probability", "evidence")
    table = Grid(f"{KEY}-shown", "Shown", columns, tuple(tuple(row[k] for k in keep) for row in rows if row[1]))
    if not len(gaps):
        return (table,)
    holes_found = tuple((str(cases.ids[r]), round(float(cases.p[r, ANY]), 3)) for r in gaps)
    title = "Unlabelled between two labelled neighbours"
    return table, Grid(f"{KEY}-holes", title, ("slice", "probability of any"), holes_found)


def _pictures(
    evaluation: Evaluation, options: Options, shown: Sequence[Finding], rows: list[tuple[Any, ...]]
) -> tuple[Picture, ...]:
    """Of the findings in the order of the list; of a scan its most suspicious slice. None without images."""
    if options.store is None or not shown:
        return ()
    _, _, by_slice = _cases(evaluation)
    ranked = sorted(shown, key=lambda f: (f.at_edge, -f.evidence))  # the order of `rows`
    slices = [f.peak if by_slice else suspicious_slice(evaluation, f.peak, f.labels[0]) for f in ranked]
    places = slice_rows(options.store, [str(evaluation.slices.ids[s]) for s in slices])
    pictures = []
    for row, place in zip(rows, places, strict=True):
        if place is None:
            continue
        one = dict(zip(COLUMNS, row, strict=True))
        given = f"{one['labels']}: label {one['given']}, probability {one['probability']:.2f}"
        pictures.append(
            Picture(
                f"{KEY}-{one['rank']}", f"{one['rank']}. {one['id']}, {one['kind']}. {given}",
                audit_picture(options.store, place), f"Axial slice {one['id']} in two windows; {given}",
            )
        )  # fmt: skip
    return tuple(pictures)


def suspicious_slice(evaluation: Evaluation, scan: int, label: int) -> int:
    """Row of the slice of a scan with the highest probability of a label."""
    rows = np.flatnonzero(evaluation.scan_of_slice == scan)
    return int(rows[np.argmax(np.nan_to_num(evaluation.slices.p[rows, label], nan=-1.0))])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _csv(rows: list[tuple[Any, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return text.getvalue().encode("utf-8")
