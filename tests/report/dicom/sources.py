"""Series of many kinds, as files: results on each must be valid and be filed beside it."""

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from tests.dicom_builders import compressed, enhanced, head_series, slice_dataset, to_bytes

JPEG_2000 = "CTImage.dcm_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm"
RSNA_LACKS = (
    "SOPClassUID", "FrameOfReferenceUID", "PatientName", "ImageType", "SeriesDescription", "BodyPartExamined",
    "ConvolutionKernel", "SliceThickness", "InstanceNumber",
)  # fmt: skip


def minimal() -> list[bytes]:
    """Slices with the attributes that the RSNA challenge kept, and names for UIDs."""
    lacking = dict.fromkeys(RSNA_LACKS)
    return [
        to_bytes(
            slice_dataset(i, SOPInstanceUID=f"ID_{i}", StudyInstanceUID="ID_st", SeriesInstanceUID="ID_se", **lacking)
        )
        for i in range(6)
    ]


def japanese() -> list[bytes]:
    return head_series(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")


def mirrored() -> list[bytes]:
    return head_series(ImageOrientationPatient=[-1, 0, 0, 0, -1, 0])


def hostile() -> list[bytes]:
    nasty = "<script>alert('x')</script>\x00\x1b\n'; DROP TABLE studies;--" * 200
    return head_series(
        PatientName=nasty, PatientID=nasty, StudyDescription=nasty, SeriesDescription=nasty, AccessionNumber=nasty,
        ReferringPhysicianName="^^^^^^" + nasty, PatientBirthDate="yesterday", PatientSex="?", StudyTime="99",
        PatientAge="old", SpecificCharacterSet="NONE", SeriesNumber=2**31 - 1,
    )  # fmt: skip


def multi_frame() -> list[bytes]:
    return [enhanced(6, reverse=True)]


def jpeg_2000() -> list[bytes]:
    def encode(stored: NDArray[np.uint16]) -> bytes:
        return bytes(imagecodecs.jpeg2k_encode(stored, level=0, codecformat="j2k", reversible=True))

    return [compressed(i, "1.2.840.10008.1.2.4.90", encode) for i in range(6)]


MADE = [head_series, japanese, minimal, mirrored, multi_frame, jpeg_2000, hostile]
