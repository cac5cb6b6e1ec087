"""A CSV of labels that somebody made for their own images."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ichscan.datasets.collection import Problem
from ichscan.datasets.schema import UNKNOWN
from ichscan.errors import DataError
from ichscan.labels import ANY, LABELS, TYPES

KEYS: Final = {
    "file": ("file", "filename", "path"),
    "sop": ("sop_instance_uid", "sopinstanceuid"),
    "series": ("series_instance_uid", "seriesinstanceuid"),
}
PATIENT: Final = ("patient", "patient_id")
PARTS: Final = ("train", "test")
Labels = tuple[int, ...]


@dataclass(slots=True)
class OwnLabels:
    """What the CSV says.

    Attributes:
        key: which kind of name the rows go by: file, sop or series.
        labels: per name six labels, 0, 1 or `UNKNOWN`.
        patients: per name the patient, where the CSV has that column.
        parts: per name train or test, where the CSV has that column.
    """

    key: str
    labels: dict[str, Labels] = field(default_factory=dict)
    patients: dict[str, str] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_own_labels(path: Path) -> OwnLabels:
    """Reads the CSV: a column `file`, `sop_instance_uid` or `series_instance_uid`, and columns named like the labels.

    An empty cell is unknown. Without a column `any` it is the union of the types; types without a column are unknown,
    or 0 where `any` is 0.

    Raises:
        DataError: absent, a column twice, no or several name columns, no label column, or not a single row.
    """
    rows, columns = _rows(path)
    lower = _by_name(path, columns)
    found = [(kind, lower[name]) for kind, names in KEYS.items() for name in names if name in lower]
    if len(found) != 1:
        raise DataError(
            f"{path}: expected exactly one of the columns file, sop_instance_uid and series_instance_uid, found "
            f"{', '.join(column for _, column in found) or 'none'} among {', '.join(columns)}"
        )
    present: dict[str, str] = {str(label): lower[label] for label in LABELS if label in lower}
    if not present:
        raise DataError(f"{path}: expected label columns ({', '.join(LABELS)}), found {', '.join(columns)}")
    own = OwnLabels(found[0][0])
    patient = next((lower[name] for name in PATIENT if name in lower), None)
    for line, row in enumerate(rows, 2):
        name = (row[found[0][1]] or "").strip().replace("\\", "/").removeprefix("./")
        where = f"{path.name}, line {line}"
        if not name:
            own.problems.append(Problem("bad_label", where, f"the column {found[0][1]} is empty"))
            continue
        _add(own, name, _labels(row, present, where, own.problems), where)
        if patient is not None and (row[patient] or "").strip():
            _first(own, own.patients, name, row[patient].strip(), "patient", where)
        part = (row.get(lower.get("part", "part")) or "").strip()
        if part in PARTS:
            _first(own, own.parts, name, part, "part", where)
        elif part:
            own.problems.append(Problem("bad_label", where, "part: expected train, test or nothing"))
    if not own.labels:
        raise DataError(f"{path}: expected at least one row with labels, found none")
    return own


def _by_name(path: Path, columns: list[str]) -> dict[str, str]:
    names = [column.strip().lower() for column in columns]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: expected each column once, found several named {', '.join(twice)}")
    return dict(zip(names, columns, strict=True))


def _add(own: OwnLabels, name: str, labels: Labels, where: str) -> None:
    before = own.labels.get(name)
    if before is None:
        own.labels[name] = labels
    elif before == labels:
        own.problems.append(Problem("duplicate_label", where, f"{name} is listed again with the same labels"))
    else:
        own.labels[name] = (UNKNOWN,) * len(LABELS)
        own.problems.append(
            Problem("contradicting_label", where, f"{name} is listed again with other labels: unlabelled")
        )


def _first(own: OwnLabels, found: dict[str, str], name: str, value: str, what: str, where: str) -> None:
    if found.setdefault(name, value) != value:
        own.problems.append(
            Problem("contradicting_label", where, f"{name} is listed again with another {what}: the first one counts")
        )


def _labels(row: dict[str, str], present: dict[str, str], where: str, problems: list[Problem]) -> Labels:
    names: tuple[str, ...] = LABELS
    values = [UNKNOWN] * len(names)
    for label, column in present.items():
        text = (row[column] or "").strip()
        if text in ("0", "1", "0.0", "1.0"):
            values[names.index(label)] = int(text[0])
        elif text:
            problems.append(Problem("bad_label", where, f"{label}: expected 0, 1 or nothing, found {text[:16]!r}"))
    positive = 1 in values[:ANY]
    if (values[ANY] == 0 and positive) or (values[ANY] == 1 and values[:ANY] == [0] * len(TYPES)):
        problems.append(Problem("contradicting_label", where, "`any` is not the union of the types: unlabelled"))
        return (UNKNOWN,) * len(LABELS)
    if values[ANY] == 0:
        values[:ANY] = [0] * len(TYPES)
    elif values[ANY] == UNKNOWN and (positive or UNKNOWN not in values[:ANY]):
        values[ANY] = int(positive)
    return tuple(values)


def _rows(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            return list(reader), list(reader.fieldnames or ())
    except OSError as error:
        raise DataError(f"{path}: cannot read the labels ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV file in UTF-8, found something else ({error})") from error
