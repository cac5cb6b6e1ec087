"""What each process of the service does, from its first line to its last. They share the database and the folder."""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from multiprocessing import parent_process
from pathlib import Path
from types import FrameType, MappingProxyType
from typing import TYPE_CHECKING, Final, Protocol

from ichscan.errors import IchscanError, OutputError
from ichscan.service.database import Database, attach_database, open_database
from ichscan.service.errors import DatabaseError
from ichscan.service.logs import start_logging
from ichscan.service.settings import Settings

if TYPE_CHECKING:
    import uvicorn

LOG: Final = logging.getLogger(__name__)
ALARMS_S: Final = 300.0
REFUSALS_S: Final = 1.0
REFUSALS: Final = 200
"""Of one second that are kept; the log has all."""
CRASHED: Final = 70
"""Exit code after an error that nobody expected (sysexits.h: internal software error)."""


class Flag(Protocol):
    """What a process sets when it does its work: an event of `multiprocessing`."""

    def set(self) -> None:
        """Sets it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a process is given.

    Attributes:
        name: of the process, unlike that of any other, before or now: jobs are claimed in it.
        stop: set when it is to end.
        ready: to call when it does its work.
    """

    settings: Settings
    database: Database
    name: str
    stop: threading.Event
    ready: Callable[[], None]


def node(context: Context) -> None:
    """Receives by DICOM."""
    from ichscan.service.node import Node
    from ichscan.service.spool import Spool

    told: deque[tuple[str, str]] = deque(maxlen=REFUSALS)
    receiving = Node(context.settings, Spool(context.settings), lambda source, reason: told.append((source, reason)))
    receiving.start()
    context.ready()
    try:
        while not context.stop.wait(REFUSALS_S):
            _keep_refusals(context.database, told)
    finally:
        receiving.stop()
        _keep_refusals(context.database, told)


def _keep_refusals(database: Database, told: deque[tuple[str, str]]) -> None:
    """Many at once: whoever knocks often must not keep the others from the database."""
    from ichscan.service.refusals import refused

    kept = [told.popleft() for _ in range(len(told))]
    if not kept:
        return
    try:
        with database.write() as session:
            for source, reason in kept:
                refused(session, source, reason)
    except DatabaseError as error:  # they are in the log
        LOG.warning("%d refusals are not in the database: %s", len(kept), error)


def registrar(context: Context) -> None:
    """Registers what came, queues what is complete, deletes what is old, raises alarms."""
    from ichscan.service.keeper import keep

    watcher = threading.Thread(target=_watch_alarms, args=(context,), name="alarms", daemon=True)
    watcher.start()
    context.ready()
    keep(context.settings, context.database, context.stop)


def _watch_alarms(context: Context) -> None:
    from ichscan.service.feedback.alarms import watch

    while not context.stop.wait(ALARMS_S):
        try:
            for alarm in watch(context.database, context.settings, time.time()):
                LOG.warning("alarm: %s", alarm.sentence)
        except OutputError as error:  # the database is away; the next look tells the same
            LOG.warning("alarms: %s", error)


def web(context: Context) -> None:
    """Answers browsers and DICOMweb."""
    from ichscan.service.spool import Spool
    from ichscan.service.web.server import open_server

    told = context.settings.web
    server = open_server(context.settings, context.database, Spool(context.settings))
    threading.Thread(target=_follow, args=(server, context), name="follow", daemon=True).start()
    server.run()
    if not server.started:
        raise OutputError(f"web: cannot listen on {told.host}:{told.port}; is another program there?")


def _follow(server: "uvicorn.Server", context: Context) -> None:
    """Says when the server answers, and ends it when the service ends."""
    while not server.started and not context.stop.wait(0.05):
        pass
    context.ready()
    context.stop.wait()
    server.should_exit = True


def worker(context: Context) -> None:
    """Analyses."""
    from ichscan.model.bundle import load_bundle
    from ichscan.service.jobs.worker import Worker

    analysis = context.settings.analysis
    threads = max(1, (os.cpu_count() or 1) // analysis.workers)
    bundle = load_bundle(Path(analysis.model) if analysis.model else None, threads=threads)
    _warm()
    context.ready()
    Worker(context.settings, context.database, bundle, context.name).run(context.stop)


def _warm() -> None:
    """Imports what an analysis needs, which takes longer than a small one: not when the first patient waits."""
    import ichscan.dicom
    import ichscan.pipeline
    import ichscan.report.dicom
    import ichscan.report.files
    import ichscan.report.viewer
    import ichscan.service.jobs.analyse
    import ichscan.service.jobs.outcome  # noqa: F401


def sender(context: Context) -> None:
    """Delivers results."""
    import pynetdicom  # noqa: F401  # now, not when the first result waits

    from ichscan.service.jobs.deliver import Sender

    context.ready()
    Sender(context.settings, context.database, context.name).run(context.stop)


KINDS: Final[Mapping[str, Callable[[Context], None]]] = MappingProxyType(
    {"node": node, "registrar": registrar, "web": web, "worker": worker, "sender": sender}
)


def run(kind: str, name: str, settings: Settings, ready: Flag) -> None:
    """Body of a process: ends when it is told to, or when the process that started it is gone.

    Errors of ichscan end it with their exit code.
    """
    os.umask(0o077)  # images and results are nobody else's
    start_logging(settings.log, name.rpartition("-")[0])
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    threading.Thread(target=_follow_parent, args=(stop,), name="parent", daemon=True).start()
    try:
        # the node must take images while the database is down; the supervisor has brought its tables up to date
        opened = attach_database if kind == "node" else open_database
        with contextlib.closing(opened(settings)) as database:
            KINDS[kind](Context(settings, database, name, stop, ready.set))
    except IchscanError as error:
        LOG.critical("%s", error)
        sys.exit(error.exit_code)
    except Exception:  # multiprocessing would print its text, which may quote what a library was given
        LOG.critical("the process ends", exc_info=True)
        sys.exit(CRASHED)


def _follow_parent(stop: threading.Event) -> None:
    """Without supervisor nobody would end or restart this process: it ends itself."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        stop.set()
