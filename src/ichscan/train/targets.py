"""What the slice network is shown for every slice: grey input, labels, and maps of where the blood is."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.anatomy import intracranial_mask
from ichscan.datasets.scan import Box, LabelledScan
from ichscan.labels import ANY, LABELS, TYPES
from ichscan.model.preprocess import grey_slice, prepare
from ichscan.model.spec import InputSpec
from ichscan.types import Float32, Int16

UInt8 = NDArray[np.uint8]

MAP: Final = 64
"""Side of the target maps: twice the network's, so that augmentation keeps thin bleeds."""
BLOOD_HU: Final = (45.0, 60.0)
"""Smoothed HU at which tissue starts to look like fresh blood, and surely does (clotted blood: 50-80 HU)."""
FEW_PIXELS: Final = 40
BLOOD_CLASSES: Final = (0, 1, 3)
"""Of the teacher's four classes: intraparenchymal, extra-axial, (not: oedema,) intraventricular."""
ASSUMED_MM: Final = 0.35
"""Pixel size where none is recorded (CT-ICH 1.0.0): an adult head is about 190 mm long and 550 pixels there."""


@dataclass(frozen=True, slots=True)
class Examples:
    """All slices of one scan, ready to augment.

    Attributes:
        patient: identifier; splits never separate what shares it.
        grey: uint8 (slices, channels, size, size).
        labels: uint8 (slices, 6).
        lesions: uint8 (slices, 6, 64, 64), 255 = surely this label.
        known: uint8 (slices, 6), 1 where the lesion map may be learned (a positive slice without box is not known).
        teacher: uint8 (slices, 4, 64, 64), the teacher's probabilities x 255, or all zero.
        taught: True where the teacher's maps exist.
        simulated: True for simulated bleeds: never evaluated on.
    """

    patient: str
    grey: UInt8
    labels: UInt8
    lesions: UInt8
    known: UInt8
    teacher: UInt8
    taught: bool
    simulated: bool = False


def real_examples(scan: LabelledScan, spec: InputSpec, teacher: UInt8 | None = None) -> Examples:
    """Examples of a labelled scan; lesion maps from its boxes.

    Args:
        scan: the labelled scan.
        spec: the input contract.
        teacher: uint8 (slices, 4, rows, cols) at any in-plane resolution of the whole image, or None.
    """
    prepared = prepare(scan.hu, scan.positions_mm, spec)
    inside = intracranial_mask(scan.hu, (ASSUMED_MM, ASSUMED_MM))
    n = len(scan.hu)
    lesions = np.zeros((n, len(LABELS), MAP, MAP), np.uint8)
    known = np.ones((n, len(LABELS)), np.uint8)
    soft = np.zeros((n, 4, MAP, MAP), np.uint8)
    for i in range(n):
        seen = _blood_seen(teacher[i], scan.hu.shape[1:]) if teacher is not None else None
        by_type = {kind: _box_map(scan.hu[i], inside[i], boxes, seen) for kind, boxes in _boxes_of(scan, i).items()}
        if seen is not None and not by_type and scan.labels[i, :ANY].sum() == 1 and (seen > 0.5).sum() >= FEW_PIXELS:
            by_type = {TYPES[int(scan.labels[i, :ANY].argmax())]: seen}  # no box, but the teacher sees the bleed
        for c, kind in enumerate(TYPES):
            if kind in by_type and scan.labels[i, c]:  # a few boxes name another type than the label does
                lesions[i, c] = crop_map(by_type[kind], prepared.boxes[i])
            elif scan.labels[i, c]:
                known[i, c] = 0
        everything = [crop_map(m, prepared.boxes[i]) for m in by_type.values()]
        lesions[i, ANY] = np.max(everything, axis=0) if everything else 0
        known[i, ANY] = int(bool(by_type)) if scan.labels[i, ANY] else 1
        if teacher is not None:
            scale = scan.hu.shape[1] / teacher.shape[2]
            for c in range(4):
                soft[i, c] = crop_map(teacher[i, c].astype(np.float32) / 255, prepared.boxes[i] / scale)
    grey = np.stack([grey_slice(prepared, i, spec) for i in range(n)])
    return Examples(scan.patient, grey, scan.labels, lesions, known, soft, taught=teacher is not None)


def simulated_examples(
    patient: str, hu: Int16, mask: NDArray[np.bool_], kind: str, positions_mm: NDArray[np.float64], spec: InputSpec
) -> Examples:
    """The slices that a simulated bleed touches (at least 20 pixels), with its mask as lesion map."""
    touched = np.flatnonzero(mask.sum(axis=(1, 2)) >= 20)
    prepared = prepare(hu, positions_mm, spec)
    c = LABELS.index(kind)
    labels = np.zeros((len(touched), len(LABELS)), np.uint8)
    labels[:, [c, ANY]] = 1
    lesions = np.zeros((len(touched), len(LABELS), MAP, MAP), np.uint8)
    for row, i in enumerate(touched):
        lesions[row, [c, ANY]] = crop_map(mask[i].astype(np.float32), prepared.boxes[i])
    grey = np.stack([grey_slice(prepared, int(i), spec) for i in touched]) if len(touched) else np.zeros((0,), np.uint8)
    teacher = np.zeros((len(touched), 4, MAP, MAP), np.uint8)
    return Examples(patient, grey, labels, lesions, np.ones_like(labels), teacher, taught=False, simulated=True)


def crop_map(values: Float32, box: NDArray[np.generic]) -> UInt8:
    """Cuts the square `box` (top, left, side) out of float32 (rows, cols) in [0, 1]: uint8 (64, 64), area-averaged.

    The average is stretched by 3: a cell counts as lesion when a third of it is.
    """
    top, left, side = (float(v) for v in box)
    scale = MAP * 4 / side
    transform = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]], np.float32)
    fine = cv2.warpAffine(values, transform, (MAP * 4, MAP * 4), flags=cv2.INTER_LINEAR)
    cells = cv2.resize(fine, (MAP, MAP), interpolation=cv2.INTER_AREA)
    return np.rint(np.clip(cells * 3, 0, 1) * 255).astype(np.uint8)


def _boxes_of(scan: LabelledScan, index: int) -> dict[str, list[Box]]:
    found: dict[str, list[Box]] = {}
    for box in scan.boxes:
        if box.slice_index == index:
            found.setdefault(box.kind, []).append(box)
    return found


def _blood_seen(teacher: UInt8, shape: tuple[int, ...]) -> Float32:
    """The teacher's probability of any blood at full resolution: float32 (rows, cols)."""
    blood = teacher[list(BLOOD_CLASSES)].astype(np.float32).sum(axis=0) / 255
    return np.asarray(
        cv2.resize(np.clip(blood, 0, 1), (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32
    )


def _box_map(hu: Int16, inside: NDArray[np.bool_], boxes: list[Box], seen: Float32 | None) -> Float32:
    """How surely each pixel in the boxes is blood: dense tissue inside the skull, or what the teacher sees there.

    Old or thin blood is neither; then the whole box is all that is known.
    """
    tissue = np.clip(hu.astype(np.float32), 0, 80)
    smooth = cv2.GaussianBlur(tissue, (0, 0), 3.0)
    dense = np.clip((smooth - BLOOD_HU[0]) / (BLOOD_HU[1] - BLOOD_HU[0]), 0, 1) * inside
    out = np.zeros(hu.shape, np.float32)
    for box in boxes:
        y, x = slice(int(box.y0), int(np.ceil(box.y1))), slice(int(box.x0), int(np.ceil(box.x1)))
        part = dense[y, x] if seen is None or (seen[y, x] > 0.5).sum() < FEW_PIXELS else seen[y, x]
        if (part > 0.5).sum() < FEW_PIXELS:
            part = 0.3 * inside[y, x].astype(np.float32)
        out[y, x] = np.maximum(out[y, x], part)
    return out
