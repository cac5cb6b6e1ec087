"""CT-ICH 1.0.0 (pictures in two windows) for the import; see `ctich` for how HU come about."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.collection import Batch, Labelled, Plan, Problem, SliceRead
from ichscan.datasets.ctich import (
    SLICE_MM,
    bone_window_shift,
    hu_from_windows,
    patient_folders,
    read_windows,
    slice_numbers,
)
from ichscan.datasets.ctich_labels import NOT_KNOWN, SliceLabels, read_boxes, read_slice_labels
from ichscan.datasets.ctich_patients import read_patients
from ichscan.datasets.fingerprint import file_digest, listing
from ichscan.datasets.schema import UNKNOWN
from ichscan.errors import DataError
from ichscan.labels import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

LABEL_FILE: Final = "hemorrhage_diagnosis.csv"
BOX_FILE: Final = "hemorrhage_boxes.csv"
_read_labels = cache(read_slice_labels)
_read_boxes = cache(read_boxes)


@dataclass(frozen=True, slots=True)
class CtIchPictures:
    """A folder in the layout of release 1.0.0: one batch is one patient."""

    root: Path
    kind: str = "ct-ich"

    def plan(self) -> Plan:
        """Lists the patients; raises DataError when there are none or no labels."""
        folders = patient_folders(self.root)
        labels = read_slice_labels(self.root / LABEL_FILE)
        counts = {folder: slice_numbers(folder) for folder in folders}
        entries = [(f"{f.name}/{n}", (f / "brain" / f"{n}.jpg").stat().st_size) for f in folders for n in counts[f]]
        fingerprint = {"release": "1.0.0", **listing(entries), "labels": file_digest(self.root / LABEL_FILE)}
        if (self.root / BOX_FILE).exists():
            fingerprint["boxes"] = file_digest(self.root / BOX_FILE)
        problems = [*labels.problems, *missing_patients(labels, {int(f.name) for f in folders})]
        batches = [Batch((folder.name,), len(counts[folder])) for folder in folders]
        return Plan(batches, len(batches), len(entries), fingerprint, tuple(problems))

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        """The slices of one patient."""
        folder = self.root / "Patients_CT" / batch.items[0]
        patient = int(folder.name)
        listed = _read_labels(self.root / LABEL_FILE).patients.get(patient, {})
        boxes = _read_boxes(self.root / BOX_FILE).get(patient, [])
        numbers = slice_numbers(folder)
        yield from unmatched(folder.name, listed, numbers)
        windows: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]] = {}
        for number in numbers:
            try:
                windows[number] = read_windows(folder, number)
            except DataError as error:
                yield Problem("unreadable", f"{folder.name}/{number}", str(error).partition(": ")[2])
        shift = _shift(windows)
        if shift:
            yield Problem("bone_window_off", folder.name, f"by {shift:.0f} HU; corrected by the brain window")
        for number, (brain, bone) in windows.items():
            hu = hu_from_windows(brain, bone, shift)
            row = slice_row(folder.name, number, hu.shape, listed.get(number, NOT_KNOWN))
            row["source"] = f"Patients_CT/{folder.name}/{{brain,bone}}/{number}.jpg"
            row["position_mm"], row["thickness_mm"] = number * SLICE_MM, SLICE_MM
            row["boxes"] = [
                dict(zip(("kind", "x0", "y0", "x1", "y1"), b, strict=True)) for n, *b in boxes if n == number
            ]
            row["flags"] = ["bone_window_corrected"] if shift else []
            yield SliceRead(row, hu)

    def label(self, table: "pa.Table") -> Labelled:
        """The rows hold their labels already."""
        return Labelled(patients=read_patients(self.root, table))


def _shift(windows: dict[int, tuple[NDArray[np.uint8], NDArray[np.uint8]]]) -> float:
    """Of the whole scan; the slices may differ in size, so as one long row."""
    if not windows:
        return 0.0
    brain, bone = (np.concatenate([w[i].ravel() for w in windows.values()]) for i in (0, 1))
    return bone_window_shift(brain, bone)


def slice_row(patient: str, number: int, shape: tuple[int, ...], labels: tuple[int, ...]) -> dict[str, Any]:
    """What both releases have in common. Neither holds UIDs: the patient's number stands for study and series."""
    known = {name: None if v == UNKNOWN else v for name, v in zip(LABELS, labels, strict=True)}
    return {
        "slice_id": f"{patient}/{number}", "patient_id": patient, "study_uid": patient, "series_uid": patient,
        "instance_uid": "", "instance_number": number, "part": "", "modality": "CT", "rows": shape[0],
        "cols": shape[1], **known,
    }  # fmt: skip


def missing_patients(labels: SliceLabels, present: set[int]) -> list[Problem]:
    """Patients with labels but without images."""
    return [
        Problem(
            "missing_patient", f"patient {patient}", f"{len(labels.patients[patient])} slices are listed, none is there"
        )
        for patient in sorted(set(labels.patients) - present)
    ]


def unmatched(patient: str, listed: dict[int, tuple[int, ...]], numbers: list[int]) -> Iterator[Problem]:
    """Slices with labels but without image, and the other way round."""
    for number in sorted(set(listed) - set(numbers)):
        yield Problem("missing_slice", f"{patient}/{number}", "listed with labels, but there is no image")
    for number in sorted(set(numbers) - set(listed)):
        yield Problem("unlabelled_image", f"{patient}/{number}", "there is an image, but no row with labels")
