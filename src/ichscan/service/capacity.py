"""Whether more images may be taken: free space on the disk, and the limit of what is held."""

import json
import shutil
import threading
import time
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from ichscan.errors import OutputError
from ichscan.report.write import write_atomically
from ichscan.service.database import Database
from ichscan.service.errors import FullError
from ichscan.service.settings import Settings
from ichscan.service.tables import Instance

GB: Final = 10**9
FRESH_S: Final = 1.0
HELD: Final = "held.json"
"""In the folder: how many bytes of images are held. Written by the registrar, so that no door asks the database."""


class Capacity:
    """Cheap to ask: the disk is looked at once a second, what was taken since is counted along. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.folder
        self._least_free = settings.storage.free_gb * GB
        self._most_held = settings.storage.limit_gb * GB
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._free = 0
        self._held = 0
        self._taken = 0

    def check(self, more: int = 0) -> None:
        """Asks whether `more` bytes may be taken on top of what is held.

        Raises:
            FullError: they may not.
            OutputError: the folder cannot be looked at.
        """
        with self._lock:
            if time.monotonic() - self._looked >= FRESH_S:
                self._look()
            free, held = self._free - self._taken - more, self._held + self._taken + more
        if free < self._least_free:
            raise FullError(
                f"storage: expected {self._least_free / GB:g} GB to stay free on the disk, found "
                f"{max(free, 0) / GB:.2f} GB; make room, or lower storage.free_gb or storage.keep_days"
            )
        if self._most_held and held > self._most_held:
            raise FullError(
                f"storage: expected at most {self._most_held / GB:g} GB of images, found {held / GB:.2f} GB; raise "
                "storage.limit_gb or lower storage.keep_days"
            )

    def took(self, size: int) -> None:
        """Counts bytes that were written since the disk was looked at."""
        with self._lock:
            self._taken += size

    def _look(self) -> None:
        try:
            self._free = shutil.disk_usage(self._folder).free
        except OSError as error:
            raise OutputError(f"{self._folder}: cannot be looked at ({error.strerror}); is it mounted?") from error
        self._held = held(self._folder) if self._most_held else 0
        self._taken = 0
        self._looked = time.monotonic()


def held(folder: Path) -> int:
    """Bytes of images held, as the registrar last said; 0 when it never did."""
    try:
        told = json.loads((folder / HELD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return 0
    return told if isinstance(told, int) else 0


def write_held(folder: Path, database: Database) -> None:
    """Sums up what is held and tells the doors.

    Raises:
        DatabaseError: the database does not answer.
        OutputError: the file cannot be written.
    """
    with database.read() as session:
        total = session.scalar(select(func.sum(Instance.size))) or 0
    write_atomically(folder / HELD, json.dumps(int(total)).encode())
