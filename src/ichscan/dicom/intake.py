"""Paths to Series: reads every header once, groups, chooses."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ichscan.dicom.archive import release_nested
from ichscan.dicom.choose import choose
from ichscan.dicom.files import walk
from ichscan.dicom.header import Instance, instance_from, looks_like_dicom, read_dataset, text
from ichscan.dicom.images import is_picture, picture_series
from ichscan.dicom.multiframe import frames_of
from ichscan.dicom.nifti import is_nifti, nifti_series
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.dicom.series import Intake, Series
from ichscan.dicom.source import Source
from ichscan.dicom.stacks import build_stacks
from ichscan.errors import NotDicomError, UnreadableFileError, UsageError

MAKER: Final = "ichscan"
"""Manufacturer (0008,0070) of all objects that ichscan makes."""


def open_series(
    paths: Sequence[Path | bytes],
    *,
    window: tuple[float, float] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Intake:
    """Finds all series in files, folders, zip archives, DICOMDIRs or bytes. Reads headers only.

    Args:
        paths: what to look at; a folder is searched to any depth.
        window: (centre, width) in HU of 8-bit pictures of slices; without it pictures are not read.
        progress: called with the number of files seen so far.

    Returns:
        All series with the reason why each is not analysed (None = it is), and what could not be read. One
        unreadable file never hides the others.

    Raises:
        UsageError: the window is not one.
    """
    if window is not None and not (math.isfinite(window[0]) and math.isfinite(window[1]) and window[1] > 0):
        raise UsageError(f"window: expected a centre and a width above 0 in HU, found {window}; for example 40,120")
    found = _Found()
    seen = 0
    for source, head in walk(paths, found.problems):
        seen += 1
        if progress is not None:
            progress(seen)
        _take(source, head, found)
    release_nested()
    series = (*choose(build_stacks(found.instances)), *sorted(found.nifti, key=lambda one: one.files))
    if window is not None:
        series += tuple(picture_series(found.pictures, window))
    else:
        found.not_dicom += len(found.pictures)
        if found.pictures and not series:
            found.problems.append(
                f"{len(found.pictures)} pictures were not read: declare their window, for example --window 40,120"
            )
    return Intake(series, seen, found.not_dicom, tuple(found.problems), found.results)


@dataclass(slots=True)
class _Found:
    instances: list[Instance] = field(default_factory=list)
    nifti: list[Series] = field(default_factory=list)
    pictures: list[Source] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    not_dicom: int = 0
    results: int = 0


def _take(source: Source, head: bytes, found: _Found) -> None:
    """Sorts one file into what was found."""
    try:
        if is_picture(source.name) and head[128:132] != b"DICM":
            found.pictures.append(source)
        elif is_nifti(source.name, head):
            found.nifti.append(nifti_series(source))
        elif looks_like_dicom(head):
            _take_dicom(source, found)
        else:
            found.not_dicom += 1
            _note_broken(source, head, found.problems)
    except NotDicomError:
        found.not_dicom += 1
    except UnreadableFileError as error:
        found.problems.append(str(error))


def _note_broken(source: Source, head: bytes, problems: list[str]) -> None:
    """A file whose name promises DICOM must not vanish among the notes and thumbnails of a disc."""
    name = source.name.replace("\\", "/").rpartition("/")[2].lower()
    # macOS leaves `._IM1.dcm` beside `IM1.dcm`; that is no lost image.
    if not name.startswith("._") and name.endswith((".dcm", ".dicom", ".nii", ".nii.gz")):
        what = "an empty file" if source.size == 0 else "a file of another kind"
        problems.append(f"{source.name}: expected an image as the name says, found {what}; copy or export it again")


def _take_dicom(source: Source, found: _Found) -> None:
    with quiet_pydicom():
        dataset, offset = read_dataset(source)
        if text(dataset, "Manufacturer") == MAKER:
            found.results += 1
            return
        whole = instance_from(dataset, source, offset)
        if whole.pixels.frames > 1 or "PerFrameFunctionalGroupsSequence" in dataset:
            found.instances += frames_of(dataset, whole)
        else:
            found.instances.append(whole)
