"""PhysioNet CT-ICH, release 1.0.0: 8-bit JPEG slices in two windows -> HU, with labels per slice.

Hssayeni et al., Data 2020, 5, 14 (doi 10.13026/w8q8-ky94), CC BY 4.0.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.ctich_labels import Box as BoxRow
from ichscan.datasets.ctich_labels import read_boxes, read_slice_labels
from ichscan.datasets.scan import Box, LabelledScan
from ichscan.errors import DataError
from ichscan.types import Int16

log = logging.getLogger(__name__)

BRAIN: Final = (40.0, 120.0)
BONE: Final = (700.0, 3200.0)
SLICE_MM: Final = 5.0
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


def patient_folders(root: Path) -> list[Path]:
    """Folders of the patients of a CT-ICH 1.0.0 collection, by ascending patient number.

    Raises:
        DataError: there are none.
    """
    found = [p for p in (root / "Patients_CT").glob("*") if p.is_dir() and p.name.isdecimal()]
    if not found:
        raise DataError(f"{root}: expected Patients_CT/<patient>/{{brain,bone}}/<slice>.jpg, found no patient folder")
    return sorted(found, key=lambda p: int(p.name))


def slice_numbers(folder: Path) -> list[int]:
    """Numbers of the slices of a patient, ascending: those with a picture in the brain window."""
    return sorted(int(p.stem) for p in (folder / "brain").glob("*.jpg") if p.stem.isdecimal())


def read_windows(folder: Path, number: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """The brain and the bone window of a slice, each uint8 (rows, cols).

    Raises:
        DataError: a picture is missing or unreadable, or they differ in size.
    """
    brain, bone = (_grey(folder / window / f"{number}.jpg") for window in ("brain", "bone"))
    if brain.shape != bone.shape:
        raise DataError(f"{folder / 'bone' / f'{number}.jpg'}: expected {brain.shape} pixels, found {bone.shape}")
    return brain, bone


def read_ctich(root: Path) -> Iterator[LabelledScan]:
    """Yields the patients of a CT-ICH 1.0.0 folder, one at a time, by ascending patient number.

    Slices listed without images are logged and left out. Raises DataError when labels are missing, contradict each
    other, or an image cannot be read.
    """
    labels = read_slice_labels(root / "hemorrhage_diagnosis.csv")
    if labels.problems:
        raise DataError(f"{root}: {labels.problems[0].where}: {labels.problems[0].detail}")
    boxes = read_boxes(root / "hemorrhage_boxes.csv")
    for folder in patient_folders(root):
        patient = int(folder.name)
        if patient not in labels.patients:
            raise DataError(f"{folder}: patient {patient} has images but no row in hemorrhage_diagnosis.csv")
        yield _scan(folder, labels.patients[patient], boxes.get(patient, []))


def _scan(folder: Path, listed: dict[int, tuple[int, ...]], boxes: list[BoxRow]) -> LabelledScan:
    numbers = slice_numbers(folder)
    unlabelled = sorted(set(numbers) - set(listed))
    if unlabelled:
        raise DataError(f"{folder}: slices {unlabelled} have images but no label row")
    missing = sorted(set(listed) - set(numbers))
    if missing:
        log.warning("CT-ICH patient %s: %d listed slices have no image: %s", folder.name, len(missing), missing)
    brain, bone = (np.stack(w) for w in zip(*(read_windows(folder, n) for n in numbers), strict=True))
    shift = bone_window_shift(brain, bone)
    if shift:
        log.warning(
            "CT-ICH patient %s: the bone window is off by %.0f HU; corrected by the brain window", folder.name, shift
        )
    index = {number: i for i, number in enumerate(numbers)}
    return LabelledScan(
        patient=folder.name,
        hu=hu_from_windows(brain, bone, shift),
        positions_mm=np.array(numbers, np.float64) * SLICE_MM,
        slice_numbers=tuple(numbers),
        labels=np.array([listed[n] for n in numbers], np.uint8),
        boxes=tuple(Box(index[n], kind, *corners) for n, kind, *corners in boxes if n in index),
    )


def _grey(path: Path) -> NDArray[np.uint8]:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise DataError(f"{path}: expected a JPEG slice, found a missing or unreadable file")
    return np.asarray(image, np.uint8)
