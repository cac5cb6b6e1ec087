"""Starts the processes of the service, starts again what dies, ends all of them together."""

import logging
import multiprocessing
import secrets
import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Final

from ichscan.errors import BundleError, IchscanError, MissingExtraError, UsageError
from ichscan.service.database import Database
from ichscan.service.errors import DatabaseError
from ichscan.service.jobs.deliver import ABORTED_ATTEMPTS, names_of
from ichscan.service.jobs.queue import release
from ichscan.service.jobs.worker import clean_up
from ichscan.service.notify import notify
from ichscan.service.processes import run
from ichscan.service.settings import Settings

LOG: Final = logging.getLogger(__name__)
LOOK_S: Final = 0.2
FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 30.0
HEALTHY_S: Final = 60.0
"""After so long a process is not one that dies at its start."""
STOP_S: Final = 25.0
"""For what has begun; then it is killed, and done again at the next start."""
HOPELESS: Final = frozenset({UsageError.exit_code, BundleError.exit_code, MissingExtraError.exit_code})
"""Exit codes that another start would give again."""


@dataclass(slots=True)
class Part:
    """One process of the service, as often as it is started."""

    label: str
    kind: str
    name: str = ""
    process: SpawnProcess | None = None
    ready: Event | None = None
    started: float = 0.0
    pause: float = FIRST_PAUSE_S
    again: float = 0.0
    owes: list[str] = field(default_factory=list)
    """Names of processes that died and whose jobs are not given back yet."""


def parts_of(settings: Settings) -> list[Part]:
    """The processes that the settings ask for; those that take images first."""
    node = [Part("node", "node")] if settings.dicom.enabled else []
    workers = [Part(f"worker-{i}", "worker") for i in range(settings.analysis.workers)]
    return [*node, Part("registrar", "registrar"), Part("web", "web"), *workers, Part("sender", "sender")]


class Supervisor:
    """Of one machine."""

    def __init__(self, settings: Settings, database: Database, parts: Sequence[Part] | None = None) -> None:
        self._settings = settings
        self._database = database
        self._parts = list(parts_of(settings) if parts is None else parts)
        self._spawn = multiprocessing.get_context("spawn")  # forks would share connections and threads
        self._stop = threading.Event()
        self._code = 0

    def run(self, up: Callable[[], None] | None = None) -> int:
        """Works until SIGTERM or SIGINT.

        Args:
            up: called once, when all processes do their work.

        Returns:
            0, or the exit code of a process that cannot be started.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._told)
        try:
            for part in self._parts:
                self._start(part)
            while not self._stop.is_set():
                if up is not None and all(part.ready is not None and part.ready.is_set() for part in self._parts):
                    notify("READY=1")
                    up()
                    up = None
                self._look()
        finally:
            self._end()
        return self._code

    def _told(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _start(self, part: Part) -> None:
        part.name = f"{part.label}-{secrets.token_hex(6)}"
        part.ready = self._spawn.Event()
        part.process = self._spawn.Process(
            target=run, args=(part.kind, part.name, self._settings, part.ready), name=part.label
        )
        part.process.start()
        part.started = time.monotonic()
        LOG.info("%s: started as process %s", part.label, part.process.pid)

    def _look(self) -> None:
        """Waits a moment for deaths; starts what has waited long enough."""
        wait([part.process.sentinel for part in self._parts if part.process is not None], LOOK_S)
        for part in self._parts:
            if part.process is not None and part.process.exitcode is not None and not self._stop.is_set():
                self._died(part, part.process.exitcode)
            if part.owes:
                self._give_back(part)
            if part.process is None and time.monotonic() >= part.again and not self._stop.is_set():
                self._start(part)
        if all(part.process is None for part in self._parts):
            self._stop.wait(LOOK_S)

    def _died(self, part: Part, code: int) -> None:
        part.process = None
        if code in HOPELESS:
            LOG.critical("%s: cannot work (exit code %d): the service ends", part.label, code)
            self._code = code
            self._stop.set()
            return
        if time.monotonic() - part.started > HEALTHY_S:
            part.pause = FIRST_PAUSE_S
        said = f"signal {-code}" if code < 0 else f"exit code {code}"
        LOG.error("%s: died (%s); started again in %.1f s", part.label, said, part.pause)
        part.again = time.monotonic() + part.pause
        part.pause = min(part.pause * 2, LONGEST_PAUSE_S)
        if part.kind in ("worker", "sender"):
            part.owes.append(part.name)

    def _give_back(self, part: Part) -> None:
        """The jobs of a process that died: the attempt counts, and nobody waits for its lease."""
        attempts = self._settings.analysis.attempts if part.kind == "worker" else ABORTED_ATTEMPTS
        try:
            for name in list(part.owes):
                for one in names_of(name) if part.kind == "sender" else (name,):
                    release(self._database, one, died=True, attempts=attempts)
                clean_up(self._settings, name)
                part.owes.remove(name)
        except DatabaseError as error:
            LOG.warning("%s", error)
            self._stop.wait(1.0)

    def _end(self) -> None:
        """Asks all to end, those that take images first; kills what does not."""
        notify("STOPPING=1")
        running = [part.process for part in self._parts if part.process is not None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + STOP_S
        for process in running:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.exitcode is None:
                LOG.error("%s: did not end within %g s and is killed", process.name, STOP_S)
                process.kill()
                process.join()
        for part in self._parts:
            if part.kind in ("worker", "sender") and part.name:
                self._released(part)
        LOG.info("ended")

    def _released(self, part: Part) -> None:
        """What was not finished in time is nobody's fault: the next start goes on with it at once."""
        try:
            for one in names_of(part.name) if part.kind == "sender" else (part.name,):
                release(self._database, one)
        except IchscanError as error:
            LOG.warning("%s; jobs begin again when their leases end", error)
