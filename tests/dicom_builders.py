"""Synthetic DICOM series, built in memory: the one place where tests make DICOM."""

import io
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

CT = "1.2.840.10008.5.1.4.1.1.2"
ENHANCED_CT = "1.2.840.10008.5.1.4.1.1.2.1"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
STUDY = "1.2.826.0.1.3680043.8.498.1"
AXIAL = [1, 0, 0, 0, 1, 0]
CORONAL = [1, 0, 0, 0, 0, -1]
SAGITTAL = [0, 1, 0, 0, 0, -1]
PATIENT_NAME, PATIENT_ID = "Doe^Jane", "SECRET-4711"


def head_hu(index: int = 0, rows: int = 64, columns: int = 64) -> NDArray[np.int16]:
    """A crude head: air -1000, skull 1000, brain 30 with texture; differs from slice to slice. int16 (rows, cols)."""
    y, x = np.mgrid[-1 : 1 : rows * 1j, -1 : 1 : columns * 1j]
    radius = np.hypot(x / 0.7, y / 0.85)
    texture = np.random.default_rng(index).integers(-5, 6, (rows, columns))
    hu = np.where(radius < 1, 1000, -1000)
    return np.where(radius < 0.9, 30 + index + texture, hu).astype(np.int16)


def slice_dataset(index: int = 0, hu: NDArray[np.int16] | None = None, /, **tags: Any) -> Dataset:
    """One CT slice at z = 5 * index mm; stored = HU + 1024, unsigned 12 of 16 bits.

    `tags` are set by keyword afterwards; None deletes the element.
    """
    hu = head_hu(index) if hu is None else hu
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID, ds.SOPInstanceUID = CT, f"{STUDY}.1.{index + 1}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = STUDY, f"{STUDY}.1"
    ds.FrameOfReferenceUID = f"{STUDY}.9"
    ds.PatientName, ds.PatientID = PATIENT_NAME, PATIENT_ID
    ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.SeriesDescription, ds.BodyPartExamined = "Head 5mm", "HEAD"
    ds.ConvolutionKernel, ds.SliceThickness = "H30s", "5"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-16, -16, 5.0 * index], AXIAL
    ds.PixelSpacing, ds.InstanceNumber = [0.5, 0.5], index + 1
    ds.Rows, ds.Columns = hu.shape
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.RescaleSlope, ds.RescaleIntercept = "1", "-1024"
    ds.PixelData = (hu.astype(np.int32) + 1024).astype("<u2").tobytes()
    with warnings.catch_warnings():
        # Broken values are what many tests are about.
        warnings.simplefilter("ignore")
        for keyword, value in tags.items():
            if value is not None:
                setattr(ds, keyword, value)
            elif keyword in ds:
                delattr(ds, keyword)
    return ds


def to_bytes(ds: Dataset, *, preamble: bool = True) -> bytes:
    """The data set as a DICOM file; without preamble also without meta header, as old exports are."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if preamble:
            ds.file_meta.MediaStorageSOPClassUID = ds.get("SOPClassUID", CT)
            ds.file_meta.MediaStorageSOPInstanceUID = ds.get("SOPInstanceUID", f"{STUDY}.0")
            ds.save_as(buffer, enforce_file_format=True)
        else:
            bare = Dataset(ds)
            bare.save_as(buffer, implicit_vr=True, little_endian=True)
    return buffer.getvalue()


def head_series(count: int = 6, **tags: Any) -> list[bytes]:
    """Files of a head series of `count` slices, 5 mm apart."""
    return [to_bytes(slice_dataset(index, **tags)) for index in range(count)]


def twin_series(number: int, count: int = 6, **tags: Any) -> list[bytes]:
    """Another series of the same study and place."""
    uid = f"{STUDY}.{number}"
    return [
        to_bytes(slice_dataset(i, SeriesInstanceUID=uid, SOPInstanceUID=f"{uid}.{i + 1}", **tags)) for i in range(count)
    ]


def compressed(index: int, syntax: str, encode: Callable[[NDArray[np.uint16]], bytes], fragments: int = 1) -> bytes:
    """A slice in a compressed transfer syntax."""
    ds = slice_dataset(index)
    stored = np.frombuffer(ds.PixelData, "<u2").reshape(ds.Rows, ds.Columns)
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([encode(stored)], fragments_per_frame=fragments)
    ds["PixelData"].VR = "OB"
    return to_bytes(ds)


def deflated(index: int = 0) -> bytes:
    """A slice in Deflated Explicit VR Little Endian."""
    ds = slice_dataset(index)
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1.99"
    return to_bytes(ds)


def implicit(index: int = 0) -> bytes:
    """A slice in Implicit VR Little Endian."""
    ds = slice_dataset(index)
    ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    return to_bytes(ds)


def enhanced(count: int = 6, *, reverse: bool = False) -> bytes:
    """An Enhanced CT with `count` frames, geometry per frame, rescale shared."""
    ds = slice_dataset(0, SOPClassUID=ENHANCED_CT, NumberOfFrames=count)
    for keyword in (
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "PixelSpacing",
        "RescaleSlope",
        "RescaleIntercept",
    ):
        delattr(ds, keyword)
    ds.SharedFunctionalGroupsSequence = Sequence([_shared_groups()])
    frames = list(range(count))[:: -1 if reverse else 1]
    ds.PerFrameFunctionalGroupsSequence = Sequence(
        [_item("PlanePositionSequence", ImagePositionPatient=[-16, -16, 5.0 * i]) for i in frames]
    )
    ds.PixelData = b"".join((head_hu(i).astype(np.int32) + 1024).astype("<u2").tobytes() for i in frames)
    return to_bytes(ds)


def _shared_groups() -> Dataset:
    shared = _item("PlaneOrientationSequence", ImageOrientationPatient=AXIAL)
    shared.update(_item("PixelMeasuresSequence", PixelSpacing=[0.5, 0.5], SliceThickness=5))
    shared.update(_item("PixelValueTransformationSequence", RescaleSlope=1, RescaleIntercept=-1024))
    return shared


def _item(sequence: str, **tags: Any) -> Dataset:
    inner, outer = Dataset(), Dataset()
    for keyword, value in tags.items():
        setattr(inner, keyword, value)
    setattr(outer, sequence, Sequence([inner]))
    return outer
