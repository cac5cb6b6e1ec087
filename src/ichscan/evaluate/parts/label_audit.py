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
from ichscan.evaluate.reader_audit import contradictions
from ichscan.evaluate.readers import human_reads
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
READERS_FILE: Final = "label_audit_readers.csv"
READERS_COLUMNS: Final = ("rank", "id", "label", "given", "against", "readers", "probability", "model_too")
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
    write_whole(options.out / FILE, csv_bytes(COLUMNS, rows))
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
    if options.readers is None:
        return Part(KEY, facts, (section,))
    by_readers, told = _readers(evaluation, options)
    return Part(KEY, facts | {"readers": told}, (section, by_readers))


def _readers(evaluation: Evaluation, options: Options) -> tuple[Section, dict[str, Any]]:
    """The labels that most readers contradict, into label_audit_readers.csv; `options.audit` of them are shown."""
    reads = human_reads(options.readers or options.out, evaluation)
    cases = evaluation.level(reads.level)
    found = contradictions(cases, reads)
    rows = [
        (
            n, str(cases.ids[f.row]), LABELS[f.label], f.given, f.against, f.told, _number(round(f.probability, 4)),
            int(f.model_too),
        )
        for n, f in enumerate(found, 1)
    ]  # fmt: skip
    write_whole(options.out / READERS_FILE, csv_bytes(READERS_COLUMNS, rows))
    shown = rows[: options.audit]
    notes = [
        f"{len(found):,} labels are contradicted by most of their readers, {sum(f.model_too for f in found):,} of them "
        f"by the model as well: these come first. All are in {READERS_FILE}."
    ]
    grid = Grid(f"{KEY}-readers", "Shown", READERS_COLUMNS, tuple(shown))
    slices = [_slice_of(evaluation, reads.level, f.row, f.label) for f in found[: options.audit]]
    captions = [
        f"{row[0]}. {row[1]}, {row[2]}: label {row[3]}, {row[4]} of {row[5]} readers say the other" for row in shown
    ]
    pictures = _drawn(evaluation, options, slices, captions, f"{KEY}-readers")
    title = "Label audit: readers against labels"
    section = Section(
        f"{KEY}_readers", title, "Use: Burduja et al. 2020, section 5.", tuple(notes), (grid,), (), pictures
    )
    return section, {"contradicted": len(found), "by_the_model_too": sum(f.model_too for f in found)}


def _slice_of(evaluation: Evaluation, level: str, row: int, label: int) -> int:
    """The slice to show of a slice, scan or patient."""
    if level == "slices":
        return row
    scans = np.flatnonzero(evaluation.patient_of_scan == row) if level == "patients" else np.array([row])
    p = np.nan_to_num(evaluation.scans.p[scans, label], nan=-1.0)
    return suspicious_slice(evaluation, int(scans[np.argmax(p)]), label)


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
    _, _, by_slice = _cases(evaluation)
    ranked = sorted(shown, key=lambda f: (f.at_edge, -f.evidence))  # the order of `rows`
    slices = [f.peak if by_slice else suspicious_slice(evaluation, f.peak, f.labels[0]) for f in ranked]
    captions = []
    for row in rows:
        one = dict(zip(COLUMNS, row, strict=True))
        told = f"label {one['given']}, probability {one['probability']:.2f}"
        captions.append(f"{one['rank']}. {one['id']}, {one['kind']}. {one['labels']}: {told}")
    return _drawn(evaluation, options, slices, captions, KEY)


def _drawn(
    evaluation: Evaluation, options: Options, slices: Sequence[int], captions: Sequence[str], key: str
) -> tuple[Picture, ...]:
    """Pictures of rows of slices that the store has."""
    if options.store is None or not slices:
        return ()
    places = slice_rows(options.store, [str(evaluation.slices.ids[s]) for s in slices])
    return tuple(
        Picture(f"{key}-{n}", caption, audit_picture(options.store, place), f"Axial slice in two windows: {caption}")
        for n, (caption, place) in enumerate(zip(captions, places, strict=True), 1)
        if place is not None
    )


def suspicious_slice(evaluation: Evaluation, scan: int, label: int) -> int:
    """Row of the slice of a scan with the highest probability of a label."""
    rows = np.flatnonzero(evaluation.scan_of_slice == scan)
    return int(rows[np.argmax(np.nan_to_num(evaluation.slices.p[rows, label], nan=-1.0))])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def csv_bytes(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    """A table as CSV in UTF-8; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return text.getvalue().encode("utf-8")
