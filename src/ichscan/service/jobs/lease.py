"""Keeps a job while it is worked on, and ends the process when that takes too long."""

import faulthandler
import logging
import os
import threading
import time
from types import TracebackType
from typing import Final, Self

from ichscan.service.database import Database
from ichscan.service.errors import DatabaseError
from ichscan.service.jobs.queue import Claimed, fail, renew

LOG: Final = logging.getLogger(__name__)
LEASE_S: Final = 30.0
"""After so long the job of a worker that died is somebody else's."""
GRACE_S: Final = 15.0
TOO_LONG: Final = 75
"""Exit code of a process that ended itself (sysexits.h: temporary failure)."""


class Lease:
    """Renews a claimed job in a thread for as long as the block runs.

    A thread cannot be ended from outside, so what hangs in native code takes its process with it; the supervisor starts
    another. `timeout_s` counts on the monotonic clock: clocks jump.
    """

    def __init__(
        self, database: Database, claimed: Claimed, timeout_s: float = 0.0, retry_s: float = 0.0, attempts: int = 0
    ) -> None:
        self.lost = False
        self._database = database
        self._claimed = claimed
        self._timeout_s = timeout_s
        self._retry = (retry_s, attempts)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"lease-{claimed.id}", daemon=True)

    def __enter__(self) -> Self:
        if self._timeout_s:
            # The thread below needs the interpreter lock, which native code that hangs may never give back.
            faulthandler.dump_traceback_later(self._timeout_s + GRACE_S, exit=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._timeout_s:
            faulthandler.cancel_dump_traceback_later()

    def _keep(self) -> None:
        start = time.monotonic()
        step = LEASE_S / 3
        while True:
            left = start + self._timeout_s - time.monotonic() if self._timeout_s else step
            if self._over.wait(max(0.0, min(step, left))):
                return
            if self._timeout_s and time.monotonic() - start >= self._timeout_s:
                self._end()
            try:
                self.lost = self.lost or not renew(self._database, self._claimed, LEASE_S)
            except DatabaseError as error:
                LOG.warning("job %d: its lease could not be renewed: %s", self._claimed.id, error)

    def _end(self) -> None:
        """Fails the job and ends the process at once."""
        LOG.error("job %d: took longer than %g s; this process ends", self._claimed.id, self._timeout_s)
        try:
            fail(self._database, self._claimed, f"took longer than {self._timeout_s:g} s", *self._retry)
        except DatabaseError as error:  # its lease will end, and the attempt is counted then
            LOG.warning("job %d: %s", self._claimed.id, error)
        finally:
            os._exit(TOO_LONG)
