"""Takes files from the spool into the tables, in the order of acceptance, whatever died before.

A batch is read (headers only), written in one transaction, then its files are moved. A kill before the commit leaves
the spool as it was. A kill after it leaves files in the spool that the tables know already: they are read again, found
the same, and moved. A lost database leaves the spool to grow until it is back.
"""

import errno
import json
import logging
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from ichscan.errors import InputError, OutputError
from ichscan.service.capacity import write_held
from ichscan.service.database import Database
from ichscan.service.disk import delete, move
from ichscan.service.held_images import aside_path
from ichscan.service.identify import Identity, identify
from ichscan.service.recover import Reading, recover
from ichscan.service.refusals import refused
from ichscan.service.registry import Batch
from ichscan.service.settings import Settings
from ichscan.service.spool import Entry, entries

BATCH: Final = 64
AT_ONCE: Final = 512
"""So many files at most before others of this process, the watch for studies that are due, have their turn."""
STRIKES: Final = 3
HELD_EVERY_S: Final = 5.0
PASSING: Final = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR)
"""Errors of this moment, not of the file."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Read:
    """A file of the spool with what its header says, or why it cannot be taken."""

    entry: Entry
    received: float
    identity: Identity | None = None
    fault: str = ""
    studies: list[str] = field(default_factory=list)


class Registrar:
    """Of one process at a time: see `exclusive`."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._folder = settings.folder
        self._reading: Reading | None = None
        self._told_held = float("-inf")

    def run_once(self) -> int:
        """Registers what lies in the spool, at most `AT_ONCE` files.

        Returns:
            How many files and markers were dealt with; below `AT_ONCE`, the spool was emptied.

        Raises:
            DatabaseError: the database does not answer; call again later.
            OutputError: the disk is full or broken; call again later.
        """
        if self._reading is None:
            reading = Reading(self._settings)
            recover(self._settings, self._database)
            self._reading = reading
        try:
            waiting = deque(entries(self._folder)[:AT_ONCE])
        except OSError as error:
            raise OutputError(f"{self._folder}: the spool cannot be listed ({error.strerror})") from error
        done = 0
        while waiting:
            batch = [waiting.popleft() for _ in range(min(BATCH, len(waiting)))]
            self._register(batch, self._reading)
            done += len(batch)
        self._tell_held()
        return done

    def _register(self, batch: list[Entry], reading: Reading) -> None:
        read = [one for one in (self._read(entry, reading) for entry in batch) if one is not None]
        try:
            self._commit(read)
        except DBAPIError as error:
            # No loss of the database, that is a DatabaseError: a value which a table cannot hold. Which file has it?
            _log.error("a batch cannot be registered (%s), its files are taken one by one", type(error.orig).__name__)
            for one in read:
                self._commit_one(one)

    def _commit_one(self, one: _Read) -> None:
        try:
            self._commit([one])
        except DBAPIError as error:
            one.identity = None
            one.fault = (
                f"{one.entry.path.name}: the database refuses a value of its header ({type(error.orig).__name__})"
            )
            self._commit([one])

    def _commit(self, read: list[_Read]) -> None:
        """Writes one transaction, then moves its files."""
        moves: list[tuple[Path, Path | None]] = []
        with self._database.write() as session:
            transaction = Batch(session, self._settings, time.time())
            for one in read:
                if one.entry.marker:
                    transaction.finished(one.studies)
                    moves.append((one.entry.path, None))
                elif one.identity is None:
                    aside = aside_path(one.entry.path.name)
                    refused(session, one.entry.source, one.fault, aside)
                    moves.append((one.entry.path, self._folder / aside))
                else:
                    moves += transaction.image(one.entry, one.identity, one.received)
            transaction.close()
        for source, target in moves:
            if target is None:
                delete(source)
            else:
                move(source, target)

    def _read(self, entry: Entry, reading: Reading) -> _Read | None:
        """Reads one file; None when it is gone."""
        try:
            received = entry.path.stat().st_mtime
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OutputError(f"{self._folder}: the spool cannot be read ({error.strerror})") from error
        if entry.marker:
            return _Read(entry, received, studies=_studies(entry.path))
        if entry.strikes >= STRIKES:
            return _Read(entry, received, fault=f"the process that read it ended {entry.strikes} times")
        with reading.of(entry.path):
            try:
                return _Read(entry, received, identity=identify(entry.path))
            except InputError as error:
                if isinstance(error.__cause__, OSError) and error.__cause__.errno in PASSING:
                    raise OutputError(f"{error}; tried again") from error
                fault = str(error)
            except Exception as error:  # a file that surprises a library must not keep the others waiting
                # Its kind only: libraries quote values, which may identify a patient.
                fault = f"{entry.path.name}: unexpected {type(error).__name__} while the header was read"
        _log.warning("set aside: %s", fault)
        return _Read(entry, received, fault=fault)

    def _tell_held(self) -> None:
        now = time.monotonic()
        if self._settings.storage.limit_gb and now - self._told_held >= HELD_EVERY_S:
            write_held(self._folder, self._database)
            self._told_held = now


def _studies(marker: Path) -> list[str]:
    """Study Instance UIDs that a marker names; none of one that is not as the spool writes it."""
    try:
        told = json.loads(marker.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        _log.warning("%s: a marker cannot be read (%s); its studies are analysed a little later", marker.name, error)
        return []
    return [uid for uid in told if isinstance(uid, str)] if isinstance(told, list) else []
