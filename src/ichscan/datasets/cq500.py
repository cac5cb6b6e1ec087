"""CQ500: head CTs read by three radiologists, labels per scan.

Chilamkurthy et al., Lancet 2018; 392: 2388-96. Layout as distributed: `CQ500CT<n> CQ500CT<n>/Unknown Study/CT .../
*.dcm`, or one zip of that per patient, and reads.csv with the columns R1:ICH to R3:SAH for the patients CQ500-CT-<n>.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.datasets.collection import Batch, Labelled, Plan, Problem, ScanReads, SliceRead
from ichscan.datasets.cq500_reads import Reads, read_reads
from ichscan.datasets.fingerprint import file_digest, listing
from ichscan.datasets.walked import PER_BATCH, Found, batches, find_dicom, read_found

if TYPE_CHECKING:
    import pyarrow as pa

NAME: Final = re.compile(r"CQ500-?CT-?(\d+)", re.I)


@dataclass(frozen=True)
class Cq500:
    """The folder of all patients; `reads` is reads.csv, by default inside of it."""

    root: Path
    reads: Path | None = None
    kind: str = "cq500"

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root, "reads": self.reads, "kind": self.kind}

    @property
    def reads_file(self) -> Path:
        """Where the labels are."""
        return self.reads if self.reads is not None else self.root / "reads.csv"

    @cached_property
    def _found(self) -> tuple[list[Found], list[Problem]]:
        return find_dicom(self.root)

    @cached_property
    def _read(self) -> Reads:
        return read_reads(self.reads_file)

    def plan(self) -> Plan:
        """Lists the files; raises DataError when there are none, or no reads."""
        facts = {"reads": file_digest(self.reads_file)}
        problems = [*self._read.problems]
        found, odd = self._found
        facts |= listing((name, source.size) for source, name in found)
        return Plan(batches(found), -(-len(found) // PER_BATCH), len(found), facts, (*problems, *odd))

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        """The slices of one batch, with the patient's name as in reads.csv."""
        for one in read_found(batch):
            if isinstance(one, SliceRead):
                match = NAME.search(one.row["source"])
                if match is not None:
                    one.row["patient_id"] = f"CQ500-CT-{int(match.group(1))}"
                # The same slice is often in several series of these studies, under one UID.
                one.row["slice_id"] = f"{one.row['series_uid']}/{one.row['slice_id']}"
            yield one

    def label(self, table: "pa.Table") -> Labelled:
        """Majority of the readers per scan; every series of a patient carries it."""
        patients = table["patient_id"].to_pylist()
        series = dict(zip(table["series_uid"].to_pylist(), patients, strict=True))
        reads, present = self._read, set(patients)
        problems = [
            Problem("orphan_label", name, "reads, but no image of this patient was read")
            for name in sorted(set(reads.labels) - present)
        ]
        problems += [
            Problem("unlabelled_image", name, "images, but no row in reads.csv")
            for name in sorted(present - set(reads.labels))
        ]
        labels = {uid: reads.labels[name] for uid, name in series.items() if name in reads.labels}
        agreement = {uid: reads.agreement[name] for uid, name in series.items() if name in reads.agreement}
        return Labelled(None, ScanReads(labels, agreement), problems)
