"""Where bytes come from: a file, a member of a zip archive, or memory. Nothing is ever unpacked to disk."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Protocol

from ichscan.dicom.archive import ZIP_ERRORS, Archive, open_member
from ichscan.errors import UnreadableFileError


class Source(Protocol):
    """Bytes that can be opened more than once.

    Attributes:
        name: for people to find it again; a zip member is `archive.zip!/member`.
        folder: what holds it; slices without UIDs are grouped by it.
        size: bytes, as the file system or the archive declares.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def folder(self) -> str: ...  # noqa: D102

    @property
    def size(self) -> int: ...  # noqa: D102

    def open(self) -> IO[bytes]:
        """Opens for reading from the start; OSError or zipfile errors when that fails."""
        ...

    def read(self, offset: int = 0) -> bytes:
        """All bytes from `offset` on; UnreadableFileError when an archive is broken."""
        ...


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file on disk."""

    path: Path
    size: int

    @property
    def name(self) -> str:
        """The path as given or found."""
        return str(self.path)

    @property
    def folder(self) -> str:
        """The folder of the file."""
        return str(self.path.parent)

    def open(self) -> IO[bytes]:
        """Opens the file for reading."""
        return self.path.open("rb")

    def read(self, offset: int = 0) -> bytes:
        """Reads from `offset` to the end."""
        with self.path.open("rb", buffering=0) as stream:
            stream.seek(offset)
            return stream.readall()


@dataclass(frozen=True, slots=True)
class MemberSource:
    """A member of a zip archive, read as a stream."""

    archive: Archive
    member: str
    size: int

    @property
    def name(self) -> str:
        """`archive.zip!/member`."""
        return f"{self.archive.name}!/{self.member}"

    @property
    def folder(self) -> str:
        """The archive and the folder inside it."""
        return f"{self.archive.name}!/{self.member.rpartition('/')[0]}"

    def open(self) -> IO[bytes]:
        """Opens the member; decompressed as it is read."""
        return open_member(self.archive, self.member)

    def read(self, offset: int = 0) -> bytes:
        """Reads from `offset` to the end."""
        try:
            with self.open() as stream:
                return stream.read()[offset:]
        except ZIP_ERRORS as error:
            raise UnreadableFileError(f"{self.name}: cannot be unpacked ({error}); copy the archive again") from error


@dataclass(frozen=True, slots=True)
class BytesSource:
    """Bytes in memory."""

    name: str
    data: bytes = field(repr=False)
    folder: str = "memory"

    @property
    def size(self) -> int:
        """Length of the bytes."""
        return len(self.data)

    def open(self) -> IO[bytes]:
        """A stream over the bytes."""
        return io.BytesIO(self.data)

    def read(self, offset: int = 0) -> bytes:
        """The bytes from `offset` on."""
        return self.data[offset:]
