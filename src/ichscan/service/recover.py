"""What a start puts right after a kill, a loss of power, or a database that was restored from a backup."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import select

from ichscan.errors import OutputError, UsageError
from ichscan.service.database import Database
from ichscan.service.disk import make_private, move
from ichscan.service.held_images import IMAGES, aside_path
from ichscan.service.settings import Settings
from ichscan.service.spool import FOLDER, IMAGE, PART, RECOVERED, spool_name
from ichscan.service.tables import Instance, Refusal

READING: Final = "reading"
LOCK: Final = "registrar.lock"
OLD_PART_S: Final = 3600.0
_NAME: Final = 256

_log = logging.getLogger(__name__)


class Reading:
    """Remembers which file is being read, so that one that ends the process time and again is found out.

    A start finds the name that the last process left and gives that file a strike, in its own name.
    """

    def __init__(self, settings: Settings) -> None:
        self._spool = settings.folder / FOLDER
        make_private(self._spool)
        try:
            self._handle = os.open(self._spool / READING, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
            left = os.read(self._handle, _NAME).rstrip(b" ").decode("utf-8", "replace")
            if left:
                _strike(self._spool, left)
            self._write("")
        except OSError as error:
            raise OutputError(f"{self._spool}: cannot be written ({error.strerror}); look at the disk") from error

    def __del__(self) -> None:
        handle, self._handle = getattr(self, "_handle", -1), -1
        if handle >= 0:
            os.close(handle)

    @contextmanager
    def of(self, path: Path) -> Iterator[None]:
        """While the file is read. An error takes the name away again; only the end of the process leaves it."""
        self._write(path.name)
        try:
            yield
        finally:
            self._write("")

    def _write(self, name: str) -> None:
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, name.encode().ljust(_NAME)[:_NAME])


def _strike(spool: Path, name: str) -> None:
    stem, _, strikes = name.removesuffix(IMAGE).rpartition(".")
    if not stem or not strikes.isdecimal() or os.sep in name or not (spool / name).is_file():
        return
    _log.warning("%s: the process ended while it read this file, for the %d. time", name, int(strikes) + 1)
    os.rename(spool / name, spool / f"{stem}.{int(strikes) + 1}{IMAGE}")


@contextmanager
def exclusive(settings: Settings) -> Iterator[None]:
    """Holds the folder for one registrar; the system lets go when the process ends, however it ends.

    Raises:
        UsageError: another one works on this folder.
        OutputError: the folder cannot be written.
    """
    make_private(settings.folder / FOLDER)
    path = settings.folder / FOLDER / LOCK
    try:
        file = path.open("w")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); look at the disk") from error
    with file:
        _lock(file.fileno(), settings.folder)
        yield


def _lock(handle: int, folder: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has no such lock: there, do not start the service twice on a folder
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise UsageError(f"{folder}: another ichscan works on this folder; end it, or give another folder") from error


def recover(settings: Settings, database: Database) -> int:
    """Puts files that no table knows back into the spool, and removes what half-written files were left.

    Tables that are older than the files (a restored backup, power lost before the database was on the disk) are so
    brought up to date. Files that are known to be set aside go there.

    Returns:
        How many files were put back.

    Raises:
        DatabaseError: the database does not answer.
        OutputError: the disk is full or broken.
    """
    folder = settings.folder
    remove_parts(folder)
    with database.read() as session:
        known = set(session.scalars(select(Instance.path)))
        aside = set(session.scalars(select(Refusal.path)))
    back = 0
    for path in sorted((folder / IMAGES).glob(f"*/*/*{IMAGE}")):
        if path.relative_to(folder).as_posix() in known:
            continue
        if aside_path(path.name) in aside:
            move(path, folder / aside_path(path.name))
            continue
        # Before everything else in the spool: what came later is the newer.
        move(path, folder / FOLDER / f"{spool_name(0, path.stem, RECOVERED)}.0{IMAGE}")
        back += 1
    if back:
        _log.warning("%d images that no table knew are registered again", back)
    return back


def remove_parts(folder: Path) -> None:
    """Removes what doors that were killed left half-written: it was never acknowledged."""
    for part in (folder / FOLDER).glob(f"*{PART}"):
        try:
            if time.time() - part.stat().st_mtime > OLD_PART_S:
                part.unlink()
        except FileNotFoundError:
            continue  # its door finished it
        except OSError as error:
            raise OutputError(f"{part}: cannot be deleted ({error.strerror}); look at its permissions") from error
