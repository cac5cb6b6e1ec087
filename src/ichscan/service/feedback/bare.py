"""An image as training needs it: pixels, geometry, UIDs, and nothing that names the patient or a date.

What is kept is listed; everything else goes, private elements, overlays and free text included. This follows the idea
of the Basic Application Level Confidentiality Profile (PS3.15 Annex E) with the option to retain UIDs, but is no
complete implementation of it: pixels are not looked at.
"""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pydicom
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from ichscan.dicom.header import PARSE_ERRORS, instance_from, transfer_syntax
from ichscan.dicom.source import BytesSource
from ichscan.errors import InputError, PixelError, UnreadableFileError

METHOD: Final = "ichscan feedback export: listed elements only, UIDs retained"
"""De-identification Method (0012,0063)."""
IDENTITY: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
KEPT: Final = (
    *IDENTITY, "Modality", "ImageType", "FrameType", "BodyPartExamined", "Manufacturer", "ManufacturerModelName",
    "ConvolutionKernel", "SliceThickness", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing",
    "InstanceNumber", "NumberOfFrames", "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelPaddingValue", "RescaleSlope",
    "RescaleIntercept", "RescaleType", "WindowCenter", "WindowWidth", "LossyImageCompression", "BurnedInAnnotation",
    "CodeValue", "CodingSchemeDesignator", "CodeMeaning", "PixelData",
)  # fmt: skip
SEQUENCES: Final = (
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PlanePositionSequence",
    "PlaneOrientationSequence", "PixelMeasuresSequence", "PixelValueTransformationSequence",
    "CTImageFrameTypeSequence", "CTReconstructionSequence", "FrameAnatomySequence", "AnatomicRegionSequence",
    "FrameVOILUTSequence",
)  # fmt: skip
NO_CONTRAST: Final = ("", "NONE", "NO", "WITHOUT", "UNENHANCED")


@dataclass(frozen=True, slots=True)
class Bare:
    """An image without identity.

    Attributes:
        data: DICOM file (PS3.10) in the transfer syntax of the original.
        patient: digest that keeps patients apart, the same as in a store of `ichscan data import own`.
    """

    data: bytes = field(repr=False)
    patient: str


def bare_image(path: Path) -> Bare:
    """A stored image without all that is not listed.

    The caller silences pydicom (`ichscan.dicom.quiet.quiet_pydicom`), once for many files.

    Raises:
        UnreadableFileError: absent or broken.
        PixelError: text may be burnt into the pixels: Burned In Annotation (0028,0301) is YES.
        InputError: a listed element is broken.
    """
    try:
        dataset = pydicom.dcmread(path, force=True)
    except (OSError, *PARSE_ERRORS) as error:
        raise UnreadableFileError(f"cannot be read ({type(error).__name__})") from error
    try:
        patient = instance_from(dataset, BytesSource("", b""), None).patient_key
        return Bare(_written(dataset), patient)
    except PARSE_ERRORS as error:
        # The error's own text may repeat values of the header.
        raise InputError(f"an element cannot be copied ({type(error).__name__})") from error


def _written(dataset: FileDataset) -> bytes:
    if str(dataset.get("BurnedInAnnotation", "")).strip().upper() == "YES":
        raise PixelError("Burned In Annotation (0028,0301) is YES: the pixels may name the patient")
    found = _kept(dataset)
    if str(dataset.get("ContrastBolusAgent") or "").strip().upper() not in NO_CONTRAST:
        found.ContrastBolusAgent = "YES"  # that there was some matters, its free text does not
    found.PatientIdentityRemoved = "YES"
    found.DeidentificationMethod = METHOD
    found.file_meta = FileMetaDataset()
    found.file_meta.TransferSyntaxUID = UID(transfer_syntax(dataset))
    found.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    found.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    buffer = io.BytesIO()
    found.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _kept(dataset: Dataset) -> Dataset:
    found = Dataset()
    for keyword in KEPT:
        if keyword in dataset:
            found.add(dataset[keyword])
    for keyword in SEQUENCES:
        if keyword in dataset:
            setattr(found, keyword, Sequence([_kept(item) for item in dataset[keyword].value or ()]))
    return found
