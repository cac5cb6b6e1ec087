"""Scans for the benchmarks: the head that ships with ichscan's tests or demo, written as DICOM of the wanted kind."""

import argparse
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.encoders import RLELosslessEncoder
from pydicom.uid import CTImageStorage, generate_uid

from ichscan.dicom import load_volume, open_series
from ichscan.types import Volume

SYNTAXES = {
    "uncompressed": "1.2.840.10008.1.2.1",
    "deflated": "1.2.840.10008.1.2.1.99",
    "JPEG lossless": "1.2.840.10008.1.2.4.70",
    "JPEG-LS": "1.2.840.10008.1.2.4.80",
    "JPEG 2000": "1.2.840.10008.1.2.4.90",
    "HTJ2K": "1.2.840.10008.1.2.4.201",
    "RLE": "1.2.840.10008.1.2.5",
}
OFFSET = 1024


def head(source: Path) -> Volume:
    """The analysable series below `source`."""
    series = next(s for s in open_series([source]).series if s.reason is None)
    return load_volume(series)


def largest_study(source: Path, folder: Path) -> None:
    """Copies the slices of the series with most slices out of a folder of loose DICOM files."""
    uids = {
        path: str(pydicom.dcmread(path, stop_before_pixels=True, specific_tags=["SeriesInstanceUID"]).SeriesInstanceUID)
        for path in sorted(source.glob("*.dcm"))
    }
    largest, _ = Counter(uids.values()).most_common(1)[0]
    for path, uid in uids.items():
        if uid == largest:
            shutil.copy(path, folder / path.name)


def write_thin(volume: Volume, slices: int, folder: Path) -> None:
    """The volume interpolated linearly to `slices` equal steps, as an uncompressed series."""
    wanted = np.linspace(volume.positions_mm[0], volume.positions_mm[-1], slices)
    upper = np.clip(np.searchsorted(volume.positions_mm, wanted), 1, len(volume.positions_mm) - 1)
    below, above = volume.positions_mm[upper - 1], volume.positions_mm[upper]
    share = ((wanted - below) / (above - below))[:, None, None]
    hu = np.empty((slices, *volume.hu.shape[1:]), np.int16)
    for i in range(slices):
        hu[i] = np.rint(volume.hu[upper[i] - 1] * (1 - share[i]) + volume.hu[upper[i]] * share[i])
    write_series(hu, wanted, volume, "uncompressed", folder)


def write_series(
    hu: NDArray[np.int16], positions_mm: NDArray[np.float64], like: Volume, syntax: str, folder: Path
) -> None:
    """A head CT series in one transfer syntax, with the geometry of `like` and no patient."""
    study, series, frame = generate_uid(), generate_uid(), generate_uid()
    orientation = like.orientation or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    normal = np.cross(orientation[:3], orientation[3:])
    for index, (slice_hu, position) in enumerate(zip(hu, positions_mm, strict=True)):
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid()
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.FrameOfReferenceUID = study, series, frame
        dataset.Modality, dataset.BodyPartExamined, dataset.SeriesDescription = "CT", "HEAD", "benchmark"
        dataset.PatientName, dataset.PatientID = "", "benchmark"
        dataset.ImageType = ["DERIVED", "PRIMARY", "AXIAL"]
        dataset.SeriesNumber, dataset.InstanceNumber = 1, index + 1
        dataset.ImageOrientationPatient = [f"{v:.6f}" for v in orientation]
        dataset.ImagePositionPatient = [f"{v:.4f}" for v in normal * position]
        dataset.PixelSpacing = [f"{v:.6f}" for v in like.spacing_mm or (0.5, 0.5)]
        dataset.SliceThickness = f"{abs(float(np.median(np.diff(positions_mm)))):.4f}"
        dataset.RescaleSlope, dataset.RescaleIntercept = "1", str(-OFFSET)
        _set_pixels(dataset, np.clip(slice_hu + OFFSET, 0, 4095).astype(np.uint16), SYNTAXES[syntax])
        dataset.save_as(folder / f"{index + 1:04d}.dcm", enforce_file_format=True)


def _set_pixels(dataset: Dataset, stored: NDArray[np.uint16], uid: str) -> None:
    dataset.Rows, dataset.Columns = stored.shape
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PixelRepresentation = 1, "MONOCHROME2", 0
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(uid)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    encode = {
        SYNTAXES["JPEG lossless"]: lambda: imagecodecs.ljpeg_encode(stored, bitspersample=12),
        SYNTAXES["JPEG-LS"]: lambda: imagecodecs.jpegls_encode(stored),
        SYNTAXES["JPEG 2000"]: lambda: imagecodecs.jpeg2k_encode(stored, codecformat="j2k", reversible=True, level=0),
        SYNTAXES["HTJ2K"]: lambda: imagecodecs.htj2k_encode(stored, reversible=True),
        SYNTAXES["RLE"]: lambda: RLELosslessEncoder.encode(
            stored,
            encoding_plugin="pydicom",
            rows=stored.shape[0],
            columns=stored.shape[1],
            samples_per_pixel=1,
            bits_allocated=16,
            bits_stored=12,
            pixel_representation=0,
            photometric_interpretation="MONOCHROME2",
            number_of_frames=1,
        ),
    }.get(uid)
    if encode is None:
        dataset.PixelData = stored.astype("<u2").tobytes()
    else:
        dataset.PixelData = encapsulate([encode()])
        dataset["PixelData"].is_undefined_length = True
    dataset["PixelData"].VR = "OW" if encode is None else "OB"


def every_syntax(volume: Volume, folder: Path) -> Iterator[tuple[str, Path]]:
    """Writes `volume` once per transfer syntax; yields the syntax and its folder."""
    for syntax in SYNTAXES:
        place = folder / syntax.replace(" ", "-")
        place.mkdir()
        write_series(volume.hu, volume.positions_mm, volume, syntax, place)
        yield syntax, place


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["thin", "study"])
    parser.add_argument("source", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slices", type=int, default=240)
    arguments = parser.parse_args()
    if arguments.kind == "thin":
        write_thin(head(arguments.source), arguments.slices, arguments.folder)
    else:
        largest_study(arguments.source, arguments.folder)


if __name__ == "__main__":
    main()
