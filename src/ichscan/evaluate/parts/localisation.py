"""Do the maps point at the lesion? And, if asked for, the sheet on which readers grade them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.errors import InputError
from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.grading import write_grading
from ichscan.evaluate.localisation import OVERLAPS, TOLERANCE, Scored
from ichscan.evaluate.localisation_summary import (
    ROW,
    Row,
    difference,
    read_rows,
    rows_of,
    summarise,
    summarise_boxes,
    summarise_outside,
)
from ichscan.evaluate.localise import KINDS, boxed_series, localise
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.sources.run_folder import read_json
from ichscan.labels import ANY, LABELS
from ichscan.model.bundle import load_bundle
from ichscan.pages.section import Cell, Grid, Section

if TYPE_CHECKING:
    from ichscan.datasets.store import SliceStore

KEY: Final = "localisation"
TITLE: Final = "Where the model looks"
SOURCE: Final = (
    "Pointing game: Zhang et al., Int J Comput Vis 2018; 126: 1084-1102. Boxes found: Wang et al., CVPR 2017, section "
    "4.2. Energy inside: Wang et al., CVPR workshops 2020."
)
FILE: Final = "localisation.csv"
"""Of a run: scores of maps out of fold, see benchmarks/localisation.py."""


def part(evaluation: Evaluation, options: Options) -> Part:
    """Scores the model's maps against the lesion boxes of the store; says so where there is nothing to score."""
    notes: list[str] = []
    rows, outside, source = _rows(options)
    grids: tuple[Grid, ...] = ()
    facts: dict[str, Any] = {"maps": source, "summary": "not estimable"}
    if rows:
        summary = summarise(rows, options.draws, options.seed)
        boxes = summarise_boxes(rows)
        facts |= {"summary": summary, "boxes": boxes, "outside": outside}
        grids = (_by_label(summary), _by_size(summary), _overlap(summary), _boxes(boxes), _outside(outside))
        notes += [source, *_notes(rows, options)]
    else:
        notes.append(f"Not estimable: {source}")
    if options.grading and options.store is not None and options.bundle is not None:
        count = write_grading(evaluation, options)
        facts["grading"] = {"file": "grading.html", "pictures": count}
        notes.append(f"grading.html beside this report holds {count} heat maps to be graded by readers.")
    return Part(KEY, facts, (Section(KEY, TITLE, SOURCE, tuple(notes), grids),))


def _rows(options: Options) -> tuple[list[Row], dict[str, Any], str]:
    """Scores, activation outside the head, and where they come from, or why there are none."""
    if options.run is not None and (options.run / FILE).is_file():
        path = options.run / FILE
        beside = path.with_suffix(".json")
        outside = read_json(beside).get("outside", {}) if beside.is_file() else {}
        return read_rows(path), outside, "Maps of networks that had not seen the patient (out of fold)."
    if options.store is None or len(options.store.boxes) == 0:
        return [], {}, "the data hold no lesion boxes."
    if options.bundle is None:
        return [], {}, "there is no model bundle whose maps could be scored."
    scored, scans, failed = _score(options.bundle, options.store)
    left_out = f" {failed} scans could not be analysed and are left out." if failed else ""
    return (
        rows_of(scored),
        summarise_outside(scans),
        (f"Maps of the bundle {options.bundle.name}. If it was trained on these patients, this flatters it.{left_out}"),
    )


def _score(
    folder: Path, store: "SliceStore"
) -> tuple[list[Scored], list[tuple[str, dict[str, tuple[float, float]]]], int]:
    """Scores, activation by patient, and how many scans could not be analysed."""
    bundle = load_bundle(folder)
    scored: list[Scored] = []
    scans = []
    failed = 0
    for series in boxed_series(store):
        try:
            found = localise(store, series, bundle)
        except InputError:  # counted, and named where its prediction is missing
            failed += 1
            continue
        scored += found.scored
        scans.append((series.patient, found.outside))
    return scored, scans, failed


def _notes(rows: list[Row], options: Options) -> list[str]:
    notes = [
        f"A hit: the map's maximum lies in a lesion box of the label, or within {TOLERANCE:g} pixels of one. By "
        "chance: the boxes' share of the inside of the head. Intervals (95 %) count patients. Areas are "
        "those of boxes, which are larger than the lesions in them.",
        "Overlap is that of the map's part above a share of its maximum, a share chosen on other patients. A box is "
        "marked when the maximum of a connected part lies in it, found when the part's bounding box overlaps it.",
    ]
    present = [kind for kind in KINDS if any(row[ROW.index("maps")] == kind for row in rows)]
    for new, old in zip(present[1:], present, strict=False):
        value, low, high = difference(rows, new, old, draws=options.draws, seed=options.seed)
        notes.append(
            f"{new.capitalize()} against {old}: {100 * value:+.1f} points of hits for any hemorrhage "
            f"({100 * low:+.1f} to {100 * high:+.1f})."
        )
    return notes


def _told(entry: dict[str, Any]) -> bool:
    """On the page; the JSON holds all. Of baselines, such as random weights, any hemorrhage says enough."""
    return entry["maps"] in KINDS or entry["label"] == LABELS[ANY]


def _by_label(summary: list[dict[str, Any]]) -> Grid:
    columns = ("maps", "label", "slices", "patients", "hits (95 %)", f"hits within {TOLERANCE:g} px (95 %)",
               "by chance", "energy inside (95 %)")  # fmt: skip
    cells = tuple(
        (s["maps"], s["label"], s["slices"], s["patients"], _text(s["hit"]), _text(s[f"hit_{TOLERANCE:g}px"]),
         f"{s['chance'][0]:.3f}", _text(s["energy"]))
        for s in summary if s["size"] == "all" and _told(s)
    )  # fmt: skip
    return Grid("pointing", "Pointing game, per label", columns, cells)


def _by_size(summary: list[dict[str, Any]]) -> Grid:
    columns = ("maps", "lesion boxes in the slice", "slices", "patients", "hits (95 %)",
               f"hits within {TOLERANCE:g} px (95 %)", "by chance", "energy inside (95 %)")  # fmt: skip
    cells: list[tuple[Cell, ...]] = [
        (s["maps"], s["size"], s["slices"], s["patients"], _text(s["hit"]), _text(s[f"hit_{TOLERANCE:g}px"]),
         f"{s['chance'][0]:.3f}", _text(s["energy"]))
        for s in summary if s["size"] != "all"
    ]  # fmt: skip
    return Grid("pointing-size", f"Pointing game for {LABELS[ANY]}, by area", columns, tuple(cells))


def _overlap(summary: list[dict[str, Any]]) -> Grid:
    columns = ("maps", "label", "slices", "intersection over union (95 %)", "Dice (95 %)")  # fmt: skip
    cells = tuple(
        (s["maps"], s["label"], s["slices"], _text(s["iou"]), _text(s["dice"]))
        for s in summary if s["size"] == "all" and _told(s)
    )  # fmt: skip
    return Grid("overlap", "Overlap with boxes", columns, cells)


def _boxes(boxes: list[dict[str, Any]]) -> Grid:
    columns = ("maps", "label", "area of the box", "boxes", "patients", "marked (95 %)",
               *(f"found at IoU {o:g} (95 %)" for o in OVERLAPS))  # fmt: skip
    cells = tuple(
        (b["maps"], b["label"], b["size"], b["boxes"], b["patients"], _text(b["marked"]),
         *(_text(b[f"found_{o:g}"]) for o in OVERLAPS))
        for b in boxes if _told(b)
    )  # fmt: skip
    return Grid("boxes", "Boxes found, one by one", columns, cells)


def _outside(outside: dict[str, Any]) -> Grid:
    columns = ("maps", "scans", "all activation, share", "median scan, share", "90th percentile, share")
    cells = tuple(
        (kind, o["scans"], *(round(o[name], 3) for name in ("all", "median scan", "90th percentile")))
        for kind, o in outside.items()
    )
    title = "Positive activation for any hemorrhage outside the skull, before maps are kept inside"
    return Grid("outside", title, columns, cells)


def _text(values: tuple[float, ...]) -> str:
    if values[0] != values[0]:
        return "not estimable"
    value = f"{values[0]:.2f}"
    return value if len(values) < 3 else f"{value} ({values[1]:.2f} to {values[2]:.2f})"
