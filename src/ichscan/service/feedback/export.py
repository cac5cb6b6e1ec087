"""Feedback as a labelled collection: a zip archive that `ichscan data import feedback` takes, written as it is sent."""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session

from ichscan import __version__
from ichscan.datasets.collection import Problem
from ichscan.datasets.feedback_tables import BOXES, MANIFEST, PROBLEMS, SCHEMA, SERIES, SLICES
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.errors import InputError
from ichscan.labels import LABELS
from ichscan.service.feedback.bare import Bare, bare_image
from ichscan.service.feedback.case import Case, case_of
from ichscan.service.feedback.gather import gather

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    SERIES: ("study_instance_uid", "series_instance_uid", "patient", *LABELS, "readers", "agreement"),
    SLICES: ("sop_instance_uid", *LABELS),
    BOXES: ("sop_instance_uid", "label", "x0", "y0", "x1", "y1", "reader"),
    "verdicts.csv": (
        "study_instance_uid", "sop_instance_uid", "reader", "time", "model_sha256", "counted", "label", "state",
        "verdict", "value",
    ),
    "disagreements.csv": ("study_instance_uid", "sop_instance_uid", "label", "reader", "value"),
    PROBLEMS: ("kind", "where", "detail"),
}  # fmt: skip
REASONS: Final = "reasons.json"
EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""Of every member: the same feedback gives the same bytes."""


@dataclass(frozen=True, slots=True)
class Export:
    """What is to be written.

    Attributes:
        folder: `Settings.folder`.
        with_reasons: with the free text.
    """

    folder: Path
    cases: Sequence[Case]
    with_reasons: bool = False

    @property
    def study_ids(self) -> list[int]:
        """Studies of which anything is in it."""
        return [case.study_id for case in self.cases]


class _Sink(io.RawIOBase):
    """A file that only takes what the archive writes, until it is sent."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def writable(self) -> bool:
        """For `zipfile`, which asks no more of a file that it cannot seek in."""
        return True

    def write(self, data: Any) -> int:
        """Keeps the bytes."""
        self.parts.append(bytes(data))
        return len(self.parts[-1])

    def taken(self) -> bytes:
        """What was written since it was last asked."""
        data = b"".join(self.parts)
        self.parts.clear()
        return data


@dataclass(slots=True)
class _Written:
    """What became of the images: patients of series with at least one, and what had to be left out."""

    patients: dict[str, str] = field(default_factory=dict)
    images: int = 0
    problems: list[Problem] = field(default_factory=list)


def plan(session: Session, folder: Path, *, with_reasons: bool = False) -> Export:
    """Reads all that was said; the images are read as the archive is written.

    Args:
        session: of a read transaction.
        folder: `Settings.folder`.
        with_reasons: the free text as well, which nobody has looked through for names.
    """
    return Export(folder, [case_of(told) for told in gather(session)], with_reasons)


def stream(export: Export) -> Iterator[bytes]:
    """The archive in pieces of one image; its directory comes last, so that one that was broken off is no archive.

    An image that cannot be copied is left out, and told in problems.csv.
    """
    sink, written = _Sink(), _Written()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, case in enumerate(export.cases, 1):
            for member, data in _images(export.folder, number, case, written):
                _add(archive, member, data)
                yield sink.taken()
        tables = _tables(export.cases, written)
        for name, rows in tables.items():
            _add(archive, name, _csv(COLUMNS[name], rows))
        if export.with_reasons:
            reasons = [dict(row) for case in export.cases for row in case.reasons]
            _add(archive, REASONS, json.dumps(reasons, indent=1).encode())
        _add(archive, MANIFEST, json.dumps(_manifest(export, tables, written), indent=1).encode())
        yield sink.taken()
    yield sink.taken()


def _images(folder: Path, number: int, case: Case, written: _Written) -> Iterator[tuple[str, bytes]]:
    for place, (sop, series, path) in enumerate(case.files, 1):
        try:
            with quiet_pydicom():
                bare: Bare = bare_image(folder / path)
        except InputError as error:
            written.problems.append(Problem("image_left_out", sop, str(error)))
            continue
        # One patient has one key, also when a later image of the study says something else.
        patient = next((written.patients[uid] for uid in case.series if uid in written.patients), bare.patient)
        written.patients[series] = patient
        written.images += 1
        yield f"images/{number:06d}/{place:05d}.dcm", bare.data


def _tables(cases: Sequence[Case], written: _Written) -> dict[str, list[Mapping[str, Any]]]:
    problems = [*(one for case in cases for one in case.problems), *written.problems]
    return {
        SERIES: [
            {**row, "patient": written.patients[uid]}
            for case in cases
            for uid, row in case.series.items()
            if uid in written.patients
        ],
        SLICES: [row for case in cases for row in case.slices],
        BOXES: [row for case in cases for row in case.boxes],
        "verdicts.csv": [row for case in cases for row in case.verdicts],
        "disagreements.csv": [row for case in cases for row in case.disagreements],
        PROBLEMS: [{"kind": one.kind, "where": one.where, "detail": one.detail} for one in problems],
    }


def _manifest(export: Export, tables: Mapping[str, Sequence[Mapping[str, Any]]], written: _Written) -> dict[str, Any]:
    verdicts = tables["verdicts.csv"]
    return {
        "schema": SCHEMA,
        "ichscan": __version__,
        "studies": len(export.cases),
        "series": len(tables[SERIES]),
        "images": written.images,
        "readers": sorted({row["reader"] for row in verdicts}),
        "models": sorted({row["model_sha256"] for row in verdicts}),
        "rows": {name: len(rows) for name, rows in tables.items()},
    }


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, EPOCH)
    info.external_attr = 0o600 << 16
    # The fastest level: pixels are most of it, and the network is seldom faster.
    archive.writestr(info, data, zipfile.ZIP_DEFLATED, 1)
