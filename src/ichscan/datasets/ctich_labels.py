"""The label files of PhysioNet CT-ICH, both releases: rows per slice, and boxes.

Hssayeni et al., Data 2020, 5, 14. What is wrong with a row is reported and never decided by which row comes last.
"""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ichscan.datasets.collection import Problem
from ichscan.datasets.schema import UNKNOWN
from ichscan.errors import DataError
from ichscan.labels import LABELS, TYPES

COLUMNS: Final = ("Epidural", "Intraparenchymal", "Intraventricular", "Subarachnoid", "Subdural")
NO_BLEED: Final = "No_Hemorrhage"
NOT_KNOWN: Final = (UNKNOWN,) * len(LABELS)
Box = tuple[int, str, float, float, float, float]


@dataclass(slots=True)
class SliceLabels:
    """Patient -> slice number -> six labels (`any` is the union), `NOT_KNOWN` where rows contradict each other."""

    patients: dict[int, dict[int, tuple[int, ...]]] = field(default_factory=lambda: defaultdict(dict))
    problems: list[Problem] = field(default_factory=list)


def read_slice_labels(path: Path) -> SliceLabels:
    """Reads hemorrhage_diagnosis.csv or hemorrhage_diagnosis_raw_ct.csv.

    Raises:
        DataError: absent, or without the columns.
    """
    found = SliceLabels()
    for line, row in enumerate(_rows(path, ("PatientNumber", "SliceNumber", NO_BLEED, *COLUMNS)), 2):
        if not any(value and value.strip() for value in row.values() if isinstance(value, str)):
            continue  # the published file ends in empty lines
        _take(found, row, f"{path.name}, line {line}")
    return found


def _take(found: SliceLabels, row: dict[str, str], where: str) -> None:
    try:
        patient, number = _whole(row["PatientNumber"]), _whole(row["SliceNumber"])
        types = tuple(_whole(row[column]) for column in COLUMNS)
        none = _whole(row[NO_BLEED])
    except (TypeError, ValueError):
        found.problems.append(
            Problem("bad_label", where, "expected whole numbers in every column, found something else")
        )
        return
    place = f"patient {patient} slice {number}"
    values: tuple[int, ...] = (*types, int(any(types)))
    if not {*types, none} <= {0, 1}:
        found.problems.append(Problem("bad_label", where, f"{place}: expected 0 or 1, found {[*types, none]}"))
        values = NOT_KNOWN
    elif any(types) == bool(none):
        detail = f"{place}: the types and No_Hemorrhage contradict each other"
        found.problems.append(Problem("contradicting_label", where, detail))
        values = NOT_KNOWN
    before = found.patients[patient].get(number)
    if before is None:
        found.patients[patient][number] = values
        return
    same = before == values
    what = "with the same labels" if same else "with other labels: taken as unknown"
    kind = "duplicate_label" if same else "contradicting_label"
    found.problems.append(Problem(kind, where, f"{place} is listed twice, {what}"))
    if not same:
        found.patients[patient][number] = NOT_KNOWN


def _whole(text: str) -> int:
    value = float(text)
    if value != int(value):
        raise ValueError(text)
    return int(value)


def read_boxes(path: Path) -> dict[int, list[Box]]:
    """Patient -> (slice number, type, x0, y0, x1, y1) of hemorrhage_boxes.csv; empty when there is no such file.

    Raises:
        DataError: unknown type, or numbers that are none.
    """
    table: dict[int, list[Box]] = defaultdict(list)
    columns = ("PatientNumber", "SliceNumber", "Subtype", "x0", "y0", "x1", "y1")
    for line, row in enumerate(_rows(path, columns) if path.exists() else [], 2):
        kind = row["Subtype"].strip().lower()
        if kind not in TYPES:
            raise DataError(f"{path}, line {line}: expected a subtype of {TYPES}, found {kind!r}")
        try:
            x0, y0, x1, y1 = (float(row[c]) for c in ("x0", "y0", "x1", "y1"))
            table[int(row["PatientNumber"])].append((int(row["SliceNumber"]), kind, x0, y0, x1, y1))
        except ValueError as error:
            raise DataError(f"{path}, line {line}: expected numbers, found {error}") from error
    return table


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            absent = [name for name in columns if name not in (reader.fieldnames or ())]
            if absent:
                raise DataError(f"{path}: expected the columns {', '.join(columns)}, {', '.join(absent)} are absent")
            yield from reader
    except OSError as error:
        raise DataError(f"{path}: cannot read the labels ({error.strerror})") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV file in UTF-8, found something else ({error})") from error
