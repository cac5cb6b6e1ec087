"""What people said of results in `ichscan serve`, exported with its images, as a labelled collection."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ichscan.datasets.collection import Batch, Labelled, Plan, Problem, ScanReads, SliceRead
from ichscan.datasets.feedback_tables import FeedbackTables, read_feedback_tables
from ichscan.datasets.fingerprint import listing
from ichscan.datasets.schema import UNKNOWN
from ichscan.datasets.walked import PER_BATCH, Found, batches, find_dicom, read_found
from ichscan.labels import ANY, LABELS, TYPES

if TYPE_CHECKING:
    import pyarrow as pa

PART = "train"
"""Of every slice: who looked at a result first is no independent reader, so this is never a test set."""


@dataclass(frozen=True)
class FeedbackExport:
    """An archive of GET /api/feedback/export, or the folder that it was unpacked to."""

    root: Path
    kind: str = "feedback"

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "kind": self.kind}

    @cached_property
    def _found(self) -> tuple[list[Found], list[Problem]]:
        return find_dicom(self.root)

    @cached_property
    def _tables(self) -> FeedbackTables:
        return read_feedback_tables(self.root)

    def plan(self) -> Plan:
        """Lists the images; raises DataError when there are none, or it is no export."""
        facts, problems = dict(self._tables.facts), self._tables.problems
        found, odd = self._found
        facts |= listing((name, source.size) for source, name in found)
        return Plan(batches(found), -(-len(found) // PER_BATCH), len(found), facts, (*problems, *odd))

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        """The slices of one batch, with patient and boxes as the export says."""
        for one in read_found(batch):
            if isinstance(one, SliceRead):
                row = one.row
                row["part"] = PART
                row["patient_id"] = self._tables.patients.get(row["series_uid"], row["patient_id"])
                boxes = self._tables.boxes.get(row["instance_uid"], [])
                row["boxes"] = [{name: value for name, value in box.items() if name != "reader"} for box in boxes]
            yield one

    def label(self, table: "pa.Table") -> Labelled:
        """Scans as people agreed; slices as they were marked, and 0 where a label is absent from the whole scan."""
        series, uids = table["series_uid"].to_pylist(), table["instance_uid"].to_pylist()
        told = self._tables
        # A series of several planes or sizes was split by a suffix: its labels hold for each part only when absent.
        whole = {
            uid: _part(told.series.get(uid), told.series.get(uid.partition("/")[0])) for uid in dict.fromkeys(series)
        }
        problems = [
            Problem("unlabelled_image", uid, "an image, but no row of its series")
            for uid, own in whole.items()
            if own is None
        ]
        labels = np.full((len(series), len(LABELS)), UNKNOWN, np.uint8)
        for i, (of, uid) in enumerate(zip(series, uids, strict=True)):
            labels[i] = _slice(told.slices.get(uid), whole[of])
        problems += [
            Problem("orphan_label", uid, "marked, but no such image was read")
            for uid in sorted({*told.slices} - {*uids})
        ]
        reads = {uid: own for uid, own in whole.items() if own is not None and {*own} != {UNKNOWN}}
        agreement = {uid: told.agreement[uid] for uid in reads if uid in told.agreement}
        return Labelled(labels, ScanReads(reads, agreement), problems)


def _part(own: tuple[int, ...] | None, whole: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Labels of a series, or of a part of one: what is absent from the whole is absent from the part."""
    if own is not None or whole is None:
        return own
    return tuple(0 if value == 0 else UNKNOWN for value in whole)


def _slice(marked: tuple[int, ...] | None, scan: tuple[int, ...] | None) -> list[int]:
    """Labels of a slice: those marked, and 0 for what is absent from the scan."""
    values = list(marked) if marked is not None else [UNKNOWN] * len(LABELS)
    if scan is not None:
        values = [0 if value == UNKNOWN and of == 0 else value for value, of in zip(values, scan, strict=True)]
    if values[ANY] == UNKNOWN and values[:ANY] == [0] * len(TYPES):
        values[ANY] = 0
    return values
