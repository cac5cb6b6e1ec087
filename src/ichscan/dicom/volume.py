"""Series to Volume: the slices in order, in HU."""

import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np

from ichscan.dicom.archive import release_nested
from ichscan.dicom.fragments import read_frames
from ichscan.dicom.header import Instance
from ichscan.dicom.hu import to_hu
from ichscan.dicom.order import Ordered, gaps, in_order
from ichscan.dicom.pixels import decode
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.dicom.refusal import pixel_fault
from ichscan.dicom.series import NiftiFile, Series, WindowedImages
from ichscan.dicom.unjudged import LEFT_OUT
from ichscan.errors import NotAnalysableError, PixelError, UnreadableFileError
from ichscan.types import Int16, Volume

MAX_VOXELS: Final = 1 << 30
MAX_CORRUPT: Final = 1 / 3
THREADS: Final = 4
FRAMES_PER_JOB: Final = 8


def load_volume(series: Series, *, force: bool = False) -> Volume:
    """Reads the pixels of a series.

    Single corrupt slices are left out with a warning; from a third of the series on, that is an error.

    Args:
        series: from `open_series`.
        force: read it although it has a reason not to be analysed (to look at it or to test a decoder).

    Raises:
        NotAnalysableError: the series has a reason not to be analysed, or is too large.
        PixelError: pixel data absent, short, corrupt or without decoder.
        GeometryError: the slices cannot be put in order.
        UnreadableFileError: a file vanished or cannot be read.
    """
    if series.reason is not None and not force:
        raise NotAnalysableError(f"{series.description}: {series.reason}")
    content = series.instances
    if isinstance(content, NiftiFile):
        from ichscan.dicom.nifti import load_nifti

        return load_nifti(series, content)
    if isinstance(content, WindowedImages):
        from ichscan.dicom.images import load_images

        return load_images(series, content)
    try:
        return _load(series, in_order(content))
    finally:
        release_nested()


def _load(series: Series, ordered: Ordered) -> Volume:
    instances = ordered.instances
    first = instances[0]
    fault = pixel_fault(first.pixels)
    if fault is not None:
        raise PixelError(f"{first.source.name}: {fault}")
    shape = (len(instances), first.pixels.rows, first.pixels.columns)
    if np.prod(shape, dtype=np.int64) > MAX_VOXELS:
        raise NotAnalysableError(
            f"{series.description}: {shape[0]} x {shape[1]} x {shape[2]} voxels, at most {MAX_VOXELS:,} are accepted"
        )
    hu = np.empty(shape, dtype=np.int16)
    faults, notes = _fill(hu, instances)
    good = [index for index in range(len(instances)) if index not in faults]
    if faults:
        worst = faults[min(faults)]
        if len(faults) > MAX_CORRUPT * len(instances):
            raise type(worst)(f"{len(faults)} of {len(instances)} slices cannot be read, the first: {worst}")
        hu = hu[good]
    kept = [instances[index] for index in good]
    positions = ordered.positions_mm[good]
    return Volume(
        hu=hu,
        positions_mm=positions,
        spacing_mm=first.spacing,
        orientation=first.orientation,
        origins=_origins(kept),
        sop_instance_uids=tuple(instance.sop_uid for instance in kept),
        files=tuple(instance.source.name for instance in kept),
        study_instance_uid=series.study_instance_uid,
        series_instance_uid=series.series_instance_uid,
        tilt_deg=ordered.tilt_deg,
        gaps=gaps(positions),
        warnings=(
            *series.warnings, *ordered.warnings, *_spacing_notes(first), *_counted(notes, len(kept)),
            *(f"{LEFT_OUT}{fault}" for _, fault in sorted(faults.items())),
        ),
    )  # fmt: skip


def _origins(instances: Sequence[Instance]) -> "np.ndarray[tuple[int, int], np.dtype[np.float64]] | None":
    if any(instance.position is None for instance in instances):
        return None
    return np.array([instance.position for instance in instances], dtype=np.float64).reshape(-1, 3)


def _spacing_notes(first: Instance) -> tuple[str, ...]:
    return () if first.spacing is not None else ("Pixel Spacing (0028,0030) is absent: sizes are unknown.",)


def _counted(notes: Counter[str], slices: int) -> list[str]:
    return [note if count == slices else f"{note[:-1]} ({count} of {slices} slices)." for note, count in notes.items()]


Fault = PixelError | UnreadableFileError
Job = tuple[list[int], list[memoryview] | None]


def _fill(hu: Int16, instances: Sequence[Instance]) -> tuple[dict[int, Fault], Counter[str]]:
    """Decodes all slices into `hu`, a few threads at a time; returns the faults by slice index, and notes."""
    faults: dict[int, Fault] = {}
    notes: Counter[str] = Counter()

    def work(job: Job) -> tuple[dict[int, Fault], Counter[str]]:
        return _decode_into(hu, instances, job)

    with quiet_pydicom(), ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1)) as pool:
        for found, said in pool.map(work, _jobs(hu, instances, faults)):
            faults |= found
            notes += said
    return faults, Counter(dict(sorted(notes.items())))


def _jobs(hu: Int16, instances: Sequence[Instance], faults: dict[int, Fault]) -> Iterator[Job]:
    """One job per single-frame file; a multi-frame file is read here, once, and its frames are shared out."""
    by_source: dict[int, list[int]] = defaultdict(list)
    for index, instance in enumerate(instances):
        by_source[id(instance.source)].append(index)
    for indices in by_source.values():
        if len(indices) == 1:
            yield indices, None
            continue
        try:
            frames = _frames(instances[indices[0]], hu)
        except (PixelError, UnreadableFileError) as error:
            faults |= dict.fromkeys(indices, error)
            continue
        for start in range(0, len(indices), FRAMES_PER_JOB):
            yield indices[start : start + FRAMES_PER_JOB], frames


def _decode_into(hu: Int16, instances: Sequence[Instance], job: Job) -> tuple[dict[int, Fault], Counter[str]]:
    indices, shared = job
    faults: dict[int, Fault] = {}
    notes: Counter[str] = Counter()
    for index in indices:
        instance = instances[index]
        try:
            frames = _frames(instance, hu) if shared is None else shared
            if instance.frame >= len(frames):
                raise PixelError(
                    f"{instance.source.name}: Pixel Data (7FE0,0010): expected {instance.pixels.frames} frames, "
                    f"found {len(frames)}"
                )
            converted = to_hu(decode(frames[instance.frame], instance), instance)
            hu[index] = converted.hu
            notes.update(converted.notes)
        except (PixelError, UnreadableFileError) as error:
            faults[index] = error
    return faults, notes


def _frames(instance: Instance, hu: Int16) -> list[memoryview]:
    _check(instance, hu)
    return read_frames(instance)


def _check(instance: Instance, hu: Int16) -> None:
    """Refuses, before reading, what cannot be a slice of this volume (only met when loading is forced)."""
    pixels = instance.pixels
    fault = pixel_fault(pixels)
    if fault is None and (pixels.rows, pixels.columns) != hu.shape[1:]:
        fault = (
            f"expected {hu.shape[1]} x {hu.shape[2]} pixels as in the other slices, "
            f"found {pixels.rows} x {pixels.columns}"
        )
    if fault is not None:
        raise PixelError(f"{instance.source.name}: {fault}")
