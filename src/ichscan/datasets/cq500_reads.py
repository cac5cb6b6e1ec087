"""reads.csv of CQ500: three readers per scan, to a majority and how far they agree."""

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ichscan.datasets.collection import Problem
from ichscan.datasets.schema import UNKNOWN
from ichscan.errors import DataError
from ichscan.labels import ANY, LABELS

READERS: Final = ("R1", "R2", "R3")
COLUMNS: Final = ("EDH", "IPH", "IVH", "SAH", "SDH", "ICH")
"""In the order of `LABELS`."""
MAJORITY: Final = 2
Read = tuple[int, ...]


@dataclass(slots=True)
class Reads:
    """Per scan (CQ500-CT-<n>): six labels, 0, 1 or `UNKNOWN`; share of the six on which all three readers agree.

    `by_reader` holds the labels of each of `READERS`.
    """

    labels: dict[str, Read] = field(default_factory=dict)
    agreement: dict[str, float] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    by_reader: dict[str, list[Read]] = field(default_factory=dict)


def read_reads(path: Path) -> Reads:
    """Reads the file.

    A reader's row that names a type but no hemorrhage contradicts itself and does not count.

    Raises:
        DataError: absent, or without the columns.
    """
    reads = Reads()
    rows: dict[str, list[Read]] = {}
    for line, row in enumerate(_rows(path), 2):
        name = row["name"].strip()
        by_reader = [_reader(row, reader, f"{path.name}, line {line}", reads.problems) for reader in READERS]
        if name not in rows:
            rows[name] = by_reader
        elif rows[name] == by_reader:
            reads.problems.append(Problem("duplicate_label", name, "listed twice with the same reads"))
        else:
            reads.problems.append(Problem("contradicting_label", name, "listed twice with other reads: unlabelled"))
            rows[name] = [(UNKNOWN,) * len(LABELS)] * len(READERS)
    reads.by_reader = rows
    for name, by_reader in rows.items():
        decisions = list(zip(*by_reader, strict=True))
        reads.labels[name] = tuple(majority(votes) for votes in decisions)
        complete = [votes for votes in decisions if UNKNOWN not in votes]
        if complete:
            reads.agreement[name] = sum(len(set(votes)) == 1 for votes in complete) / len(complete)
    return reads


def majority(votes: Read) -> int:
    """What at least two of three readers say; `UNKNOWN` when no two do."""
    for value in (1, 0):
        if votes.count(value) >= MAJORITY:
            return value
    return UNKNOWN


def _reader(row: dict[str, str], reader: str, where: str, problems: list[Problem]) -> Read:
    values = tuple(_value(row[f"{reader}:{column}"]) for column in COLUMNS)
    if UNKNOWN in values:
        problems.append(Problem("bad_label", where, f"{reader}: expected 0 or 1 in every column, found another value"))
    if values[ANY] == 0 and 1 in values[:ANY]:
        problems.append(Problem("contradicting_label", where, f"{reader}: a type without hemorrhage; does not count"))
        return (UNKNOWN,) * len(LABELS)
    return values


def _value(text: str | None) -> int:
    plain = (text or "").strip()
    return int(plain[0]) if plain in ("0", "1", "0.0", "1.0") else UNKNOWN


def _rows(path: Path) -> list[dict[str, str]]:
    wanted = ["name", *(f"{reader}:{column}" for reader in READERS for column in COLUMNS)]
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            absent = [name for name in wanted if name not in (reader.fieldnames or ())]
            if absent:
                raise DataError(f"{path}: expected columns such as R1:ICH; {', '.join(absent[:6])} are absent")
            return list(reader)
    except OSError as error:
        raise DataError(f"{path}: cannot read the labels ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV file in UTF-8, found something else ({error})") from error
