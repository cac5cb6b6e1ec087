"""What a DICOM file is and whom it is of, read from its header only; hostile files cost little."""

import hashlib
import re
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from ichscan.errors import InputError, NotDicomError, UnreadableFileError

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")
"""PS3.5 9.1, but for leading zeros, which real systems send."""
UID_LENGTH: Final = 64
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
MAX_INFLATED: Final = 512 << 20
MAX_ELEMENTS: Final = 20_000
MAX_VALUE: Final = 1 << 16
LAST_GROUP: Final = 0x0028
"""Nothing that is asked for lies beyond; what does is not parsed."""
MAX_NUMBER: Final = 2**31 - 1
_CHUNK: Final = 1 << 20
_TAGS: Final = (
    "SOPClassUID", "SOPInstanceUID", "StudyDate", "StudyTime", "AccessionNumber", "Modality", "Manufacturer",
    "StationName", "StudyDescription", "SeriesDescription", "ManufacturerModelName", "PatientName", "PatientID",
    "PatientBirthDate", "PatientSex", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber", "InstanceNumber",
    "NumberOfFrames", "Rows", "Columns",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Identity:
    """Header facts of one file: of the Patient, General Study, General Series and SOP Common modules (PS3.3).

    Text is one line without control characters, "" when absent or not decodable; numbers are None (or 0) when absent.
    UIDs are digits and points. `sha256` is over the data set, without the file's meta header, which differs by sender.
    """

    study_instance_uid: str
    series_instance_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str
    patient_id: str
    patient_name: str
    birth_date: str
    sex: str
    study_date: str
    study_time: str
    accession_number: str
    study_description: str
    station: str
    modality: str
    series_number: int | None
    series_description: str
    number: int | None
    rows: int
    columns: int
    frames: int
    size: int
    sha256: str


def identify(path: Path) -> Identity:
    """Reads the header of a file in Part 10 form (PS3.10 section 7.1).

    Raises:
        NotDicomError: no DICOM file.
        UnreadableFileError: cannot be read, breaks off in the header, is corrupt or absurdly large when inflated.
        InputError: an identifier is absent or no UID.
    """
    try:
        with path.open("rb") as file:
            start = _data_set_offset(file, path)
            digest, size = _digest(file, start)
    except OSError as error:
        raise UnreadableFileError(f"{path.name}: cannot be read ({error.strerror})") from error
    return _identity(path, _header(path, start), size, digest)


def _data_set_offset(file: IO[bytes], path: Path) -> int:
    """Where the data set begins: after preamble, prefix and the group of the meta header; 0 when that does not say."""
    head = file.read(144)
    if head[128:132] != b"DICM":
        raise NotDicomError(f"{path.name}: expected a DICOM file (PS3.10), found none")
    if head[132:140] == b"\x02\x00\x00\x00UL\x04\x00":
        return 144 + int.from_bytes(head[140:144], "little")
    return 0


def _digest(file: IO[bytes], start: int) -> tuple[str, int]:
    """SHA-256 of what follows `start`, and the size of the whole file in bytes."""
    file.seek(start)
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest(), file.tell()


def _header(path: Path, start: int) -> "FileDataset":
    import pydicom.filereader
    from pydicom.datadict import tag_for_keyword

    from ichscan.dicom.header import PARSE_ERRORS
    from ichscan.dicom.quiet import quiet_pydicom

    tags = [tag for tag in map(tag_for_keyword, _TAGS) if tag is not None]
    try:
        with quiet_pydicom(), path.open("rb") as file:
            meta = pydicom.filereader.read_file_meta_info(path)
            if meta.get("TransferSyntaxUID") == DEFLATED:
                _check_inflated(file, start, path)
            file.seek(0)
            return pydicom.filereader.read_partial(file, _stop(set(tags)), specific_tags=list(tags))
    except OSError as error:
        raise UnreadableFileError(f"{path.name}: cannot be read ({error.strerror})") from error
    except (*PARSE_ERRORS, zlib.error, MemoryError):
        # What pydicom says may quote a value; whose patient it is must not reach a log.
        raise UnreadableFileError(
            f"{path.name}: expected a DICOM data set (PS3.5 section 7), found one that breaks off or is corrupt; "
            "send it again"
        ) from None


def _stop(wanted: set[int]) -> Any:
    """Ends reading beyond the last group; a header of absurd size is refused before it is held in memory."""
    seen = 0

    def stop(tag: int, vr: str | None, length: int) -> bool:
        nonlocal seen
        seen += 1
        if seen > MAX_ELEMENTS or (tag in wanted and length > MAX_VALUE):
            raise ValueError("absurd header")
        return tag >> 16 > LAST_GROUP

    return stop


def _check_inflated(file: IO[bytes], start: int, path: Path) -> None:
    """Refuses a deflated data set (PS3.5 A.5) that would fill the memory."""
    if start == 0:
        raise ValueError("a meta header without length")
    file.seek(start)
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    while not inflater.eof:
        chunk = inflater.unconsumed_tail or file.read(_CHUNK)
        if not chunk:
            return  # breaks off: the reader will say so
        size += len(inflater.decompress(chunk, _CHUNK))
        if size > MAX_INFLATED:
            raise UnreadableFileError(
                f"{path.name}: expected at most {MAX_INFLATED >> 20} MiB inflated, found more; send it uncompressed"
            )


def _identity(path: Path, dataset: "FileDataset", size: int, digest: str) -> Identity:
    from ichscan.dicom.header import integer, transfer_syntax
    from ichscan.dicom.quiet import quiet_pydicom

    def number(keyword: str) -> int | None:
        found = integer(dataset, keyword)
        return found if found is not None and abs(found) <= MAX_NUMBER else None

    with quiet_pydicom():
        scanner = (_text(dataset, name) for name in ("Manufacturer", "ManufacturerModelName", "StationName"))
        return Identity(
            study_instance_uid=_uid(dataset, "StudyInstanceUID", "(0020,000D)", path),
            series_instance_uid=_uid(dataset, "SeriesInstanceUID", "(0020,000E)", path),
            sop_instance_uid=_uid(dataset, "SOPInstanceUID", "(0008,0018)", path),
            sop_class_uid=_uid(dataset, "SOPClassUID", "(0008,0016)", path),
            transfer_syntax_uid=_uid_or_none(transfer_syntax(dataset)),
            patient_id=_text(dataset, "PatientID"),
            patient_name=_text(dataset, "PatientName"),
            birth_date=_text(dataset, "PatientBirthDate", 16),
            sex=_text(dataset, "PatientSex", 16),
            study_date=_text(dataset, "StudyDate", 16),
            study_time=_text(dataset, "StudyTime", 32),
            accession_number=_text(dataset, "AccessionNumber"),
            study_description=_text(dataset, "StudyDescription"),
            station=" ".join(filter(None, scanner)),
            modality=_text(dataset, "Modality", 16).upper(),
            series_number=number("SeriesNumber"),
            series_description=_text(dataset, "SeriesDescription"),
            number=number("InstanceNumber"),
            rows=max(number("Rows") or 0, 0),
            columns=max(number("Columns") or 0, 0),
            frames=max(number("NumberOfFrames") or 1, 1),
            size=size,
            sha256=digest,
        )


def _uid(dataset: "FileDataset", keyword: str, tag: str, path: Path) -> str:
    found = _text(dataset, keyword).strip("\0 ")
    if not found:
        raise InputError(f"{path.name}: expected {keyword} {tag}, found none; the sender must set it")
    if len(found) > UID_LENGTH or not UID.fullmatch(found):
        raise InputError(
            f"{path.name}: expected {keyword} {tag} of at most {UID_LENGTH} digits and points (PS3.5 9.1), found "
            f"{len(found)} characters that are none; the sender must set it"
        )
    return found


def _uid_or_none(value: str) -> str:
    """The UID, "" for what is none: the analysis says what is wrong with the pixels, with the file's name."""
    return value if len(value) <= UID_LENGTH and UID.fullmatch(value) else ""


def _text(dataset: "FileDataset", keyword: str, length: int = 200) -> str:
    from ichscan.dicom.header import text

    return _plain(text(dataset, keyword))[:length]


def _plain(value: str) -> str:
    """Text that every database and JSON document can hold: no control characters, no lone surrogates."""
    return "".join(c for c in value if unicodedata.category(c) not in ("Cc", "Cs")).strip()
