"""Header facts of one slice, read without its pixels."""

import hashlib
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.multival import MultiValue

from ichscan.dicom.source import Source
from ichscan.errors import NotDicomError, UnreadableFileError

Vector = tuple[float, float, float]
Cosines = tuple[float, float, float, float, float, float]

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
FAR_MM: Final = 1e5
MAX_ELEMENT: Final = 64 << 20
"""Longer header elements are stepped over: no fact that is read here is that long, unless the file is corrupt."""
PARSE_ERRORS: Final = (
    InvalidDicomError, BytesLengthException, ValueError, TypeError, KeyError, AttributeError, EOFError,
    NotImplementedError, IndexError, OverflowError, struct.error, RecursionError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How stored values lie in the pixel data (PS3.3 C.7.6.3): module attributes (0028,0002) to (0028,0103).

    `offset` is the position of the Pixel Data element in the (inflated) file, or None when there is none.
    """

    offset: int | None
    transfer_syntax: str
    rows: int
    columns: int
    frames: int
    samples: int
    photometric: str
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    lossy: bool


@dataclass(frozen=True, slots=True)
class Instance:
    """One slice: a classic image, or one frame of a multi-frame image.

    Positions and orientation are LPS, in mm. `patient_key` is a digest that only serves to keep patients apart.
    `geometry_fault` says what is wrong when geometry is present but not usable; absent geometry is None everywhere.
    `tokens` are the values of Image Type (0008,0008), upper case.
    """

    source: Source = field(repr=False)
    pixels: PixelFormat
    patient_key: str
    study_uid: str
    series_uid: str
    sop_uid: str
    sop_class: str
    modality: str
    tokens: tuple[str, ...]
    series_description: str
    study_description: str
    body_part: str
    kernel: str
    window_width: float | None
    thickness_mm: float | None
    position: Vector | None
    orientation: Cosines | None
    spacing: tuple[float, float] | None
    geometry_fault: str | None
    frame_of_reference: str
    instance_number: int | None
    acquired: str
    slope: float | None
    intercept: float | None
    padding: int | None
    contrast: bool
    frame: int = 0


def looks_like_dicom(head: bytes) -> bool:
    """Whether the first bytes of a file may start a DICOM data set, with or without preamble (PS3.10 section 7.1)."""
    if head[128:132] == b"DICM":
        return True
    if len(head) < 12:
        return False
    little, big = struct.unpack("<HH", head[:4]), struct.unpack(">HH", head[:4])
    # Without preamble a data set starts with the file meta group or with the identifying group, low elements first.
    return any(group in (2, 8) and element <= 0x70 for group, element in (little, big))


def read_dataset(source: Source) -> tuple[FileDataset, int | None]:
    """Reads a header up to the pixel data.

    Returns:
        The data set and the offset of the Pixel Data element, None when there is none.

    Raises:
        NotDicomError: parses to nothing that identifies a DICOM object.
        UnreadableFileError: truncated or broken.
    """
    try:
        with source.open() as stream:
            dataset = pydicom.dcmread(stream, stop_before_pixels=True, force=True, defer_size=MAX_ELEMENT)
            offset: int | None = stream.tell()
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        raise UnreadableFileError(f"{source.name}: cannot be read ({error})") from error
    except PARSE_ERRORS as error:
        raise UnreadableFileError(
            f"{source.name}: starts like DICOM but breaks off or is corrupt ({error}); copy or export the file again"
        ) from error
    if not any(name in dataset for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "Modality", "Rows")):
        if "DirectoryRecordSequence" in dataset or (dataset.preamble is None and not dataset.file_meta):
            raise NotDicomError(f"{source.name}: no DICOM image or report")
        raise UnreadableFileError(
            f"{source.name}: expected a data set after the DICOM preamble, found none in {source.size:,} bytes "
            "(truncated?); copy or export the file again"
        )
    if offset is not None and offset >= source.size and transfer_syntax(dataset) != DEFLATED:
        offset = None
    return dataset, offset


def transfer_syntax(dataset: FileDataset) -> str:
    """Transfer Syntax UID (0002,0010); files without meta header are told apart by how they parsed."""
    declared = dataset.file_meta.get("TransferSyntaxUID") if hasattr(dataset, "file_meta") else None
    if declared:
        return str(declared)
    implicit, little = dataset.original_encoding
    if implicit:
        return IMPLICIT_LITTLE
    return "1.2.840.10008.1.2.1" if little in (True, None) else "1.2.840.10008.1.2.2"


def text(dataset: Dataset, keyword: str) -> str:
    """A value as one clean line of text, "" when absent or not decodable."""
    value = _value(dataset, keyword)
    if isinstance(value, MultiValue):
        value = "\\".join(map(str, value))
    return " ".join(str(value).split())[:200] if value is not None else ""


def numbers(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """`count` numbers, NaN for those that do not parse; None when the element is absent or empty."""
    try:
        value = dataset.get(keyword)
    except (*PARSE_ERRORS, OSError):
        return (math.nan,) * count  # present, so it must not pass for absent
    if value is None or value == "":
        return None
    items = list(value) if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else [value]
    result = []
    for item in items[:count]:
        try:
            result.append(float(item))
        except (TypeError, ValueError):
            result.append(math.nan)
    return tuple(result) if len(result) == count else (math.nan,) * count


def number(dataset: Dataset, keyword: str) -> float | None:
    """The first number of an element, None when absent or not finite."""
    found = numbers(dataset, keyword, 1)
    return found[0] if found is not None and math.isfinite(found[0]) else None


def integer(dataset: Dataset, keyword: str) -> int | None:
    """A whole number, None when absent or not one."""
    found = number(dataset, keyword)
    return int(found) if found is not None else None


def _value(dataset: Dataset, keyword: str) -> Any:
    try:
        return dataset.get(keyword)
    except (*PARSE_ERRORS, OSError):
        # A text that does not decode is as good as none: nothing is decided by it alone.
        return None


@dataclass(frozen=True, slots=True)
class Geometry:
    """Position, orientation (LPS, mm), pixel spacing, and what is wrong with them if they are present but absurd."""

    position: Vector | None
    orientation: Cosines | None
    spacing: tuple[float, float] | None
    fault: str | None


def check_geometry(
    position: tuple[float, ...] | None, orientation: tuple[float, ...] | None, spacing: tuple[float, ...] | None
) -> Geometry:
    """Checks the plane of a slice (PS3.3 C.7.6.2): finite, unit orthogonal direction cosines, plausible spacing."""
    fault = None
    if position is not None and not all(math.isfinite(v) and abs(v) < FAR_MM for v in position):
        fault = f"Image Position (Patient) (0020,0032) is {_shown(position)}, expected three distances in mm"
    elif orientation is not None and not _orthonormal(orientation):
        fault = (
            f"Image Orientation (Patient) (0020,0037) is {_shown(orientation)}, expected two orthogonal unit vectors"
        )
    elif spacing is not None and not all(0.01 <= v <= 20 for v in spacing):
        fault = f"Pixel Spacing (0028,0030) is {_shown(spacing)}, expected 0.01 to 20 mm"
    if fault is not None:
        return Geometry(None, None, None, fault)
    return Geometry(position, orientation, spacing, None)  # type: ignore[arg-type]  # lengths were checked on reading


def _shown(values: tuple[float, ...]) -> str:
    return "\\".join(f"{value:g}" for value in values)


def _orthonormal(cosines: tuple[float, ...]) -> bool:
    row, column = cosines[:3], cosines[3:]
    dot = sum(a * b for a, b in zip(row, column, strict=True))
    norms = [math.sqrt(sum(v * v for v in vector)) for vector in (row, column)]
    return all(abs(norm - 1) < 0.02 for norm in norms) and abs(dot) < 0.02


def pixel_format(dataset: FileDataset, offset: int | None) -> PixelFormat:
    """Collects the Image Pixel module; absent numbers become 0 and are refused when the series is chosen."""
    allocated = integer(dataset, "BitsAllocated") or 0
    stored = integer(dataset, "BitsStored") or allocated
    high = integer(dataset, "HighBit")
    return PixelFormat(
        offset=offset,
        transfer_syntax=transfer_syntax(dataset),
        rows=integer(dataset, "Rows") or 0,
        columns=integer(dataset, "Columns") or 0,
        frames=max(integer(dataset, "NumberOfFrames") or 1, 1),
        samples=integer(dataset, "SamplesPerPixel") or 1,
        photometric=text(dataset, "PhotometricInterpretation").upper() or "MONOCHROME2",
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high if high is not None else stored - 1,
        signed=integer(dataset, "PixelRepresentation") == 1,
        lossy=text(dataset, "LossyImageCompression") == "01",
    )


def instance_from(dataset: FileDataset, source: Source, offset: int | None) -> Instance:
    """Builds the record of a classic (single-frame) image."""
    geometry = check_geometry(
        numbers(dataset, "ImagePositionPatient", 3),
        numbers(dataset, "ImageOrientationPatient", 6),
        numbers(dataset, "PixelSpacing", 2),
    )
    patient = text(dataset, "PatientID") + "\n" + text(dataset, "IssuerOfPatientID")
    return Instance(
        source=source,
        pixels=pixel_format(dataset, offset),
        patient_key=hashlib.sha256(patient.encode()).hexdigest()[:16],
        study_uid=text(dataset, "StudyInstanceUID"),
        series_uid=text(dataset, "SeriesInstanceUID"),
        sop_uid=text(dataset, "SOPInstanceUID"),
        sop_class=text(dataset, "SOPClassUID"),
        modality=text(dataset, "Modality").upper(),
        tokens=image_type(dataset),
        series_description=text(dataset, "SeriesDescription"),
        study_description=text(dataset, "StudyDescription"),
        body_part=text(dataset, "BodyPartExamined").upper(),
        kernel=text(dataset, "ConvolutionKernel"),
        window_width=number(dataset, "WindowWidth"),
        thickness_mm=number(dataset, "SliceThickness"),
        position=geometry.position,
        orientation=geometry.orientation,
        spacing=geometry.spacing,
        geometry_fault=geometry.fault,
        frame_of_reference=text(dataset, "FrameOfReferenceUID"),
        instance_number=integer(dataset, "InstanceNumber"),
        acquired=acquisition_time(dataset),
        slope=number(dataset, "RescaleSlope"),
        intercept=number(dataset, "RescaleIntercept"),
        padding=integer(dataset, "PixelPaddingValue"),
        contrast=text(dataset, "ContrastBolusAgent").upper() not in ("", "NONE", "NO", "WITHOUT", "UNENHANCED"),
    )


def image_type(dataset: Dataset, keyword: str = "ImageType") -> tuple[str, ...]:
    """The values of Image Type (0008,0008), or of Frame Type (0008,9007), upper case."""
    value = _value(dataset, keyword)
    items = [value] if isinstance(value, str) else list(value or ())
    return tuple(str(item).strip().upper() for item in items)


def acquisition_time(dataset: Dataset) -> str:
    """Date and time of the acquisition as sortable text; serves only to prefer the later of two duplicates."""
    whole = text(dataset, "AcquisitionDateTime")
    return whole or text(dataset, "AcquisitionDate") + text(dataset, "AcquisitionTime")
