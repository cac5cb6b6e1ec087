"""A synthetic RSNA 2019 archive of any size: real-looking heads in the layout and the compression of Kaggle's.

Pixels: the GE demo head with noise of its own for each of a few hundred distinct slices. Each is deflated once; every
member is its own header, deflated, followed by the deflated pixels, so that 20,000 members take a minute to write. The
list of members is zip64 from 4 GiB on, as in the original.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from ichscan.dicom import load_volume, open_series

LABELS = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
ROOT = "rsna-intracranial-hemorrhage-detection"
PER_SERIES = 34
MOST_DISTINCT = 280
NOISE_HU = 2.0
TEST_SHARE = 0.14
FIXED = (2107, 0x5761)
"""DOS time and date of every member."""


class ZipWriter:
    """Writes members that are deflated already (APPNOTE.TXT sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16)."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._central: list[bytes] = []

    def add(self, name: str, packed: bytes, crc: int, size: int) -> None:
        raw, offset = name.encode(), self._file.tell()
        common = (0, 8, *FIXED, crc, len(packed), size, len(raw))
        self._file.write(struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, *common, 0) + raw + packed)
        wide = offset >= 0xFFFFFFFF
        extra = struct.pack("<HHQ", 1, 8, offset) if wide else b""
        self._central.append(
            struct.pack(
                "<4s6H3L5H2L", b"PK\x01\x02", 45, 20, *common, len(extra), 0, 0, 0, 0, 0xFFFFFFFF if wide else offset
            )
            + raw
            + extra
        )

    def close(self) -> None:
        start = self._file.tell()
        directory = b"".join(self._central)
        self._file.write(directory)
        count, end = len(self._central), self._file.tell()
        self._file.write(
            struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start)
        )
        self._file.write(struct.pack("<4sLQL", b"PK\x06\x07", 0, end, 1))
        few, near = min(count, 0xFFFF), min(start, 0xFFFFFFFF)
        self._file.write(struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, few, few, len(directory), near, 0))
        self._file.close()


def write_archive(path: Path, slices: int, head: Path) -> None:
    """Writes an archive of `slices` images, a seventh of them the test part, with labels and sample submission."""
    writer = ZipWriter(path)
    train: list[str] = []
    test: list[str] = []
    pixels = distinct(head, min(slices, MOST_DISTINCT))
    for number in range(slices):
        series, index = divmod(number, PER_SERIES)
        tested = series * PER_SERIES >= slices * (1 - TEST_SHARE)  # whole series: no patient in both parts
        name = f"ID_{number:09x}"
        (test if tested else train).append(name)
        packed, data = pixels[number % len(pixels)]
        header = _header(name, series, index, len(data))
        deflated = _deflated(header, zlib.Z_FULL_FLUSH)
        crc = zlib.crc32(data, zlib.crc32(header))
        part = "stage_2_test" if tested else "stage_2_train"
        writer.add(f"{ROOT}/{part}/{name}.dcm", deflated + packed, crc, len(header) + len(data))
    for name, text in (("stage_2_train.csv", _labels(train)), ("stage_2_sample_submission.csv", _sample(test))):
        writer.add(f"{ROOT}/{name}", _deflated(text, zlib.Z_FINISH), zlib.crc32(text), len(text))
    writer.close()


def _deflated(data: bytes, flush: int) -> bytes:
    squeeze = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush(flush)


@cache
def distinct(head: Path, count: int) -> list[tuple[bytes, bytes]]:
    """Deflated and plain pixels of `count` different slices."""
    return list(islice(_pixels(head), count))


def _pixels(head: Path) -> Iterator[tuple[bytes, bytes]]:
    """Without end: stored values of all slices of the head with one noise after the other."""
    volume = load_volume(next(s for s in open_series([head]).series if s.reason is None))
    rng = np.random.default_rng(0)
    while True:
        for hu in volume.hu:
            noisy = hu + rng.normal(0, NOISE_HU, hu.shape) * (hu > -900)
            data = np.clip(np.rint(noisy) + 1024, 0, 4095).astype("<u2").tobytes()
            yield _deflated(data, zlib.Z_FINISH), data


def _header(name: str, series: int, index: int, length: int) -> bytes:
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.Modality, ds.PatientID, ds.StudyID = "CT", f"ID_{series:08x}", ""
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.{series}", f"1.2.{series}.1"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-125, -125, 5.0 * index], [1, 0, 0, 0, 1, 0]
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.Rows, ds.Columns = 1, "MONOCHROME2", 512, 512
    ds.PixelSpacing, ds.BitsAllocated, ds.BitsStored, ds.HighBit = [0.488281, 0.488281], 16, 12, 11
    ds.PixelRepresentation, ds.WindowCenter, ds.WindowWidth = 0, "30", "80"
    ds.RescaleIntercept, ds.RescaleSlope = "-1024", "1"
    # `ID_...` is no valid UID; pydicom would say so 20,000 times.
    ds.add_new("SOPInstanceUID", "UI", pydicom.uid.UID(name, validation_mode=pydicom.config.IGNORE))
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=False)
    return buffer.getvalue() + b"\xe0\x7f\x10\x00OW\x00\x00" + struct.pack("<L", length)


def _labels(images: list[str]) -> bytes:
    lines = ["ID,Label"]
    for number, name in enumerate(images):
        kind = number % 5 if number // PER_SERIES % 3 == 0 and 10 <= number % PER_SERIES < 16 else None
        lines += [f"{name}_{label},{int(kind is not None and i in (kind, 5))}" for i, label in enumerate(LABELS)]
    return "\n".join(lines).encode() + b"\n"


def _sample(images: list[str]) -> bytes:
    return "\n".join(["ID,Label", *(f"{name}_{label},0.5" for name in images for label in LABELS)]).encode() + b"\n"
