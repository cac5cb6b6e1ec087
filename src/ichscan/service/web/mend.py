"""Challenge data carry names (`ID_1f6d1e8aeb`) where UIDs belong: an upload of them gets UIDs made from the names.

Only uploads are mended: a person chose the file, and there is no sender whose identifiers must be kept.
"""

import io
from collections.abc import Iterable
from typing import Final

from pydicom import dcmread
from pydicom.uid import CTImageStorage

from ichscan.dicom.header import PARSE_ERRORS, text
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.report.dicom.identity import valid_uid

LARGEST: Final = 64 << 20
"""Bytes of a file that is held in memory for it; challenge slices have half a megabyte."""
_UIDS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")


def mended(chunks: Iterable[bytes]) -> bytes | None:
    """The file with valid UIDs: the same name gives the same UID, in all files and in `ichscan predict`.

    A SOP Class that is absent becomes CT Image Storage when the modality is CT.

    Args:
        chunks: the whole file.

    Returns:
        None when it cannot be mended: too large, not readable, or an identifier is absent.
    """
    whole = bytearray()
    for chunk in chunks:
        whole += chunk
        if len(whole) > LARGEST:
            return None
    try:
        with quiet_pydicom():
            dataset = dcmread(io.BytesIO(whole))
            names = {keyword: text(dataset, keyword).strip("\0 ") for keyword in _UIDS}
            if not all(names.values()):
                return None
            for keyword, name in names.items():
                setattr(dataset, keyword, valid_uid(name))
            if not text(dataset, "SOPClassUID") and text(dataset, "Modality") == "CT":
                dataset.SOPClassUID = CTImageStorage
            dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            out = io.BytesIO()
            dataset.save_as(out, enforce_file_format=True)
    except PARSE_ERRORS:
        return None
    return out.getvalue()
