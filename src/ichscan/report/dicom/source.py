"""What results need to know of the series that they are about, read from its headers without pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.uid import UID

from ichscan.dicom.archive import Archive
from ichscan.dicom.header import instance_from, integer, read_dataset, text
from ichscan.dicom.multiframe import frames_of
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.dicom.source import FileSource, MemberSource, Source
from ichscan.errors import UnreadableFileError
from ichscan.report.dicom.attributes import clean, patient_and_study
from ichscan.report.dicom.identity import valid_uid
from ichscan.types import Volume

CT: Final = "1.2.840.10008.5.1.4.1.1.2"
NO_DATE: Final = "19000101"
NO_TIME: Final = "000000"
DATES: Final = ("Content", "Acquisition", "Series", "Study")


@dataclass(frozen=True, slots=True)
class ImageReference:
    """One slice of the source: SOP class and instance, and the frame (from 1) in a multi-frame image."""

    sop_class_uid: str
    sop_instance_uid: str
    frame: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SourceSeries:
    """The series that results are about. Holds patient data: never to be logged.

    Attributes:
        patient_study: attributes to copy, see `ichscan.report.dicom.attributes`.
        study_uid, series_uid: valid UIDs; made from the source's own where that is none.
        images: per analysed slice, inferior to superior; of a series that was not analysed the first image.
        frame_of_reference: UID, "" when the source has no valid one.
        series_number: None when not recorded.
        date, time: of the source's content (DA, TM); fixed ones when it has none, so that a rerun is identical.
        rows, columns: of a slice.
        lossy: Lossy Image Compression (0028,2110) is "01".
    """

    patient_study: Dataset
    study_uid: str
    series_uid: str
    images: tuple[ImageReference, ...]
    frame_of_reference: str
    series_number: int | None
    date: str
    time: str
    rows: int
    columns: int
    lossy: bool


def read_source(files: Sequence[str], volume: Volume | None = None) -> SourceSeries:
    """Reads the header of the first file, and of each file of a multi-frame series.

    Args:
        files: names as in `Volume.files` or `Series.files`: paths, or `archive.zip!/member`.
        volume: of an analysed series; None when it was not analysed.

    Raises:
        NotDicomError: the first file is no DICOM (NIfTI, a picture): there is no study to file a result in.
        UnreadableFileError: a file vanished or cannot be read, or was given as bytes.
    """
    if not files:
        raise UnreadableFileError("source headers: expected the name of at least one file, found none")
    with quiet_pydicom():
        source = _opened(files[0])
        header, offset = read_dataset(source)
        whole = instance_from(header, source, offset)
        date, time = _date_and_time(header)
        return SourceSeries(
            patient_study=patient_and_study(header),
            # Of two patients without identifiers only the files' names tell that they are two.
            study_uid=valid_uid(whole.study_uid, "study", whole.patient_key, whole.series_uid, source.name),
            series_uid=valid_uid(whole.series_uid, "series", whole.patient_key, whole.study_uid, source.name),
            images=_references(header, whole.sop_class, whole.sop_uid, volume),
            frame_of_reference=whole.frame_of_reference if _is_uid(whole.frame_of_reference) else "",
            series_number=integer(header, "SeriesNumber"),
            date=date,
            time=time,
            rows=whole.pixels.rows,
            columns=whole.pixels.columns,
            lossy=whole.pixels.lossy,
        )


def _opened(name: str) -> Source:
    outer, *inner = name.split("!/")
    path = Path(outer)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise UnreadableFileError(
            f"{name}: expected the file that was analysed, found none ({error.strerror}); put it back"
        ) from error
    if not inner:
        return FileSource(path, size)
    archive = Archive(outer, path)
    for member in inner[:-1]:
        archive = Archive(f"{archive.name}!/{member}", (archive, member), archive.depth + 1)
    return MemberSource(archive, inner[-1], 1 << 31)  # its size is only used to tell whether pixels follow


def _is_uid(value: str) -> bool:
    return bool(value) and valid_uid(value) == value


def _date_and_time(header: Dataset) -> tuple[str, str]:
    for kind in DATES:
        date = clean(header, f"{kind}Date")
        if date:
            return date, clean(header, f"{kind}Time") or NO_TIME
    return NO_DATE, NO_TIME


def _references(header: FileDataset, sop_class: str, sop_uid: str, volume: Volume | None) -> tuple[ImageReference, ...]:
    # Without class, as in challenge data, a slice of CT is one of CT Image Storage.
    known = sop_class if UID(sop_class).type == "SOP Class" else CT
    if volume is None:
        return (ImageReference(known, valid_uid(sop_uid, "image")),)
    context = (volume.study_instance_uid, volume.series_instance_uid)
    uids = [valid_uid(uid, *context, index) for index, uid in enumerate(volume.sop_instance_uids)]
    if not text(header, "NumberOfFrames") and "PerFrameFunctionalGroupsSequence" not in header:
        return tuple(ImageReference(known, uid) for uid in uids)
    frames = _frame_numbers(volume)
    return tuple(ImageReference(known, uid, frame) for uid, frame in zip(uids, frames, strict=True))


def _frame_numbers(volume: Volume) -> list[int]:
    """Frame (from 1) of each slice: the one at its position, or in the order of the file without positions."""
    numbers = [0] * len(volume.files)
    for name in dict.fromkeys(volume.files):
        source = _opened(name)
        header, offset = read_dataset(source)
        frames = list(frames_of(header, instance_from(header, source, offset)))
        slices = [i for i, file in enumerate(volume.files) if file == name]
        places = [frame.position for frame in frames]
        if volume.origins is None or any(place is None for place in places):
            for order, i in enumerate(slices):
                numbers[i] = order + 1
            continue
        at = np.array(places, np.float64).reshape(-1, 3)
        for i in slices:
            numbers[i] = int(np.argmin(np.linalg.norm(at - volume.origins[i], axis=1))) + 1
    return numbers
