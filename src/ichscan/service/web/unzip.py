"""Zip archives that are uploaded: read member by member within limits; their names never become paths."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Final

from ichscan.errors import InputError

MOST_DIRECTORY: Final = 8 << 20
"""Bytes of the central directory, which is held in memory: some 80,000 members."""
MOST_MEMBER: Final = 2 << 30
MOST_RATIO: Final = 200
RATIO_FREE: Final = 64 << 20
"""A member below this may shrink by any ratio."""
CHUNK: Final = 1 << 18
METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
ZIP_ERRORS: Final = (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error)


class ZipError(InputError):
    """The archive, or a member, cannot be read or is not let in."""


@dataclass(frozen=True, slots=True)
class ZipMember:
    """One file of an archive; `fault` says why it is not read, "" when it may be."""

    name: str
    fault: str
    info: zipfile.ZipInfo


class Unzipper:
    """Reads one archive; `most` bytes may come out of it in all."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._left = most
        self._most = most
        try:
            self._archive = zipfile.ZipFile(_Bounded(file))
        except (*ZIP_ERRORS, OSError, ValueError) as error:
            raise ZipError("expected a zip archive, found one that is broken or has too many members") from error

    def members(self) -> Iterator[ZipMember]:
        """Every file in it, in its order."""
        for info in self._archive.infolist():
            if not info.is_dir():
                yield ZipMember(info.filename, _fault(info), info)

    def read(self, member: ZipMember) -> Iterator[bytes]:
        """The bytes of a member.

        Raises:
            ZipError: broken, or more comes out of the archive than is allowed.
        """
        try:
            with self._archive.open(member.info) as file:
                while chunk := file.read(CHUNK):
                    self._left -= len(chunk)
                    if self._left < 0:
                        raise ZipError(
                            f"expected at most {self._most >> 20:,} MiB in an archive, found more; send fewer"
                        )
                    yield chunk
        except (*ZIP_ERRORS, OSError, ValueError) as error:
            raise ZipError("expected a whole member of the archive, found one that is broken") from error


def _fault(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 0x1:
        return "encrypted; unpack the archive and send its files"
    if info.compress_type not in METHODS:
        return "packed in an unusual way; expected stored or deflated"
    if info.file_size > MOST_MEMBER:
        return f"larger than {MOST_MEMBER >> 30} GiB"
    if info.file_size > RATIO_FREE and info.file_size > MOST_RATIO * max(info.compress_size, 1):
        return f"shrinks more than {MOST_RATIO} to 1, as archives do that are built to fill a disk"
    return ""


class _Bounded(io.BufferedIOBase):
    """A file of which no read takes more into memory than a central directory may have."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__()
        self._file = file

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = MOST_DIRECTORY + 1 if size is None or size < 0 else size
        if wanted > MOST_DIRECTORY + 1:
            raise zipfile.BadZipFile("too many members")
        data = self._file.read(wanted)
        if len(data) > MOST_DIRECTORY:
            raise zipfile.BadZipFile("too many members")
        return data
