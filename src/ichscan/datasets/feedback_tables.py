"""The tables of an archive that `ichscan serve` exports: labels that people gave to results, and their provenance."""

import csv
import io
import json
import math
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from ichscan.datasets.collection import Problem
from ichscan.datasets.schema import UNKNOWN
from ichscan.dicom.archive import ZIP_ERRORS
from ichscan.errors import DataError
from ichscan.labels import ANY, LABELS, TYPES

SCHEMA: Final = "ichscan.feedback/1"
MANIFEST: Final = "manifest.json"
SERIES: Final = "series.csv"
SLICES: Final = "slices.csv"
BOXES: Final = "boxes.csv"
PROBLEMS: Final = "problems.csv"
MAX_TABLE: Final = 512 << 20
Labels = tuple[int, ...]


@dataclass(slots=True)
class FeedbackTables:
    """What the archive says.

    Attributes:
        series: Series Instance UID -> six labels, 0, 1 or `UNKNOWN`.
        patients: Series Instance UID -> digest of the patient's identifier.
        agreement: Series Instance UID -> share of the labels of several readers on which they agree.
        slices: SOP Instance UID -> six labels.
        boxes: SOP Instance UID -> boxes as in `schema.BOX`, without `slice_id`.
        facts: provenance for the manifest: models, readers, digests of the tables.
        problems: what the export had to leave out, and rows that cannot be used.
    """

    series: dict[str, Labels] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)
    slices: dict[str, Labels] = field(default_factory=dict)
    boxes: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    facts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_feedback_tables(root: Path) -> FeedbackTables:
    """Reads the tables of an exported archive, or of the folder that it was unpacked to.

    Raises:
        DataError: no such export, broken, of another schema, or a table is absent.
    """
    manifest = _manifest(root)
    found = FeedbackTables(facts=manifest)
    for name, columns, take in (
        (SERIES, ("series_instance_uid", "patient", *LABELS), _take_series),
        (SLICES, ("sop_instance_uid", *LABELS), _take_slice),
        (BOXES, ("sop_instance_uid", "label", "x0", "y0", "x1", "y1", "reader"), _take_box),
        (PROBLEMS, ("kind", "where", "detail"), _take_problem),
    ):
        data = _read(root, name)
        found.facts[name.removesuffix(".csv")] = sha256(data).hexdigest()[:32]
        for line, row in _rows(root, name, data, columns):
            take(found, row, f"{name}, line {line}")
    return found


def _take_series(found: FeedbackTables, row: dict[str, str], where: str) -> None:
    uid = row["series_instance_uid"]
    labels = _labels(row, where, found.problems)
    if found.series.setdefault(uid, labels) != labels:
        found.series[uid] = (UNKNOWN,) * len(LABELS)
        found.problems.append(Problem("contradicting_label", where, f"{uid} is listed again with other labels"))
    found.patients[uid] = row["patient"]
    share = _number(row.get("agreement") or "")
    if share is not None and 0 <= share <= 1:
        found.agreement[uid] = share


def _take_slice(found: FeedbackTables, row: dict[str, str], where: str) -> None:
    uid = row["sop_instance_uid"]
    labels = _labels(row, where, found.problems)
    if found.slices.setdefault(uid, labels) != labels:
        found.slices[uid] = (UNKNOWN,) * len(LABELS)
        found.problems.append(Problem("contradicting_label", where, f"{uid} is listed again with other labels"))


def _take_box(found: FeedbackTables, row: dict[str, str], where: str) -> None:
    corners = {name: _number(row[name]) for name in ("x0", "y0", "x1", "y1")}
    x0, y0, x1, y1 = (corners[name] for name in ("x0", "y0", "x1", "y1"))
    if row["label"] not in LABELS or x0 is None or y0 is None or x1 is None or y1 is None or x0 >= x1 or y0 >= y1:
        found.problems.append(Problem("bad_label", where, "expected a label and a box in pixels, found something else"))
        return
    box = {"kind": row["label"], **corners, "reader": row["reader"]}
    boxes = found.boxes.setdefault(row["sop_instance_uid"], [])
    # Two readers draw the same lesion twice: those of the one who comes first count.
    if all(one["reader"] == box["reader"] for one in boxes if one["kind"] == box["kind"]):
        boxes.append(box)


def _take_problem(found: FeedbackTables, row: dict[str, str], where: str) -> None:
    found.problems.append(Problem(row["kind"], row["where"], row["detail"]))


def _labels(row: dict[str, str], where: str, problems: list[Problem]) -> Labels:
    values = []
    for label in LABELS:
        text = (row[label] or "").strip()
        if text not in ("", "0", "1"):
            problems.append(Problem("bad_label", where, f"{label}: expected 0, 1 or nothing, found {text[:16]!r}"))
        values.append(int(text) if text in ("0", "1") else UNKNOWN)
    types = values[:ANY]
    if (values[ANY] == 0 and 1 in types) or (values[ANY] == 1 and types == [0] * len(TYPES)):
        problems.append(Problem("contradicting_label", where, "`any` is not the union of the types: unlabelled"))
        return (UNKNOWN,) * len(LABELS)
    return (0,) * len(LABELS) if values[ANY] == 0 else tuple(values)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _manifest(root: Path) -> dict[str, str]:
    path = f"{root}: {MANIFEST}"
    try:
        told = json.loads(_read(root, MANIFEST))
    except ValueError as error:
        raise DataError(f"{path}: expected JSON, found something else; export the feedback again") from error
    if not isinstance(told, dict) or told.get("schema") != SCHEMA:
        schema = told.get("schema") if isinstance(told, dict) else type(told).__name__
        raise DataError(f"{path}: expected schema {SCHEMA}, found {schema}; give an export of `ichscan serve`")
    models, readers = told.get("models", []), told.get("readers", [])
    return {"schema": SCHEMA, "models": " ".join(map(str, models)), "readers": str(len(readers))}


def _read(root: Path, name: str) -> bytes:
    """A table; bounded, whatever the archive claims."""
    try:
        if root.is_dir():
            with (root / name).open("rb") as file:
                data = file.read(MAX_TABLE + 1)
        else:
            with zipfile.ZipFile(root) as archive, archive.open(name) as member:
                data = member.read(MAX_TABLE + 1)
    except (KeyError, *ZIP_ERRORS) as error:
        raise DataError(
            f"{root}: {name} cannot be read ({error}); give the zip archive of a feedback export, or its folder"
        ) from error
    if len(data) > MAX_TABLE:
        raise DataError(f"{root}: {name}: expected at most {MAX_TABLE:,} bytes, found more")
    return data


def _rows(root: Path, name: str, data: bytes, columns: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        reader = csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline=""), restval="")
        absent = [column for column in columns if column not in (reader.fieldnames or ())]
        if absent:
            raise DataError(
                f"{root}: {name}: expected the columns {', '.join(columns)}; {', '.join(absent)} are absent"
            )
        yield from enumerate(reader, 2)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{root}: {name}: expected a CSV file in UTF-8, found something else ({error})") from error
