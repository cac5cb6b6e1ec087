"""Chooses which stacks are analysed, and says why the others are not."""

import re
from collections import defaultdict
from typing import Final

import numpy as np

from ichscan.dicom.header import Instance
from ichscan.dicom.refusal import normal
from ichscan.dicom.series import Series
from ichscan.dicom.stacks import Stack
from ichscan.dicom.unjudged import SHORT

MIN_SLICES: Final = 3
"""Fewest slices of a scan: a slice with a neighbour on either side."""

HEAD_COVERAGE_MM: Final = 90.0
BONE_WINDOW: Final = 1000.0
_BONE_WORD: Final = re.compile(r"\bBONE|KNOCHEN|OSSEUX|HUESO|\bOSSO|PETROUS", re.I)
_SHARP_WORD: Final = re.compile(r"BONE|EDGE|ULTRA|SHARP|LUNG", re.I)
_NUMBERED_KERNEL: Final = re.compile(r"^[A-Z]{1,2}(\d{2})", re.I)
_SHARP_FC: Final = re.compile(r"^FC(3\d|8\d)", re.I)
_SHARP_PHILIPS: Final = {"D", "E", "YC", "YD", "YE", "YF"}
SHARP_NUMBER: Final = 58
"""Siemens kernels (H60s, Hr59, J70h) are numbered by sharpness."""


def choose(stacks: list[Stack]) -> tuple[Series, ...]:
    """Turns stacks into series with reasons and warnings.

    Rules, in this order: the refusal of the single images (see `refusal`), fewer than `MIN_SLICES` slices, a bone
    kernel or a derived stack when the study holds the same slices with a soft-tissue kernel or as acquired.
    """
    for stack in stacks:
        if stack.reason is None:
            stack.reason = _too_few(stack)
    studies: dict[tuple[str, str], list[Stack]] = defaultdict(list)
    for stack in stacks:
        if stack.reason is None:
            studies[(stack.first.patient_key, stack.first.study_uid)].append(stack)
    for study in studies.values():
        _refuse_twins(study)
    return tuple(_series(stack) for stack in stacks)


def _too_few(stack: Stack) -> str | None:
    # The same SOP Instance UID twice is one slice that was copied.
    count = len({(i.sop_uid, i.frame) if i.sop_uid else id(i) for i in stack.instances})
    if count >= MIN_SLICES:
        return None
    slices = "1 slice" if count == 1 else f"{count} slices"
    copies = f" ({len(stack.instances)} copies)" if len(stack.instances) > count else ""
    return f"{slices}{copies}: fewer than the {MIN_SLICES} that a scan needs"


def is_bone(instance: Instance) -> bool:
    """Whether the reconstruction is sharp: by Convolution Kernel (0018,1210), description, then window width."""
    kernel = instance.kernel.upper()
    if kernel:
        if kernel in _SHARP_PHILIPS or _SHARP_FC.match(kernel) or _SHARP_WORD.search(kernel):
            return True
        numbered = _NUMBERED_KERNEL.match(kernel)
        if numbered and not kernel.startswith("FC"):
            return int(numbered.group(1)) >= SHARP_NUMBER
        return False
    if _BONE_WORD.search(instance.series_description):
        return True
    return instance.window_width is not None and instance.window_width >= BONE_WINDOW


def _is_derived(instance: Instance) -> bool:
    # Lossy compression alone makes an image DERIVED (PS3.3 C.7.6.1.1.2); that is no reformat.
    return "DERIVED" in instance.tokens[:1] and not instance.pixels.lossy


def _refuse_twins(study: list[Stack]) -> None:
    soft = [stack for stack in study if not is_bone(stack.first)]
    for stack in study:
        if not is_bone(stack.first):
            continue
        if any(_same_place(stack, twin) for twin in soft):
            stack.reason = "a bone (sharp) kernel, and the study holds the same slices with a soft-tissue kernel"
        else:
            stack.warnings.append("Sharp (bone) kernel: noisier than the images the model was trained on.")
    acquired = [stack for stack in soft if not _is_derived(stack.first)]
    for stack in soft:
        if not _is_derived(stack.first):
            continue
        if any(_same_place(stack, twin) for twin in acquired):
            stack.reason = "derived (reformatted) images, and the study holds the slices they were made from"
        else:
            stack.warnings.append("Image Type (0008,0008) says that the images are derived, not as acquired.")


def _same_place(one: Stack, other: Stack) -> bool:
    """Same frame of reference, and at least half of the shorter stack's range is in both."""
    if one.first.frame_of_reference != other.first.frame_of_reference:
        return False
    a, b = _range(one), _range(other)
    if a is None or b is None:
        return a is b
    overlap = min(a[1], b[1]) - max(a[0], b[0])
    return overlap >= 0.5 * min(a[1] - a[0], b[1] - b[0])


def _range(stack: Stack) -> tuple[float, float] | None:
    """Extent along the patient's long axis, mm; by z, so that stacks of different tilt compare."""
    z = [instance.position[2] for instance in stack.instances if instance.position is not None]
    return (min(z), max(z)) if z else None


def _series(stack: Stack) -> Series:
    first, count = stack.first, len(stack.instances)
    pixels = first.pixels
    said = f", {first.series_description[:64]}" if first.series_description else ""
    description = f"{first.modality or 'no modality'}{said}, {pixels.columns} x {pixels.rows}"
    return Series(
        first.study_uid, first.series_uid, description, count, stack.reason, tuple(_warnings(stack)),
        tuple(stack.instances),
    )  # fmt: skip


def _warnings(stack: Stack) -> list[str]:
    if stack.reason is not None:
        return []
    notes, first = list(stack.warnings), stack.first
    if any(instance.contrast for instance in stack.instances):
        notes.append("Contrast agent (0018,0010) is recorded: contrast can look like blood; the model knows none.")
    if any(i.pixels.lossy or i.pixels.transfer_syntax in LOSSY for i in stack.instances):
        notes.append("Lossy compressed: small bleeds may be lost or altered.")
    if not first.modality:
        notes.append("Modality (0008,0060) is absent: taken for CT.")
    covered = _coverage(stack)
    if covered is not None and covered < HEAD_COVERAGE_MM:
        notes.append(f"{SHORT}{covered:.0f} mm, less than a whole head: the rest is not judged.")
    return notes


def _coverage(stack: Stack) -> float | None:
    placed = [i for i in stack.instances if i.position is not None and i.orientation is not None]
    if not placed or placed[0].orientation is None:
        return None
    along = np.array([i.position for i in placed]) @ normal(placed[0].orientation)
    return float(along.max() - along.min()) + (placed[0].thickness_mm or 0.0)


LOSSY: Final = {
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.53", "1.2.840.10008.1.2.4.55",
    "1.2.840.10008.1.2.4.81",
}  # fmt: skip
"""Transfer syntaxes that are always lossy; the others are judged by Lossy Image Compression (0028,2110)."""
