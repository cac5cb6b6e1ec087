"""CT-ICH 1.3.1 (NIfTI volumes, lesion masks) for the import.

Layout: ct_scans/<patient>.nii and masks/<patient>.nii with three digits, hemorrhage_diagnosis_raw_ct.csv per slice,
Patient_demographics.csv. SliceNumber n is the n-th slice of the file, whatever its direction. Masks are 0 and 255 and
do not tell types apart.
"""

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.collection import Batch, Labelled, Plan, Problem, SliceRead
from ichscan.datasets.ctich_import import missing_patients, slice_row, unmatched
from ichscan.datasets.ctich_labels import NOT_KNOWN, read_slice_labels
from ichscan.datasets.ctich_patients import demographics, read_patients
from ichscan.datasets.fingerprint import file_digest, listing
from ichscan.dicom.nifti import is_nifti, nifti_series
from ichscan.dicom.series import Series
from ichscan.dicom.source import FileSource
from ichscan.dicom.volume import load_volume
from ichscan.errors import DataError, InputError, UnreadableFileError
from ichscan.labels import ANY, LABELS, TYPES
from ichscan.types import Volume

if TYPE_CHECKING:
    import pyarrow as pa

LABEL_FILE: Final = "hemorrhage_diagnosis_raw_ct.csv"
NAME: Final = re.compile(r"^(\d+)\.nii(\.gz)?$")
_read_labels = cache(read_slice_labels)


@dataclass(frozen=True, slots=True)
class CtIchVolumes:
    """A folder in the layout of release 1.3.1: one batch is one patient."""

    root: Path
    kind: str = "ct-ich"

    def plan(self) -> Plan:
        """Lists the patients; raises DataError when there are none or no labels."""
        files = volumes(self.root / "ct_scans")
        if not files:
            raise DataError(f"{self.root}: expected ct_scans/<patient>.nii, found none")
        labels = read_slice_labels(self.root / LABEL_FILE)
        listed = [
            (f"{folder}/{f.name}", f.stat().st_size)
            for folder in ("ct_scans", "masks")
            for f in volumes(self.root / folder)
        ]
        fingerprint = {"release": "1.3.1", **listing(listed), "labels": file_digest(self.root / LABEL_FILE)}
        present = {patient_number(f) for f in files}
        problems = [*labels.problems, *missing_patients(labels, present)]
        for patient in sorted(set(demographics(self.root)) - present - set(labels.patients)):
            problems.append(Problem("missing_patient", f"patient {patient}", "in the demographics, but without images"))
        batches = [Batch((f.name,), max(len(labels.patients.get(patient_number(f), ())), 1)) for f in files]
        return Plan(batches, len(batches), sum(b.size for b in batches), fingerprint, tuple(problems))

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        """The slices of one patient, with the boxes of the mask's connected parts."""
        path = self.root / "ct_scans" / batch.items[0]
        patient = f"{patient_number(path):03d}"
        try:
            series = _series(path)
            volume = load_volume(series, force=True)
            numbers = slice_numbers(path)
        except InputError as error:
            yield Problem("unreadable", f"ct_scans/{path.name}", str(error).partition(": ")[2])
            return
        if series.reason is not None:
            yield Problem("odd_volume", f"ct_scans/{path.name}", series.reason)
        listed = _read_labels(self.root / LABEL_FILE).patients.get(int(patient), {})
        yield from unmatched(patient, listed, sorted(numbers))
        mask = yield from self._mask(path.name, volume)
        for i, number in enumerate(numbers):
            labels = listed.get(number, NOT_KNOWN)
            row = slice_row(patient, number, volume.hu[i].shape, labels)
            row |= _geometry(volume, i)
            row["source"] = f"ct_scans/{path.name}"
            row["boxes"] = [] if mask is None else mask_boxes(mask[i], labels)
            if mask is not None and labels[ANY] in (0, 1) and bool(mask[i].any()) != bool(labels[ANY]):
                yield Problem(
                    "mask_mismatch", row["slice_id"], f"labels say any = {labels[ANY]}, the mask says otherwise"
                )
            yield SliceRead(row, volume.hu[i])

    def _mask(self, name: str, volume: Volume) -> Generator[Problem, None, NDArray[np.bool_] | None]:
        path = self.root / "masks" / name
        if not path.exists():
            yield Problem("missing_mask", f"masks/{name}", "there is no mask of this patient")
            return None
        try:
            mask = _canonical(path)
        except DataError as error:
            yield Problem("unreadable", f"masks/{name}", str(error).partition(": ")[2])
            return None
        if mask.shape != volume.hu.shape:
            yield Problem("mask_mismatch", f"masks/{name}", f"expected {volume.hu.shape} voxels, found {mask.shape}")
            return None
        return np.asarray(mask != 0, np.bool_)

    def label(self, table: "pa.Table") -> Labelled:
        """The rows hold their labels already."""
        return Labelled(patients=read_patients(self.root, table))


def _series(path: Path) -> Series:
    source = FileSource(path, path.stat().st_size)
    with source.open() as stream:
        if not is_nifti(path.name, stream.read(540)):
            raise UnreadableFileError(f"{path}: expected a NIfTI volume, found something else; download it again")
    return nifti_series(source)


def volumes(folder: Path) -> list[Path]:
    """NIfTI files named by patient, by ascending number."""
    return sorted((p for p in folder.glob("*") if NAME.match(p.name)), key=patient_number)


def patient_number(path: Path) -> int:
    """49 of `049.nii`."""
    return int(path.name.partition(".")[0])


def slice_numbers(path: Path) -> list[int]:
    """SliceNumber, counted from 1 along the file's third axis, of each slice from inferior to superior.

    Raises:
        DataError: the third axis of the file is not the one from feet to head.
    """
    import nibabel as nib

    image: Any = nib.load(path)
    codes: Any = nib.orientations.aff2axcodes
    direction = codes(image.affine)[2]
    count = int(image.shape[2])
    if direction not in ("S", "I"):
        raise DataError(f"{path}: expected slices along the third axis, found axial slices along another one")
    return list(range(1, count + 1)) if direction == "S" else list(range(count, 0, -1))


def _canonical(path: Path) -> NDArray[Any]:
    """Values of a volume (slices, rows, cols), turned like `ichscan.dicom.nifti` turns images."""
    import nibabel as nib

    try:
        turned: Any = nib.as_closest_canonical
        values = np.asarray(turned(nib.load(path)).dataobj)
    except (OSError, EOFError, ValueError, nib.filebasedimages.ImageFileError) as error:
        raise DataError(f"{path}: cannot be read ({error}); download it again") from error
    if values.ndim != 3:
        raise DataError(f"{path}: expected a volume of three dimensions, found {values.ndim}")
    return values[::-1, ::-1].transpose(2, 1, 0)


def _geometry(volume: Volume, index: int) -> dict[str, Any]:
    rows_mm, cols_mm = volume.spacing_mm or (None, None)
    x, y, z = (None,) * 3 if volume.origins is None else (float(v) for v in volume.origins[index])
    steps = np.diff(volume.positions_mm)
    return {
        "position_mm": float(volume.positions_mm[index]), "pixel_row_mm": rows_mm, "pixel_col_mm": cols_mm,
        "thickness_mm": float(np.median(steps)) if len(steps) else None, "x_mm": x, "y_mm": y, "z_mm": z,
        "plane": volume.orientation,
    }  # fmt: skip


def mask_boxes(mask: NDArray[np.bool_], labels: tuple[int, ...]) -> list[dict[str, Any]]:
    """Bounding boxes (pixels, half-open) of the connected parts of a mask (rows, cols).

    A part is of the slice's type when it has exactly one, otherwise of kind `any`: masks do not tell types apart.
    """
    types = [name for name, value in zip(TYPES, labels, strict=False) if value == 1]
    kind = types[0] if len(types) == 1 else LABELS[ANY]
    _, _, stats, _ = cv2.connectedComponentsWithStats(np.ascontiguousarray(mask, np.uint8))
    return [
        {"kind": kind, "x0": float(x), "y0": float(y), "x1": float(x + w), "y1": float(y + h)}
        for x, y, w, h, _ in stats[1:].tolist()
    ]
