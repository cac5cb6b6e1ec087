"""Really decodes a small image in every transfer syntax that ichscan reads, through the same code as a scan."""

import base64
import io
import json
from importlib.resources import files
from typing import Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from ichscan.dicom import load_volume, open_series
from ichscan.errors import InputError

FRAMES_FILE: Final = "frames.json"
"""Transfer Syntax UID -> {"bits", "tolerance", "frame"}: the ramp below, encoded, base64."""
NATIVE: Final = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2")
SIDE: Final = 64
INTERCEPT: Final = -1024
CT_IMAGE: Final = "1.2.840.10008.5.1.4.1.1.2"
ROOT: Final = "1.2.826.0.1.3680043.8.498.2"


def ramp(bits: int) -> NDArray[np.uint16]:
    """The image that every frame holds: a smooth slope with room at both ends for lossy coding, uint16 (64, 64)."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    low = 1 << (bits - 5)
    image: NDArray[np.uint16] = (low + (y + x) * ((1 << bits) - 2 * low) // (2 * SIDE - 2)).astype(np.uint16)
    return image


def check_decoders() -> dict[str, str | None]:
    """Name of each transfer syntax -> None when it decodes as it should, otherwise what went wrong."""
    packed = json.loads((files("ichscan.doctor") / FRAMES_FILE).read_text(encoding="ascii"))
    found: dict[str, str | None] = {}
    for syntax in NATIVE:
        found[_name(syntax)] = _try(syntax, ramp(12).astype("<u2").tobytes(), 12, 0)
    for syntax, entry in packed.items():
        frame = encapsulate([base64.b64decode(entry["frame"])])
        found[_name(syntax)] = _try(syntax, frame, entry["bits"], entry["tolerance"])
    return found


def _name(syntax: str) -> str:
    return UID(syntax).name


def _try(syntax: str, pixel_data: bytes, bits: int, tolerance: int) -> str | None:
    """None, or why the image could not be decoded."""
    try:
        intake = open_series([_file(syntax, pixel_data, bits)])
        if not intake.series:
            return intake.problems[0] if intake.problems else "not recognised as an image"
        volume = load_volume(intake.series[0], force=True)
    except (InputError, ImportError) as error:
        return str(error)
    off = int(np.abs(volume.hu[0].astype(int) - INTERCEPT - ramp(bits)).max())
    return None if off <= tolerance else f"decoded values are off by up to {off}"


def _file(syntax: str, pixel_data: bytes, bits: int) -> bytes:
    """One CT image as a DICOM file; HU = stored value - 1024."""
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = UID(syntax)
    data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID = UID(CT_IMAGE)
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID = UID(f"{ROOT}.3")
    data.StudyInstanceUID, data.SeriesInstanceUID = f"{ROOT}.1", f"{ROOT}.2"
    data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [1, 1], 5
    data.RescaleSlope, data.RescaleIntercept = 1, INTERCEPT
    data.Rows = data.Columns = SIDE
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PixelRepresentation = 1, "MONOCHROME2", 0
    data.BitsAllocated, data.BitsStored, data.HighBit = (8 if bits == 8 else 16), bits, bits - 1
    big_endian = syntax == NATIVE[3]
    data.PixelData = np.frombuffer(pixel_data, "<u2").astype(">u2").tobytes() if big_endian else pixel_data
    data["PixelData"].VR = "OW" if syntax in NATIVE else "OB"
    buffer = io.BytesIO()
    data.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
