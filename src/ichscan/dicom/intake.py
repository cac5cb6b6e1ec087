"""Paths to Series: reads every header once, groups, chooses."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ichscan.dicom.choose import choose
from ichscan.dicom.files import walk
from ichscan.dicom.header import Instance, instance_from, looks_like_dicom, read_dataset
from ichscan.dicom.series import Intake, Series
from ichscan.dicom.source import Source
from ichscan.dicom.stacks import build_stacks
from ichscan.errors import NotDicomError, UnreadableFileError


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
    """
    problems: list[str] = []
    instances: list[Instance] = []
    seen = not_dicom = 0
    for source, head in walk(paths, problems):
        seen += 1
        if progress is not None:
            progress(seen)
        if not looks_like_dicom(head):
            not_dicom += 1
            continue
        try:
            instances += _instances(source)
        except NotDicomError:
            not_dicom += 1
        except UnreadableFileError as error:
            problems.append(str(error))
    series: tuple[Series, ...] = choose(build_stacks(instances))
    return Intake(series, seen, not_dicom, tuple(problems))


def _instances(source: Source) -> Iterator[Instance]:
    dataset, offset = read_dataset(source)
    yield instance_from(dataset, source, offset)
