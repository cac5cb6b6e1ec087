"""Single DICOM slices, each read on its own, to rows of a store.

A collection of 870,000 loose files is never grouped in memory: every slice is read once, by any process, and its series
is put together from the rows afterwards.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from ichscan.datasets.collection import Problem, SliceRead
from ichscan.dicom.choose import LOSSY, is_bone
from ichscan.dicom.fragments import read_frames
from ichscan.dicom.header import Instance, instance_from, looks_like_dicom, number, read_dataset, text
from ichscan.dicom.hu import INVERTED, NO_RESCALE, PADDED_TISSUE, WRAPPED, to_hu
from ichscan.dicom.multiframe import frames_of
from ichscan.dicom.pixels import decode
from ichscan.dicom.refusal import normal, refusal
from ichscan.dicom.source import BytesSource, Source
from ichscan.errors import NotDicomError, PixelError, UnreadableFileError

MAX_FILE: Final = 2 << 30
FLAGS: Final = {
    WRAPPED: "wrapped_12_bit",
    NO_RESCALE.partition("{")[0]: "rescale_guessed",
    PADDED_TISSUE: "padding_in_tissue",
    INVERTED: "monochrome1",
}


def read_loose(source: Source, name: str, *, public: bool = False) -> Iterator[SliceRead | Problem]:
    """The slices of one DICOM file: one, or the frames of a multi-frame image; nothing for a file of another kind.

    The caller silences pydicom (`quiet_pydicom`), once for many files.

    Args:
        source: the file.
        name: how tables and problems name it.
        public: Patient ID (0010,0020) is a published pseudonym and kept; otherwise only a digest of it.

    Returns:
        Rows with identity, geometry, header values and flags (without labels and part), or what is wrong.
    """
    try:
        if source.size > MAX_FILE:
            raise UnreadableFileError(f"{source.name}: {source.size:,} bytes, at most {MAX_FILE:,} are read")
        held = BytesSource(name, source.read())
    except OSError as error:
        yield Problem("unreadable", name, f"cannot be read ({error.strerror or error})")
        return
    except UnreadableFileError as error:
        yield Problem("unreadable", name, _without_name(error))
        return
    if not looks_like_dicom(held.data[:352]):
        if name.lower().endswith((".dcm", ".dicom")):
            what = "an empty file" if not held.data else "a file of another kind"
            yield Problem("unreadable", name, f"expected an image as the name says, found {what}")
        return
    yield from _slices(held, public)


def _slices(source: BytesSource, public: bool) -> Iterator[SliceRead | Problem]:
    try:
        dataset, offset = read_dataset(source)
        whole = instance_from(dataset, source, offset)
        facts: dict[str, Any] = {
            "manufacturer": text(dataset, "Manufacturer") or None,
            "window_center": number(dataset, "WindowCenter"),
        }
        if public:
            facts["patient_id"] = text(dataset, "PatientID") or whole.patient_key
        several = whole.pixels.frames > 1 or "PerFrameFunctionalGroupsSequence" in dataset
        instances = list(frames_of(dataset, whole)) if several else [whole]
    except NotDicomError:
        return
    except UnreadableFileError as error:
        yield Problem("unreadable", source.name, _without_name(error))
        return
    frames: list[memoryview] | None = None
    for instance in instances:
        reason = refusal(instance)
        if reason is not None:
            yield Problem("unreadable" if instance.pixels.offset is None else "refused", source.name, reason)
            return
        try:
            frames = read_frames(instance) if frames is None else frames
            if instance.frame >= len(frames):
                raise PixelError(f"{source.name}: expected {instance.pixels.frames} frames, found {len(frames)}")
            converted = to_hu(decode(frames[instance.frame], instance), instance)
        except (PixelError, UnreadableFileError) as error:
            yield Problem("unreadable", source.name, _without_name(error))
            continue
        row = {**_row(instance), **facts, "flags": [*_flags(instance), *(_flag(note) for note in converted.notes)]}
        yield SliceRead(row, converted.hu)


def _without_name(error: Exception) -> str:
    """The sentence of an error without the file's name in front of it."""
    said = str(error)
    return said.partition(": ")[2] or said


def _flag(note: str) -> str:
    return next((flag for start, flag in FLAGS.items() if note.startswith(start)), note)


def _flags(instance: Instance) -> list[str]:
    lossy = instance.pixels.lossy or instance.pixels.transfer_syntax in LOSSY
    found = {
        "sharp_kernel": is_bone(instance),
        "derived": "DERIVED" in instance.tokens[:1] and not instance.pixels.lossy,
        "contrast": instance.contrast,
        "lossy": lossy,
    }
    return [name for name, present in found.items() if present]


def _row(instance: Instance) -> dict[str, Any]:
    pixels, position, spacing = instance.pixels, instance.position, instance.spacing or (None, None)
    frame = f"#{instance.frame + 1}" if pixels.frames > 1 else ""
    x, y, z = position if position is not None else (None, None, None)
    return {
        "slice_id": (instance.sop_uid or instance.source.name) + frame,
        "patient_id": instance.patient_key,
        "study_uid": instance.study_uid or instance.source.folder,
        "series_uid": instance.series_uid or instance.source.folder,
        "instance_uid": instance.sop_uid,
        "instance_number": instance.instance_number if not frame else instance.frame + 1,
        "position_mm": _along_normal(instance),
        "part": "",
        "source": instance.source.name,
        "rows": pixels.rows,
        "cols": pixels.columns,
        "pixel_row_mm": spacing[0],
        "pixel_col_mm": spacing[1],
        "thickness_mm": instance.thickness_mm,
        "x_mm": x,
        "y_mm": y,
        "z_mm": z,
        "plane": instance.orientation,
        "modality": instance.modality or None,
        "kernel": instance.kernel or None,
        "description": instance.series_description or None,
        "photometric": pixels.photometric,
        "bits_allocated": pixels.bits_allocated,
        "bits_stored": pixels.bits_stored,
        "high_bit": pixels.high_bit,
        "pixel_representation": int(pixels.signed),
        "window_width": instance.window_width,
        "rescale_slope": instance.slope,
        "rescale_intercept": instance.intercept,
    }


def _along_normal(instance: Instance) -> float | None:
    """Projection of the position on the slice normal, mm; axial when no orientation is recorded."""
    if instance.position is None:
        return None
    axis = normal(instance.orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    return float(np.dot(instance.position, axis))
