"""Results as files: one per object, named by kind and SOP Instance UID, so that a rerun writes over them."""

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from pydicom.dataset import Dataset

from ichscan.dicom.quiet import quiet_pydicom
from ichscan.report.write import make_folder, write_atomically

KINDS: Final = {
    "1.2.840.10008.5.1.4.1.1.88.34": "sr",
    "1.2.840.10008.5.1.4.1.1.88.22": "sr-enhanced",
    "1.2.840.10008.5.1.4.1.1.30": "map",
    "1.2.840.10008.5.1.4.1.1.7": "capture",
    "1.2.840.10008.5.1.4.1.1.88.59": "key-objects",
}


def write_dicom(folder: Path, datasets: Iterable[Dataset | None]) -> list[Path]:
    """Writes `<kind>-<SOP Instance UID>.dcm` files (PS3.10); None stands for an object that does not exist.

    Raises:
        OutputError: disk full, no permission.
    """
    make_folder(folder)
    paths = []
    for dataset in datasets:
        if dataset is None:
            continue
        path = folder / f"{KINDS[str(dataset.SOPClassUID)]}-{dataset.SOPInstanceUID}.dcm"
        write_atomically(path, to_bytes(dataset))
        paths.append(path)
    return paths


def to_bytes(dataset: Dataset) -> bytes:
    """The object as a DICOM file (PS3.10 section 7)."""
    buffer = io.BytesIO()
    with quiet_pydicom():
        dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
