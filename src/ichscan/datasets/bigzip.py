"""A zip archive of a million small members, read by many processes at once and never unpacked.

Each process would need a gigabyte for the list of members that `zipfile` keeps. Here the list is read once, as a
stream; whoever reads a member is told where it lies. Layout: PKWARE APPNOTE.TXT 6.3, sections 4.3.7, 4.3.12, 4.3.14
to 4.3.16.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from ichscan.errors import DataError, UnreadableFileError

END: Final = struct.Struct("<4s4H2LH")
END64: Final = struct.Struct("<4sQ2H2L4Q")
LOCATOR64: Final = struct.Struct("<4sLQL")
CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
LOCAL: Final = struct.Struct("<4s5H3L2H")
BLOCK: Final = 1 << 22
STORED: Final = 0
DEFLATED: Final = 8
ENCRYPTED: Final = 0x1
MAX_COMMENT: Final = 0xFFFF
BEST_RATIO: Final = 1032
"""Of deflate: 258 bytes for two bits (RFC 1951)."""
NOT_HERE: Final = 0xFFFFFFFF
"""The real number is in the zip64 extra field."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member and where its local header lies; sizes in bytes."""

    name: str
    offset: int
    packed: int
    size: int
    crc: int
    method: int
    encrypted: bool


def entries(path: Path) -> Iterator[Entry]:
    """Lists the files in an archive, in its own order, as a stream.

    Raises:
        DataError: no zip archive, cut off, or damaged.
    """
    try:
        with path.open("rb") as file:
            start, size, count = _directory(file, path)
            file.seek(start)
            yield from _central(_Stream(file, size), count)
    except (struct.error, EOFError) as error:
        raise DataError(f"{path}: the archive's list of files is damaged; download it again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error


def _directory(file: IO[bytes], path: Path) -> tuple[int, int, int]:
    """Position, size and number of entries of the central directory."""
    length = file.seek(0, io.SEEK_END)
    tail_start = max(length - END.size - MAX_COMMENT, 0)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0:
        raise DataError(
            f"{path}: expected a zip archive, found no end of one in {length:,} bytes (cut off?); download it again"
        )
    _, _, _, _, count, size, start, _ = END.unpack_from(tail, at)
    locator = tail_start + at - LOCATOR64.size
    if locator >= 0:
        file.seek(locator)
        magic, _, end64, _ = LOCATOR64.unpack(file.read(LOCATOR64.size))
        if magic == b"PK\x06\x07":
            file.seek(end64)
            record = END64.unpack(file.read(END64.size))
            if record[0] != b"PK\x06\x06":
                raise DataError(f"{path}: the archive's list of files is damaged; download it again")
            count, size, start = record[7], record[8], record[9]
    return start, size, count


class _Stream:
    """Exact reads of a part of a file, in large blocks."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left, self._buffer, self._at = file, size, b"", 0

    def take(self, count: int) -> bytes:
        while len(self._buffer) - self._at < count:
            block = self._file.read(min(BLOCK, self._left))
            if not block:
                raise EOFError
            self._left -= len(block)
            self._buffer, self._at = self._buffer[self._at :] + block, 0
        self._at += count
        return self._buffer[self._at - count : self._at]


def _central(stream: _Stream, count: int) -> Iterator[Entry]:
    for _ in range(count):
        head = CENTRAL.unpack(stream.take(CENTRAL.size))
        magic, _, _, bits, method, _, _, crc, packed, size, name_length, extra_length, comment_length = head[:13]
        offset = head[-1]
        if magic != b"PK\x01\x02":
            raise EOFError
        raw = stream.take(name_length)
        extra = stream.take(extra_length)
        stream.take(comment_length)
        size, packed, offset = _zip64(extra, size, packed, offset)
        name = raw.decode("utf-8" if bits & 0x800 else "cp437", "replace")
        if not name.endswith("/"):
            yield Entry(name, offset, packed, size, crc, method, bool(bits & ENCRYPTED))


def _zip64(extra: bytes, size: int, packed: int, offset: int) -> tuple[int, int, int]:
    """Sizes and offset with those that need eight bytes from the extra field 0x0001 (section 4.5.3)."""
    values = [size, packed, offset]
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            values = [next(wide, value) if value == NOT_HERE else value for value in values]
        at += 4 + length
    return values[0], values[1], values[2]


@dataclass(frozen=True, slots=True)
class EntrySource:
    """A member as a source of bytes (see `ichscan.dicom.source.Source`)."""

    path: Path
    entry: Entry

    @property
    def name(self) -> str:
        """`archive.zip!/member`."""
        return f"{self.path.name}!/{self.entry.name}"

    @property
    def folder(self) -> str:
        """The archive and the folder inside it."""
        return f"{self.path.name}!/{self.entry.name.rpartition('/')[0]}"

    @property
    def size(self) -> int:
        """Bytes, unpacked."""
        return self.entry.size

    def open(self) -> IO[bytes]:
        """A stream over the unpacked bytes."""
        return io.BytesIO(self.read())

    def read(self, offset: int = 0) -> bytes:
        """The unpacked bytes from `offset` on.

        Raises:
            UnreadableFileError: damaged, encrypted, or packed in an unusual way.
        """
        entry = self.entry
        if entry.encrypted or entry.method not in (STORED, DEFLATED):
            how = "encrypted" if entry.encrypted else f"packed by method {entry.method}"
            raise UnreadableFileError(f"{self.name}: {how}; unpack the archive and give the folder")
        with self.path.open("rb", buffering=0) as file:
            file.seek(entry.offset)
            head = LOCAL.unpack(_whole(file.read(LOCAL.size), LOCAL.size, self.name))
            if head[0] != b"PK\x03\x04":
                raise UnreadableFileError(
                    f"{self.name}: expected a member of the archive, found none where it is listed"
                )
            file.seek(entry.offset + LOCAL.size + head[9] + head[10])
            data = _whole(file.read(entry.packed), entry.packed, self.name)
        if entry.method == DEFLATED:
            data = _inflated(data, entry.size, self.name)
        if len(data) != entry.size or zlib.crc32(data) != entry.crc:
            raise UnreadableFileError(f"{self.name}: the checksum does not match: damaged; download the archive again")
        return data[offset:]


def _whole(data: bytes, length: int, name: str) -> bytes:
    if len(data) != length:
        raise UnreadableFileError(f"{name}: expected {length:,} bytes, found {len(data):,}; download the archive again")
    return data


def _inflated(data: bytes, size: int, name: str) -> bytes:
    """By libdeflate, which takes half of zlib's time; it stops at the declared size, so a bomb gets no further."""
    import imagecodecs

    try:
        if size > BEST_RATIO * len(data):
            raise ValueError("longer than deflate can pack")
        return bytes(imagecodecs.deflate_decode(data, raw=True, out=size)) if size else b""
    except (RuntimeError, ValueError, MemoryError) as error:
        raise UnreadableFileError(f"{name}: cannot be unpacked ({error}); download the archive again") from error
