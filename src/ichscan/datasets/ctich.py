"""PhysioNet CT-ICH, release 1.0.0: 8-bit JPEG slices in two windows -> HU, with labels per slice.

Hssayeni et al., Data 2020, 5, 14 (doi 10.13026/w8q8-ky94), CC BY 4.0.
"""

import csv
import logging
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.scan import Box, LabelledScan
from ichscan.errors import DataError
from ichscan.labels import TYPES
from ichscan.types import Int16

log = logging.getLogger(__name__)

BRAIN: Final = (40.0, 120.0)
BONE: Final = (700.0, 3200.0)
SLICE_MM: Final = 5.0
COLUMNS: Final = ("Epidural", "Intraparenchymal", "Intraventricular", "Subarachnoid", "Subdural")
JPEG_MARGIN: Final = 3
"""Grey levels next to 0 and 255 are not trusted: JPEG noise makes saturated pixels look unsaturated."""
SHIFT_HU: Final = 25.0
LEAST_PIXELS: Final = 1000
AGREE_HU: Final = 80.0
"""Where the bone window is further off than this, the brain window's value is ringing at an edge of bone or air."""


def hu_from_windows(brain: NDArray[np.uint8], bone: NDArray[np.uint8], bone_shift: float = 0.0) -> Int16:
    """HU from two 8-bit windows: brain 40/120 where it is not saturated, bone 700/3200 elsewhere.

    Args:
        brain: uint8, any shape.
        bone: uint8, the same shape.
        bone_shift: HU by which the bone window was really centered lower; see `bone_window_shift`.

    Returns:
        int16 of the same shape, HU; to about 0.5 HU (plus JPEG noise) inside the brain window, 6 HU outside it.
    """
    fine, coarse = _hu(brain, BRAIN), _hu(bone, BONE) - np.float32(bone_shift)
    unsaturated = (brain >= JPEG_MARGIN) & (brain <= 255 - JPEG_MARGIN)
    trusted = unsaturated & (np.abs(coarse - fine) < AGREE_HU)
    return np.rint(np.where(trusted, fine, coarse)).astype(np.int16)


def bone_window_shift(brain: NDArray[np.uint8], bone: NDArray[np.uint8]) -> float:
    """How far the bone window of a scan is off, in HU: one patient of the collection was exported with another one.

    The median difference where the brain window is not saturated; 0 when it is within what noise explains, or when
    there is nothing to compare.
    """
    unsaturated = (brain >= JPEG_MARGIN) & (brain <= 255 - JPEG_MARGIN)
    if unsaturated.sum() < LEAST_PIXELS:
        return 0.0
    shift = float(np.median(_hu(bone[unsaturated], BONE) - _hu(brain[unsaturated], BRAIN)))
    return shift if abs(shift) > SHIFT_HU else 0.0


def _hu(grey: NDArray[np.uint8], window: tuple[float, float]) -> NDArray[np.float32]:
    center, width = window
    return np.asarray(grey.astype(np.float32) * (width / 255) + (center - width / 2), np.float32)


def read_ctich(root: Path) -> Iterator[LabelledScan]:
    """Yields the patients of a CT-ICH 1.0.0 folder, one at a time, by ascending patient number.

    Slices listed without images are logged and left out. Raises DataError when labels are missing, contradict each
    other, or an image cannot be read.
    """
    labels = _read_labels(root / "hemorrhage_diagnosis.csv")
    boxes = _read_boxes(root / "hemorrhage_boxes.csv")
    folders = sorted((p for p in (root / "Patients_CT").glob("*") if p.is_dir()), key=lambda p: int(p.name))
    if not folders:
        raise DataError(f"{root}: expected Patients_CT/<patient>/{{brain,bone}}/<slice>.jpg, found no patient folder")
    for folder in folders:
        patient = int(folder.name)
        listed = labels.get(patient)
        if listed is None:
            raise DataError(f"{folder}: patient {patient} has images but no row in hemorrhage_diagnosis.csv")
        numbers = sorted(int(p.stem) for p in (folder / "brain").glob("*.jpg"))
        unlabelled = sorted(set(numbers) - set(listed))
        if unlabelled:
            raise DataError(f"{folder}: slices {unlabelled} have images but no label row")
        missing = sorted(set(listed) - set(numbers))
        if missing:
            log.warning("CT-ICH patient %d: %d listed slices have no image: %s", patient, len(missing), missing)
        brain, bone = (np.stack([_grey(folder / w / f"{n}.jpg") for n in numbers]) for w in ("brain", "bone"))
        shift = bone_window_shift(brain, bone)
        if shift:
            log.warning(
                "CT-ICH patient %d: the bone window is off by %.0f HU; corrected by the brain window", patient, shift
            )
        index = {number: i for i, number in enumerate(numbers)}
        yield LabelledScan(
            patient=folder.name,
            hu=hu_from_windows(brain, bone, shift),
            positions_mm=np.array(numbers, np.float64) * SLICE_MM,
            slice_numbers=tuple(numbers),
            labels=np.array([listed[n] for n in numbers], np.uint8),
            boxes=tuple(Box(index[n], kind, *corners) for n, kind, *corners in boxes.get(patient, []) if n in index),
        )


def _grey(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path}: expected a JPEG slice, found a missing or unreadable file")
    return np.asarray(image, np.uint8)


def _read_labels(path: Path) -> dict[int, dict[int, tuple[int, ...]]]:
    """Patient -> slice number -> six labels; `any` is the union, checked against No_Hemorrhage."""
    table: dict[int, dict[int, tuple[int, ...]]] = defaultdict(dict)
    for row in _rows(path):
        patient, number = int(row["PatientNumber"]), int(row["SliceNumber"])
        types = tuple(int(row[column]) for column in COLUMNS)
        any_bleed = int(any(types))
        if any_bleed == int(row["No_Hemorrhage"]):
            raise DataError(
                f"{path}: patient {patient} slice {number}: the types and No_Hemorrhage contradict each other"
            )
        if number in table[patient]:
            raise DataError(f"{path}: patient {patient} slice {number} is listed twice")
        table[patient][number] = (*types, any_bleed)
    return table


def _read_boxes(path: Path) -> dict[int, list[tuple[int, str, float, float, float, float]]]:
    """Patient -> (slice number, type, x0, y0, x1, y1); empty when the collection has no boxes."""
    table: dict[int, list[tuple[int, str, float, float, float, float]]] = defaultdict(list)
    for row in _rows(path) if path.exists() else []:
        kind = row["Subtype"].strip().lower()
        if kind not in TYPES:
            raise DataError(f"{path}: expected a subtype of {TYPES}, found {kind!r}")
        x0, y0, x1, y1 = (float(row[c]) for c in ("x0", "y0", "x1", "y1"))
        table[int(row["PatientNumber"])].append((int(row["SliceNumber"]), kind, x0, y0, x1, y1))
    return table


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise DataError(f"{path}: cannot read the labels ({error.strerror})") from error
