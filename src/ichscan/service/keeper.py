"""The registrar's process: registers what came, queues what is complete, deletes what is too old."""

import logging
import threading
import time
from typing import Final

from ichscan.errors import OutputError
from ichscan.service.database import Database
from ichscan.service.errors import DatabaseError
from ichscan.service.jobs.due import queue_due
from ichscan.service.recover import exclusive
from ichscan.service.register import Registrar
from ichscan.service.retention import Retention
from ichscan.service.settings import Settings

LOOK_S: Final = 0.05
DUE_S: Final = 0.25
RETENTION_S: Final = 60.0
LONGEST_PAUSE_S: Final = 10.0

_log = logging.getLogger(__name__)


def keep(settings: Settings, database: Database, stop: threading.Event) -> None:
    """Works until `stop` is set; what is begun then is ended first. A lost database or a full disk is waited for.

    Raises:
        UsageError: another registrar works on the folder.
        DatabaseError: the database is not one of this version.
    """
    with exclusive(settings):
        rounds = _Rounds(settings, database)
        pause = LOOK_S
        while not stop.wait(pause):
            try:
                pause = 0.0 if rounds.once() else LOOK_S
            except OutputError as error:
                if isinstance(error, DatabaseError) and error.permanent:
                    raise
                pause = min(max(pause * 2, 0.5), LONGEST_PAUSE_S)
                _log.error("images wait in the spool, next attempt in %.1f s: %s", pause, error)


class _Rounds:
    """What is done how often; measured by a clock that does not jump."""

    def __init__(self, settings: Settings, database: Database) -> None:
        self._settings = settings
        self._database = database
        self._registrar = Registrar(settings, database)
        self._retention = Retention(settings, database)
        self._next_due = self._next_retention = time.monotonic()

    def once(self) -> int:
        """One round; whether anything was registered."""
        done = self._registrar.run_once()
        now = time.monotonic()
        if now >= self._next_due:
            self._next_due = now + DUE_S
            queue_due(self._database, self._settings, time.time())
        if now >= self._next_retention:
            self._next_retention = now + RETENTION_S
            self._retention.run_once()
        return done
