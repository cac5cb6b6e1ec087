"""Zip archives read as a stream, with guards against archives that are built to exhaust the machine.

Members are never written to disk, so a name such as `../x` cannot escape; it is refused all the same because
an archive with such names is not what a scanner or PACS writes.
"""

import io
import lzma
import posixpath
import threading
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from ichscan.errors import UnreadableFileError

MAX_DEPTH: Final = 3
MAX_MEMBER: Final = 2 << 30
MAX_NESTED: Final = 512 << 20
RATIO_FREE: Final = 64 << 20
MAX_RATIO: Final = 200
MAX_TOTAL_RATIO: Final = 1000
ZIP_ERRORS: Final = (
    zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, zlib.error, lzma.LZMAError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Archive:
    """A zip file on disk or in memory (a nested archive is held in memory while it is in use).

    `stamp` is the time and size of the file, so that a file written anew is another archive.
    """

    name: str
    location: Path | bytes | tuple["Archive", str] = field(repr=False)
    depth: int = 1
    stamp: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Member:
    """One file inside an archive: its name and its declared size in bytes."""

    name: str
    size: int


_lock = threading.RLock()
_open: dict[Archive, zipfile.ZipFile] = {}
_KEEP_OPEN: Final = 4


def _opened(archive: Archive) -> zipfile.ZipFile:
    """The open archive; a few stay open because the central directory of a large one takes seconds to read."""
    # One thread opens, the others wait: a nested archive must not be inflated by each of them.
    with _lock:
        if archive in _open:
            return _open[archive]
        location = archive.location
        stream: IO[bytes] | Path
        if isinstance(location, tuple):
            with _opened(location[0]).open(location[1]) as nested:
                stream = io.BytesIO(nested.read())
        else:
            stream = io.BytesIO(location) if isinstance(location, bytes) else location
        opened = zipfile.ZipFile(stream)
        while len(_open) >= _KEEP_OPEN:
            # Not closed here: another thread may still read from it; it closes when the last reader lets go.
            _open.pop(next(iter(_open)))
        _open[archive] = opened
        return opened


def open_member(archive: Archive, member: str) -> IO[bytes]:
    """Opens one member for streaming.

    Raises:
        UnreadableFileError: the archive or the member cannot be read.
    """
    try:
        return _opened(archive).open(member)
    except (*ZIP_ERRORS, KeyError) as error:
        raise UnreadableFileError(f"{archive.name}!/{member}: cannot be read from the archive ({error})") from error


def release_nested() -> None:
    """Frees the archives that are held in memory; they are inflated again when they are next needed."""
    with _lock:
        for archive in [one for one in _open if not isinstance(one.location, Path)]:
            del _open[archive]


def members(archive: Archive, problems: list[str]) -> Iterator[Member]:
    """Lists the members that may be read; appends one sentence to `problems` for each kind that may not.

    Raises:
        UnreadableFileError: not a zip archive, broken, or built like a bomb.
    """
    try:
        infos = [info for info in _opened(archive).infolist() if not info.is_dir()]
    except ZIP_ERRORS as error:
        raise UnreadableFileError(f"{archive.name}: broken zip archive ({error}); copy or export it again") from error
    total, packed = sum(i.file_size for i in infos), sum(i.compress_size for i in infos)
    if total > RATIO_FREE and total > MAX_TOTAL_RATIO * max(packed, 1):
        raise UnreadableFileError(
            f"{archive.name}: claims {total:,} bytes from {packed:,} packed bytes (a zip bomb?); refused, "
            f"at most {MAX_TOTAL_RATIO} to 1 is accepted; unpack it yourself if you trust it"
        )
    encrypted = 0
    for info in infos:
        if info.flag_bits & 0x1:
            encrypted += 1
        elif (fault := _fault(info)) is not None:
            problems.append(f"{archive.name}!/{info.filename}: {fault}")
        else:
            yield Member(info.filename, info.file_size)
    if encrypted:
        problems.append(
            f"{archive.name}: {encrypted} of {len(infos)} members are encrypted; unpack the archive with its password "
            "and give the folder"
        )


def _fault(info: zipfile.ZipInfo) -> str | None:
    parts = posixpath.normpath(info.filename.replace("\\", "/"))
    if parts.startswith(("../", "/")) or parts == ".." or ":" in parts.partition("/")[0]:
        return "the name leads out of the archive; skipped"
    if info.file_size > MAX_MEMBER:
        return f"{info.file_size:,} bytes unpacked, at most {MAX_MEMBER:,} are accepted; skipped"
    if info.file_size > RATIO_FREE and info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return f"{info.file_size:,} bytes from {info.compress_size:,} packed bytes (a zip bomb?); skipped"
    return None


def nested(archive: Archive, member: Member) -> Archive:
    """The archive inside an archive.

    Raises:
        UnreadableFileError: nested too deep, or too large to hold in memory.
    """
    name = f"{archive.name}!/{member.name}"
    if archive.depth >= MAX_DEPTH:
        raise UnreadableFileError(f"{name}: archive nested more than {MAX_DEPTH} deep; unpack it and give the folder")
    if member.size > MAX_NESTED:
        raise UnreadableFileError(
            f"{name}: nested archive of {member.size:,} bytes, at most {MAX_NESTED:,} are read; unpack the outer one"
        )
    return Archive(name, (archive, member.name), archive.depth + 1)
