"""Reads by people as a table: who read what, and what they saw.

A CSV file in UTF-8 with one line per read and the columns

  slice_id, series_uid or patient_id   one of them: what was read, by the ids of the data set
  reader                               a name or number; not the name of a person, please
  epidural ... subdural, any           0 or 1; empty = not told. `any` may be left out: it follows from the types
  probability                          may be left out: from 0 to 1, how sure the reader is of any hemorrhage

reads.csv of CQ500 (Chilamkurthy et al., Lancet 2018) is taken as it is.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.cq500_reads import COLUMNS as CQ500_COLUMNS
from ichscan.datasets.cq500_reads import READERS as CQ500_READERS
from ichscan.datasets.cq500_reads import read_reads as read_cq500
from ichscan.errors import DataError
from ichscan.evaluate.cases import UNKNOWN, Evaluation
from ichscan.labels import ANY, LABELS, TYPES
from ichscan.types import Float64

ID_LEVELS: Final = {"slice_id": "slices", "series_uid": "scans", "patient_id": "patients"}
MODEL: Final = "model"
REFERENCE: Final = "reference"
RESERVED: Final = (MODEL, REFERENCE)
"""Names in the tables that no reader can have."""
REMEDY: Final = "one of slice_id, series_uid or patient_id, then reader, then " + ", ".join(LABELS)


@dataclass(frozen=True, slots=True)
class Read:
    """One line of the file.

    Attributes:
        line: in the file, from 1.
        case, reader: ids as written.
        votes: six of 0, 1 or 255 = not told.
        probability: of any hemorrhage; NaN = not told.
    """

    line: int
    case: str
    reader: str
    votes: tuple[int, ...]
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class HumanReads:
    """Reads beside the cases of an evaluation.

    Attributes:
        level: of `ichscan.evaluate.cases.LEVELS`.
        readers: names, sorted.
        votes: uint8 (readers, cases, 6), 0, 1 or 255 = not read or not told.
        probability: float64 (readers, cases), of any hemorrhage; NaN = not told.
        counts: lines, and what was odd: "unknown ids", "repeated", "contradicting", "incomplete", "any without type".
    """

    level: str
    readers: tuple[str, ...]
    votes: NDArray[np.uint8]
    probability: Float64
    counts: Mapping[str, int]

    def majority(self) -> NDArray[np.uint8]:
        """What more than half of those who told something say; 255 when they are tied. uint8 (cases, 6)."""
        yes = (self.votes == 1).sum(axis=0)
        no = (self.votes == 0).sum(axis=0)
        return np.where(yes > no, 1, np.where(no > yes, 0, UNKNOWN)).astype(np.uint8)


def human_reads(path: Path, evaluation: Evaluation) -> HumanReads:
    """Reads the file and lays it beside the evaluation.

    Ids that the evaluation does not know are counted and left out. A read that names a type but denies any hemorrhage
    contradicts itself: it is counted and left out, as `ichscan data import` does with CQ500.

    Raises:
        DataError: absent, no such table, a value that is no label, no id known, or two reads of one case by one reader
            that differ.
    """
    column, reads = read_table(path)
    cases = evaluation.level(ID_LEVELS[column])
    rows = {str(name): k for k, name in enumerate(cases.ids)}
    readers = tuple(sorted({r.reader for r in reads}))
    votes = np.full((len(readers), len(cases), len(LABELS)), UNKNOWN, np.uint8)
    probability = np.full((len(readers), len(cases)), np.nan)
    known = [r for r in reads if r.case in rows]
    if not known:
        raise DataError(
            f"{path}: none of the {len(reads):,} reads is about one of the {len(cases):,} {cases.level} that are "
            f"evaluated; {column} must be as in the data set, such as {cases.ids[0] if len(cases) else '-'}"
        )
    counts = {"lines": len(reads), "unknown ids": len(reads) - len(known)}
    unique = _once(path, known)
    fitting = [r for r in unique if not _contradicts(r.votes)]
    counts |= {"repeated": len(known) - len(unique), "contradicting": len(unique) - len(fitting)}
    for read in fitting:
        place = readers.index(read.reader), rows[read.case]
        votes[place] = _completed(read.votes)
        probability[place] = read.probability
    told = [_completed(r.votes) for r in fitting]
    counts["incomplete"] = sum(UNKNOWN in v for v in told)
    counts["any without type"] = sum(v[ANY] == 1 and all(t == 0 for t in v[:ANY]) for v in told)
    return HumanReads(cases.level, readers, votes, probability, counts)


def read_table(path: Path) -> tuple[str, list[Read]]:
    """(name of the id column, lines) of a file in either layout; see the module.

    Raises:
        DataError: absent, no such table, or a value that is no label.
    """
    lines, columns = _lines(path)
    if f"{CQ500_READERS[0]}:{CQ500_COLUMNS[0]}" in columns:
        return "patient_id", cq500_reads(path)
    ids = [name for name in ID_LEVELS if name in columns]
    absent = [name for name in ("reader", *TYPES) if name not in columns]
    if len(ids) != 1 or absent:
        what = f"{', '.join(absent)} absent" if absent else f"{' and '.join(ids) or 'no id'} found"
        raise DataError(f"{path}: expected the columns {REMEDY}; {what}")
    reads = [_read(f"{path}, line {n}", n, row, ids[0]) for n, row in enumerate(lines, 2)]
    if not reads:
        raise DataError(f"{path}: expected one line per read, found only the heading")
    return ids[0], reads


def cq500_reads(path: Path) -> list[Read]:
    """reads.csv of CQ500 in this layout: three reads per patient.

    Raises:
        DataError: absent, or without the columns.
    """
    found = read_cq500(path).by_reader
    return [
        Read(n, patient, reader, tuple(votes), float("nan"))
        for n, (patient, by_reader) in enumerate(found.items(), 2)
        for reader, votes in zip(CQ500_READERS, by_reader, strict=True)
        if any(v != UNKNOWN for v in votes)
    ]


def _lines(path: Path) -> tuple[list[dict[str, str]], Sequence[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            return list(reader), tuple(reader.fieldnames or ())
    except OSError as error:
        raise DataError(f"{path}: cannot read the reads ({error.strerror}); check the path") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected a CSV file in UTF-8, found something else ({error})") from error


def _read(where: str, line: int, row: dict[str, str], column: str) -> Read:
    case, reader = (row[column] or "").strip(), (row["reader"] or "").strip()
    if not case or not reader:
        raise DataError(f"{where}: expected a {column} and a reader, found an empty cell")
    if reader in RESERVED:
        raise DataError(f"{where}: a reader cannot be called {reader!r}; write another name or a number")
    votes = tuple(_vote(where, name, row.get(name)) for name in LABELS)
    return Read(line, case, reader, votes, _probability(where, row.get("probability")))


def _vote(where: str, name: str, text: str | None) -> int:
    plain = (text or "").strip()
    if plain in ("0", "1", "0.0", "1.0"):
        return int(plain[0])
    if plain == "":
        return UNKNOWN
    raise DataError(f"{where}: expected 0, 1 or nothing in {name}, found {plain!r}")


def _probability(where: str, text: str | None) -> float:
    plain = (text or "").strip()
    if plain == "":
        return float("nan")
    try:
        value = float(plain)
    except ValueError as error:
        raise DataError(f"{where}: expected a number in probability, found {plain!r}") from error
    if not 0 <= value <= 1:
        raise DataError(f"{where}: expected a probability from 0 to 1, found {value:g}")
    return value


def _once(path: Path, reads: Sequence[Read]) -> list[Read]:
    """Each read of a case by a reader once; the same again does no harm, another is an error."""
    first: dict[tuple[str, str], Read] = {}
    for read in reads:
        before = first.setdefault((read.case, read.reader), read)
        if before.votes != read.votes or repr(before.probability) != repr(read.probability):
            raise DataError(
                f"{path}: lines {before.line} and {read.line} are reads of the same case by the same reader and differ"
                "; keep one of them, or give the second reading another reader"
            )
    return list(first.values())


def _contradicts(votes: tuple[int, ...]) -> bool:
    return votes[ANY] == 0 and 1 in votes[:ANY]


def _completed(votes: tuple[int, ...]) -> tuple[int, ...]:
    """`any` follows from the types; without any hemorrhage there is no type."""
    types, any_type = votes[:ANY], votes[ANY]
    if any_type == 0:
        return (0,) * len(votes)
    if any_type == UNKNOWN:
        any_type = 1 if 1 in types else UNKNOWN if UNKNOWN in types else 0
    return (*types, any_type)
