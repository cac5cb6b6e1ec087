"""From a source of predictions and labels to the evidence: evaluation.json, report.html, tables/*.csv.

The same input gives the same bytes.
"""

import csv
import importlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from ichscan import __version__
from ichscan.datasets.arrow import write_whole
from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import OutputError, UsageError
from ichscan.evaluate.align import OWN, align
from ichscan.evaluate.cases import LEVELS, Evaluation
from ichscan.evaluate.data_parts import counted, parts_of
from ichscan.evaluate.operating import (
    Points,
    Rule,
    choose_all,
    chosen_here,
    read_points,
    with_thresholds,
    write_bundle,
)
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.sources.bundle import Bar
from ichscan.evaluate.sources.open import open_source
from ichscan.evaluate.sources.run_folder import CSV, is_run
from ichscan.evaluate.truth import Truth, relabelled, truth_of_store, truth_of_table
from ichscan.labels import ANY, LABELS
from ichscan.model.bundle import bundle_folder
from ichscan.model.spec import SPEC_FILE
from ichscan.pages.document import dumps, sections_of
from ichscan.pages.page import to_html
from ichscan.pages.section import Grid, Section

SCHEMA: Final = "ichscan.evaluation/1"
PARTS: Final = (
    "inputs", "measures", "operating_points", "calibration", "not_sure", "figures", "along_scan", "subgroups",
    "comparison", "readers", "localisation", "gallery", "label_audit", "training", "triage", "checklists", "summary",
)  # fmt: skip
"""Modules of `ichscan.evaluate.parts`, in the order of the report; the summary, made of the others, goes first."""
FOOTER: Final = (
    "Names slices and scans by the identifiers of the data set, and shows images of it: treat this report as you treat "
    "the data. ichscan is an assistant, not a medical device."
)
CHOSEN_HERE: Final = (
    "The thresholds were chosen on these very patients: the rates of decisions are flattered; on new patients expect "
    "less at them."
)


@dataclass(frozen=True, slots=True)
class Request:
    """What to evaluate, and on what.

    Attributes:
        source: bundle, run or table, see `ichscan.evaluate.sources.open`.
        data: store with the labels and images; None when `labels` is given.
        labels: table of labels, instead of those of the store.
        part: of a run: validation or test; of a bundle or table: value of the store's column part.
        scans: table of predictions of scans, beside a table of slices.
        thresholds: evaluation.json or spec.json whose thresholds apply.
        rule: chooses thresholds on this very data; None = does not.
        write_bundle: folder for a copy of the bundle with the chosen thresholds.
        compare: second source on the same data.
        allow_missing: go on when ids have no partner.
    """

    source: str
    data: Path | None = None
    labels: Path | None = None
    part: str = ""
    scans: Path | None = None
    thresholds: Path | None = None
    rule: Rule | None = None
    write_bundle: Path | None = None
    compare: str = ""
    allow_missing: bool = False


def evaluate(
    request: Request, options: Options, tell: Callable[[str], None] = lambda _: None, bar: Bar = lambda *_: None
) -> Path:
    """Writes the evidence into `options.out`. Returns the path of report.html.

    Args:
        request: what to evaluate.
        options: of the report; its store, run, bundle, other and rule are filled in here.
        tell: is told one line per step.
        bar: is told the slices that a bundle has predicted.

    Raises:
        UsageError: options that contradict each other.
        BundleError, DataError, MissingExtraError: the source or the data cannot be used.
        OutputError: the folder cannot be written.
    """
    _check(request)
    store = open_store(request.data) if request.data is not None else None
    truth = _truth(request, store)
    _make(options.out)
    evaluation = _open(request.source, request, truth, store, options.out / "predictions", bar)
    evaluation, points = _operating(evaluation, request)
    run, bundle = _folders(request.source)
    options = replace(options, store=store, run=run, bundle=bundle, rule=str(request.rule or ""))
    if options.grading and (store is None or bundle is None):
        raise UsageError("--grading needs images and a model: give --data STORE, and a bundle or a run that made one")
    if request.compare:
        tell(f"predictions to compare with: {Path(request.compare).name}")
        other = _open(request.compare, replace(request, scans=None), truth, store, options.out / "other", bar)
        other, _ = _operating(other, replace(request, thresholds=None))
        options = replace(options, other=other)
    for warning in evaluation.data["warnings"]:
        tell(f"warning: {warning}")
    if request.write_bundle is not None:
        _write_bundle(request, evaluation, points, bundle)
    return write_evidence(evaluation, options, points, tell)


def write_evidence(
    evaluation: Evaluation, options: Options, points: Points | None = None, tell: Callable[[str], None] = lambda _: None
) -> Path:
    """Makes all parts and writes them; returns the path of report.html. Raises OutputError."""
    parts: list[Part] = []
    for name in PARTS:
        tell(name.replace("_", " "))
        module = importlib.import_module(f"ichscan.evaluate.parts.{name}")
        parts.append(module.part(evaluation, replace(options, made=tuple(parts))))
    parts.sort(key=lambda part: part.key != "summary")
    sections = [section for part in parts for section in part.sections]
    head = _head(evaluation, options, points or {})
    facts = {part.key: part.facts for part in parts}
    tell("report")
    page = _page(evaluation, head, parts)
    try:
        (options.out / "tables").mkdir(parents=True, exist_ok=True)
        for section in sections:
            for grid in section.grids:
                write_whole(options.out / "tables" / f"{table_name(section, grid)}.csv", _csv(grid))
        document = {"schema": SCHEMA, **head, "parts": facts, "sections": sections_of(sections)}
        write_whole(options.out / "evaluation.json", dumps(document).encode("utf-8"))
        write_whole(options.out / "report.html", page.encode("utf-8"))
    except OSError as error:
        raise OutputError(
            f"{options.out}: the report cannot be written ({error.strerror}); choose another folder"
        ) from error
    return options.out / "report.html"


def table_name(section: Section, grid: Grid) -> str:
    """Name of a table's file, without the same word twice."""
    return grid.key if grid.key.startswith(section.key) else f"{section.key}-{grid.key}"


def _check(request: Request) -> None:
    if request.rule is not None and request.thresholds is not None:
        raise UsageError("--choose and --thresholds: choose thresholds here, or take those of elsewhere; not both")
    if request.write_bundle is not None and request.rule is None:
        raise UsageError("--write-bundle: only together with --choose, which gives the thresholds to write")


def _truth(request: Request, store: SliceStore | None) -> Truth:
    """Labels of the data."""
    if store is not None:
        truth = truth_of_store(store)
        return truth if request.labels is None else relabelled(truth, request.labels)
    if request.labels is None:
        raise UsageError("expected labels: --data with a store, or --labels with a table")
    return truth_of_table(request.labels)


def _open(source: str, request: Request, truth: Truth, store: SliceStore | None, out: Path, bar: Bar) -> Evaluation:
    rows = None if is_run(Path(source)) else counted(truth, request.part, store, request.labels)
    chosen = truth if rows is None else truth.where(rows)
    found = open_source(source, chosen, store, out, part=request.part, scans=request.scans, bar=bar)
    evaluation = align(truth, found, request.allow_missing, rows)
    part = str(found.about.get("part", request.part)) or parts_of(evaluation, store, request.labels)
    return replace(evaluation, data={**evaluation.data, "part": part})


def _operating(evaluation: Evaluation, request: Request) -> tuple[Evaluation, Points]:
    if request.rule is not None:
        return choose_all(evaluation, request.rule, str(evaluation.data["part"]))
    if request.thresholds is not None:
        cuts, said = read_points(request.thresholds, bool(evaluation.source.get("calibrated", True)))
        evaluation = with_thresholds(evaluation, cuts, said)
    if chosen_here(evaluation.chosen_on, evaluation.data):
        data = {**evaluation.data, "warnings": [*evaluation.data["warnings"], CHOSEN_HERE]}
        evaluation = replace(evaluation, data=data)
    return evaluation, {}


def _folders(source: str) -> tuple[Path | None, Path | None]:
    """The run's folder and the bundle's, where there are such."""
    path = bundle_folder(Path(source))
    if (path / SPEC_FILE).is_file():
        return None, path
    if is_run(path):
        return path, path / "bundle" if (path / "bundle" / SPEC_FILE).is_file() else None
    beside = path.parent / "bundle"
    return None, beside if path.name == CSV and (beside / SPEC_FILE).is_file() else None


def _write_bundle(request: Request, evaluation: Evaluation, points: Points, bundle: Path | None) -> None:
    if request.rule is None or request.write_bundle is None:
        return
    if bundle is None:
        raise UsageError("--write-bundle: the source is neither a bundle nor a run that made one")
    own = evaluation.data["scan_probability"] == OWN
    levels = ("slices", "scans") if own else ("slices",)
    scale = bool(evaluation.source.get("calibrated", True))
    write_bundle(bundle, request.write_bundle, points, levels, request.rule, scale)


def _head(evaluation: Evaluation, options: Options, points: Points) -> dict[str, Any]:
    thresholds: dict[str, Any] = {"rule": options.rule, "chosen_on": evaluation.chosen_on}
    for level in LEVELS:
        cuts = evaluation.level(level).thresholds
        thresholds[level] = {label: float(cuts[c]) for c, label in enumerate(LABELS)}
    if points:
        thresholds["points"] = {k: {label: p.facts() for label, p in v.items()} for k, v in points.items()}
    data = dict(evaluation.data)
    return {
        "ichscan": __version__,
        "source": dict(evaluation.source),
        "data": data,
        "warnings": data.pop("warnings"),
        "thresholds": thresholds,
        "settings": {"draws": options.draws, "seed": options.seed, "prevalence": options.prevalence},
    }


def _page(evaluation: Evaluation, head: Mapping[str, Any], parts: Sequence[Part]) -> str:
    source, data = evaluation.source, evaluation.data
    name = " ".join(str(source[key]) for key in ("name", "version") if source.get(key)) or str(source["path"])
    part = f", part {source['part']}" if source.get("part") else ""
    digests = [f"ichscan {head['ichscan']}", f"data set {str(data.get('digest', ''))[:16]}"]
    if source.get("sha256"):
        digests.append(f"model {str(source['sha256'])[:16]}")
    counts = {"patients": len(evaluation.patients), "scans": len(evaluation.scans), "slices": len(evaluation.slices)}
    for level in ("patients", "slices"):
        counts[f"{level} with hemorrhage"] = int((evaluation.level(level).y[:, ANY] == 1).sum())
    sections = [section for part in parts for section in part.sections]
    title = f"Evaluation of {name} on {data['kind']}{part}"
    return to_html(title, "; ".join(digests), counts, sections, FOOTER)


def _csv(grid: Grid) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(grid.columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in grid.rows)
    return text.getvalue().encode("utf-8")


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)  # before the work, so that a wrong folder is told at once
    except OSError as error:
        raise OutputError(f"{out}: the folder cannot be made ({error.strerror}); choose another") from error
