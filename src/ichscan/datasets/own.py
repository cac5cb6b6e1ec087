"""Anybody's own collection: a folder (or zip) of DICOM files and a CSV of labels."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ichscan.datasets.collection import Batch, Labelled, Plan, Problem, ScanReads, SliceRead
from ichscan.datasets.fingerprint import file_digest, listing
from ichscan.datasets.own_labels import OwnLabels, read_own_labels
from ichscan.datasets.schema import UNKNOWN
from ichscan.datasets.walked import PER_BATCH, Found, batches, find_dicom, read_found
from ichscan.labels import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

NAMED_BY: Final = {"file": "source", "sop": "instance_uid", "series": "series_uid"}


@dataclass(frozen=True)
class Own:
    """The images and their labels.

    Patients are kept apart by a digest of Patient ID (0010,0020), which is not stored, or by the CSV's own column.
    """

    root: Path
    labels: Path
    kind: str = "own"

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "labels": self.labels, "kind": self.kind}

    @cached_property
    def _found(self) -> tuple[list[Found], list[Problem]]:
        return find_dicom(self.root)

    @cached_property
    def _labels(self) -> OwnLabels:
        return read_own_labels(self.labels)

    def plan(self) -> Plan:
        """Lists the files; raises DataError when there are none, or the labels cannot be used."""
        facts = {"labels": file_digest(self.labels)}
        problems = self._labels.problems
        found, odd = self._found
        facts |= listing((name, source.size) for source, name in found)
        return Plan(batches(found), -(-len(found) // PER_BATCH), len(found), facts, (*problems, *odd))

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        """The slices of one batch, with patient and part as the CSV says."""
        for one in read_found(batch):
            if isinstance(one, SliceRead):
                for name in _names(self._labels.key, one.row):
                    one.row["patient_id"] = self._labels.patients.get(name, one.row["patient_id"])
                    one.row["part"] = self._labels.parts.get(name, one.row["part"])
            yield one

    def label(self, table: "pa.Table") -> Labelled:
        """Joins the labels; reports images without and labels without image."""
        key = self._labels.key
        own = self._labels.labels
        rows = table.select(["slice_id", "source", "instance_uid", "series_uid"]).to_pylist()
        taken = [next((name for name in _names(key, row) if name in own), None) for row in rows]
        orphans = sorted(set(own) - {name for name in taken if name is not None})
        problems = [
            Problem("orphan_label", name, f"labels in {self.labels.name}, but no such image was read")
            for name in orphans
        ]
        if key == "series":
            return self._scans(rows, taken, problems)
        several = {name for name, count in Counter(taken).items() if count > 1 and name is not None}
        problems += [
            Problem("ambiguous_label", name, "means several images: unlabelled; give the path within the folder")
            for name in sorted(several)
        ]
        labels = np.full((len(rows), len(LABELS)), UNKNOWN, np.uint8)
        for i, (row, name) in enumerate(zip(rows, taken, strict=True)):
            if name is None:
                problems.append(Problem("unlabelled_image", row["slice_id"], f"no row in {self.labels.name}"))
            elif name not in several:
                labels[i] = own[name]
        return Labelled(labels, None, problems)

    def _scans(self, rows: list[dict[str, Any]], taken: list[str | None], problems: list[Problem]) -> Labelled:
        labels = {row["series_uid"]: self._labels.labels[name] for row, name in zip(rows, taken, strict=True) if name}
        without = sorted({row["series_uid"] for row, name in zip(rows, taken, strict=True) if name is None})
        problems += [Problem("unlabelled_image", uid, f"no row in {self.labels.name}") for uid in without]
        return Labelled(None, ScanReads(labels, {}), problems)


def _names(key: str, row: dict[str, Any]) -> list[str]:
    """What the CSV may call a slice, the best first."""
    name = row[NAMED_BY[key]]
    if key == "file":
        return [name, name.rpartition("/")[2]]
    # A series of several planes or sizes was split by a suffix: its label holds for each.
    return [name, name.rpartition("/")[0]] if key == "series" else [name]
