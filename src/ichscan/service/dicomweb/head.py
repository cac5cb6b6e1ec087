"""Who a DICOM file is, from its first bytes: so that a part is refused before anything of it is on disk."""

import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from ichscan.dicom.fragments import BIG_ENDIAN
from ichscan.dicom.header import DEFLATED, IMPLICIT_LITTLE, PARSE_ERRORS, text
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.errors import InputError, NotDicomError
from ichscan.service.dicomweb.uid import is_uid

FIRST_TRY: Final = 16 << 10
LONGEST: Final = 16 << 20
"""All before Series Instance UID (0020,000E); private elements of group 0009 to 0019 may be large."""
_SERIES: Final = 0x0020000E
_FACTS: Final = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


@dataclass(frozen=True, slots=True)
class Head:
    """UIDs of an instance: SOP Class (0008,0016), SOP Instance (0008,0018), Study and Series (0020,000D and 000E)."""

    sop_class: str
    sop_instance: str
    study: str
    series: str


class BrokenHeadError(InputError):
    """A file that names its SOP instance, but is broken or not complete otherwise.

    `sop_class` and `sop_instance` are UIDs, or "" when they are not known either.
    """

    def __init__(self, message: str, sop_class: str = "", sop_instance: str = "") -> None:
        super().__init__(message)
        self.sop_class = sop_class
        self.sop_instance = sop_instance


def read_head(body: Iterator[bytes]) -> tuple[Head, Iterator[bytes]]:
    """Identifies a DICOM file (PS3.10 section 7) as it comes in.

    Returns:
        Its identifiers, and all of its bytes, from the start.

    Raises:
        NotDicomError: no DICOM file.
        BrokenHeadError: an identifier is absent, no UID, or does not come within `LONGEST` bytes.
    """
    taken, size, wanted = [], 0, FIRST_TRY
    ended = False
    while not ended:
        while size < wanted and not ended:
            chunk = next(body, b"")
            ended = not chunk
            taken.append(chunk)
            size += len(chunk)
        start = b"".join(taken)
        taken = [start]
        if start[128:132] != b"DICM":
            raise NotDicomError("expected a DICOM file with preamble (PS3.10 section 7.1), found something else")
        dataset, complete = _parse(start[:LONGEST], ended and size <= LONGEST)
        if complete:
            return _head(dataset), chain(taken, body)
        if size >= LONGEST:
            break
        wanted = size * 4
    raise BrokenHeadError(f"expected Series Instance UID (0020,000E) within {LONGEST >> 20} MiB, found none")


def _parse(start: bytes, ended: bool) -> tuple[Dataset, bool]:
    """What the first bytes hold up to Series Instance UID, and whether they reach beyond it."""
    beyond = False

    def stop(tag: BaseTag, vr: str | None, length: int) -> bool:
        nonlocal beyond
        beyond = int(tag) > _SERIES
        return beyond

    try:
        with quiet_pydicom():
            stream = io.BytesIO(start)
            stream.seek(132)
            meta = read_dataset(stream, False, True, stop_when=_beyond_meta)
            syntax = str(meta.get("TransferSyntaxUID", ""))
            if syntax == DEFLATED:
                # pydicom would inflate all of it, whatever size that is.
                stream = io.BytesIO(zlib.decompressobj(-zlib.MAX_WBITS).decompress(stream.read(), LONGEST))
            dataset = read_dataset(stream, syntax == IMPLICIT_LITTLE, syntax != BIG_ENDIAN, stop_when=stop)
            return dataset, beyond or ended
    except (*PARSE_ERRORS, zlib.error) as error:
        if ended:
            raise BrokenHeadError(
                f"expected a DICOM data set, found one that breaks off or is corrupt ({type(error).__name__})"
            ) from error
        return Dataset(), False


def _beyond_meta(tag: BaseTag, vr: str | None, length: int) -> bool:
    return int(tag) >> 16 != 2


def _head(dataset: Dataset) -> Head:
    with quiet_pydicom():
        found = [_uid(dataset, keyword) for keyword in _FACTS]
    absent = [keyword for keyword, value in zip(_FACTS, found, strict=True) if not value]
    if absent:
        raise BrokenHeadError(f"expected a UID as {absent[0]}, found none (PS3.5 section 9.1)", *found[:2])
    return Head(*found)


def _uid(dataset: Dataset, keyword: str) -> str:
    """A UID of the data set; "" when there is none."""
    raw: Any = dataset.get_item(keyword)
    if isinstance(raw, RawDataElement) and raw.length != len(raw.value or b""):
        return ""  # the file ends within the value: what is there may be the UID of something else
    value = text(dataset, keyword).rstrip("\0")
    return value if is_uid(value) else ""
