"""Imports a collection into a store: all cores, one batch at a time each, resumable after any kill."""

import errno
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.connection import wait as wait_for
from pathlib import Path
from typing import Final

from ichscan.datasets.arrow import arrow
from ichscan.datasets.assemble import MANIFEST, assemble, read_manifest
from ichscan.datasets.collection import Batch, Collection, Plan
from ichscan.datasets.journal import Journal, compare
from ichscan.datasets.lock import locked
from ichscan.errors import DataError, OutputError

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
MAX_DEATHS: Final = 3
AHEAD: Final = 2
"""Batches handed out per worker: none waits for work, and the parent holds no more than these."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: files or slices done, of how many, and how many were there from an earlier start."""

    done: int
    total: int
    resumed: int


def import_collection(
    collection: Collection,
    store: Path,
    *,
    workers: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Imports a collection; the same call continues one that was killed, and does nothing when all is done.

    Args:
        collection: what to import.
        store: folder of the store; made when absent.
        workers: processes; None takes every core, 1 works in this process.
        progress: called after every batch.

    Returns:
        The folder of the store.

    Raises:
        DataError: the source is empty or changed since the import began, or its labels are unusable.
        OutputError: the disk is full or not writable; finished batches are kept.
        MissingExtraError: pyarrow is not installed.
    """
    arrow()
    try:
        store.mkdir(parents=True, exist_ok=True)
        with locked(store):
            _import(collection, store, workers or _cores(), progress or (lambda _: None))
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise OutputError(
            f"{store}: cannot be written ({os.strerror(error.errno)}); free some space and give the same command "
            "again: what is finished is kept"
        ) from error
    return store


def _import(collection: Collection, store: Path, workers: int, progress: Callable[[Progress], None]) -> None:
    plan = collection.plan()
    journal = Journal(store)
    if (store / MANIFEST).exists():
        manifest = read_manifest(store)
        compare({"kind": collection.kind, **plan.fingerprint}, {"kind": manifest["kind"], **manifest["source"]}, store)
        if journal.parts.exists():
            journal.close()
        return
    _refuse_foreign(store)
    finished = journal.open(collection.kind, plan.fingerprint)
    _work_off(collection, store, plan, finished, workers, progress)
    assemble(collection, plan, journal)
    journal.close()


def _refuse_foreign(store: Path) -> None:
    ours = {"parts", "slices", "import.lock", "table.parquet", "scans.parquet", "boxes.parquet", "problems.csv"}
    other = sorted(p.name for p in store.iterdir() if p.name not in ours and not p.name.endswith(".tmp"))
    if other and not (store / "parts").exists():
        raise DataError(
            f"{store}: expected an empty folder or an unfinished import, found {other[0]}; give another --out"
        )


def _work_off(
    collection: Collection,
    store: Path,
    plan: Plan,
    finished: set[int],
    workers: int,
    progress: Callable[[Progress], None],
) -> None:
    resumed = done = 0

    def report(size: int) -> None:
        nonlocal done
        done += size
        progress(Progress(done + resumed, plan.size, resumed))

    def open_batches() -> Iterator[tuple[int, Batch]]:
        nonlocal resumed
        for number, batch in enumerate(plan.batches):
            if number in finished:
                resumed += batch.size
            else:
                yield number, batch

    if workers == 1:
        for number, batch in open_batches():
            Journal(store).commit(number, collection.read(batch))
            report(batch.size)
    else:
        _Pool(collection, store, min(workers, plan.count), report).run(open_batches())


class _Pool:
    """Worker processes that are replaced when the system kills one."""

    def __init__(self, collection: Collection, store: Path, workers: int, report: Callable[[int], None]) -> None:
        self._arguments = (collection, store)
        self._workers = max(workers, 1)
        self._report = report
        self._running: dict[Future[None], tuple[int, Batch]] = {}
        self._deaths = 0

    def run(self, batches: Iterator[tuple[int, Batch]]) -> None:
        """Works off all batches."""
        again: list[tuple[int, Batch]] = []
        while True:
            pool = ProcessPoolExecutor(
                self._workers, multiprocessing.get_context("spawn"), initializer=_begin, initargs=self._arguments
            )
            try:
                self._feed(pool, again, batches)
                return
            except BrokenProcessPool as error:
                self._deaths += 1
                if self._deaths > MAX_DEATHS:
                    raise DataError(
                        f"{self._arguments[1]}: worker processes were killed {self._deaths} times (out of memory?); "
                        "give the same command with fewer --workers: what is finished is kept"
                    ) from error
                again = sorted([*again, *self._running.values()], key=lambda one: one[0])
                self._running.clear()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _feed(
        self, pool: ProcessPoolExecutor, again: list[tuple[int, Batch]], batches: Iterator[tuple[int, Batch]]
    ) -> None:
        while True:
            while len(self._running) < AHEAD * self._workers:
                one = again.pop(0) if again else next(batches, None)
                if one is None:
                    break
                try:
                    self._running[pool.submit(_work, *one)] = one
                except BrokenProcessPool:
                    again.append(one)
                    raise
            if not self._running:
                return
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                future.result()
                self._report(self._running.pop(future)[1].size)
                self._deaths = 0


_collection: Collection | None = None
_store = Path()


def _begin(collection: Collection, store: Path) -> None:
    """Prepares a worker: it ends with its parent, even one that was killed, and leaves Ctrl-C to it."""
    global _collection, _store
    _collection, _store = collection, store
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _work(number: int, batch: Batch) -> None:
    if _collection is None:
        raise RuntimeError("the worker was not prepared")
    Journal(_store).commit(number, _collection.read(batch))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
