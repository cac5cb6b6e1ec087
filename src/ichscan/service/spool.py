"""Where every door leaves what it took: a file on the disk, complete or not there, without asking the database.

`<order>-<random>-<source>.<strikes>.dcm` is an accepted file, `….end` says that an association or request is over.
Names sort in the order of acceptance. They hold no identifiers of the images.
"""

import base64
import binascii
import errno
import json
import os
import secrets
import threading
import time
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ichscan.errors import OutputError
from ichscan.service.capacity import Capacity
from ichscan.service.disk import flush_folder, make_private
from ichscan.service.errors import FullError
from ichscan.service.settings import Settings

FOLDER: Final = "spool"
IMAGE: Final = ".dcm"
MARKER: Final = ".end"
PART: Final = ".part"
RECOVERED: Final = "recovered"
"""Source of files that a start put back; see `recover`."""
CHECK_BYTES: Final = 64 << 20
"""A file that grows is checked against the limits this often."""
_SOURCE_BYTES: Final = 96
_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

Chunk = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the spool.

    Attributes:
        path: of the file.
        source: that the door gave, e.g. "dimse:SCANNER1"; "unknown" for a file of another name.
        strikes: how often a process died while it read the file.
    """

    path: Path
    source: str
    strikes: int

    @property
    def marker(self) -> bool:
        """Whether it says that an association or request is over."""
        return self.path.name.endswith(MARKER)


class Spool:
    """The doors' side. Thread-safe; any number of processes may have one on the same folder."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.folder / FOLDER
        self._durable = settings.storage.durable
        self._capacity = Capacity(settings)
        self._lock = threading.Lock()
        self._last = 0
        make_private(self._folder)

    def accept(self, chunks: Iterable[Chunk], source: str) -> Path:
        """Writes a file in Part 10 form (PS3.10 section 7). When this returns, the file may be acknowledged.

        Args:
            chunks: of the file, as received. What they raise is passed on, and nothing stays.
            source: "dimse:AE", "stow:NAME", "upload:NAME" or "query:AE".

        Raises:
            FullError: the limits or the end of the disk are reached; nothing stays.
            OutputError: the file cannot be written; nothing stays.
        """
        self._capacity.check()
        return self._write(chunks, source, f".0{IMAGE}")

    def finished(self, study_uids: Collection[str], source: str) -> None:
        """Says that an association or request is over which held images of these studies.

        Raises:
            OutputError: the marker cannot be written; the studies are then analysed after `analysis.quiet_s`.
        """
        if study_uids:
            self._write([json.dumps(sorted(study_uids)).encode()], source, MARKER)

    def _write(self, chunks: Iterable[Chunk], source: str, suffix: str) -> Path:
        part = self._folder / f"{secrets.token_hex(12)}{PART}"
        try:
            self._fill(part, chunks)
            with _told(self._folder):
                path = self._folder / f"{spool_name(self._order(), secrets.token_hex(4), source)}{suffix}"
                os.rename(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        if self._durable:
            with _told(self._folder):
                flush_folder(self._folder)
        return path

    def _fill(self, part: Path, chunks: Iterable[Chunk]) -> None:
        with _told(self._folder):
            file = part.open("xb", buffering=0)
        with file:
            unchecked = 0
            for chunk in chunks:  # outside `_told`: what the sender's connection raises is not the disk's
                with _told(self._folder):
                    _write_all(file.fileno(), chunk)
                self._capacity.took(len(chunk))
                unchecked += len(chunk)
                if unchecked >= CHECK_BYTES:
                    unchecked = 0
                    self._capacity.check()
            if self._durable:
                with _told(self._folder):
                    os.fsync(file.fileno())

    def _order(self) -> int:
        """Nanoseconds since 1970, but never backwards in this process, whatever the clock does."""
        with self._lock:
            self._last = max(time.time_ns(), self._last + 1)
            return self._last


def entries(folder: Path) -> list[Entry]:
    """Accepted files and markers in the spool of `Settings.folder`, in the order of acceptance."""
    spool = folder / FOLDER
    names = sorted(name for name in os.listdir(spool) if name.endswith((IMAGE, MARKER)))
    return [_entry(spool / name) for name in names]


def oldest_file(folder: Path) -> float | None:
    """Since when the image that comes next has lain in the spool, seconds since 1970; None when there is none."""
    try:
        first = min((name for name in os.listdir(folder / FOLDER) if name.endswith(IMAGE)), default=None)
        # not st_mtime, which is older than the name of an image that a start put back
        return None if first is None else (folder / FOLDER / first).stat().st_ctime
    except OSError:  # registered meanwhile; whether the folder can be used, `Capacity` tells
        return None


def spool_name(order: int, unique: str, source: str) -> str:
    """Name of a file in the spool, without strikes and suffix."""
    packed = base64.urlsafe_b64encode(source.encode("utf-8", "replace")[:_SOURCE_BYTES]).decode().rstrip("=")
    return f"{order:020d}-{unique}-{packed}"


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Errors of the disk as errors of ours."""
    try:
        yield
    except OSError as error:
        kind = FullError if error.errno in _FULL else OutputError
        raise kind(
            f"{folder}: an image cannot be written ({os.strerror(error.errno or 0)}); look at the disk"
        ) from error


def _write_all(handle: int, chunk: Chunk) -> None:
    view = memoryview(chunk).cast("B")
    while view:
        view = view[os.write(handle, view) :]


def _entry(path: Path) -> Entry:
    stem, _, _ = path.name.rpartition(".")
    stem, _, strikes = stem.partition(".")
    try:
        packed = stem.split("-", 2)[2]
        source = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        return Entry(path, source.decode("utf-8", "ignore"), int(strikes or 0))
    except (IndexError, ValueError, binascii.Error):
        return Entry(path, "unknown", 0)
