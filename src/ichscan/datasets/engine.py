"""Imports a collection into a store: all cores, one batch at a time each, resumable after any kill."""

import errno
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ichscan.datasets.arrow import arrow
from ichscan.datasets.assemble import MANIFEST, assemble, read_manifest
from ichscan.datasets.collection import Batch, Collection, Plan
from ichscan.datasets.journal import Journal, compare
from ichscan.datasets.lock import locked
from ichscan.errors import DataError, OutputError
from ichscan.scale.executor import Executor, Lost
from ichscan.scale.processes import Processes, cores

FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


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
    executor: Executor | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> Path:
    """Imports a collection; the same call continues one that was killed, and does nothing when all is done.

    Args:
        collection: what to import.
        store: folder of the store; made when absent.
        workers: processes; None takes every core, 1 works in this process.
        executor: does the work instead, for example on several machines that all see the source and the store.
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
            _import(collection, store, executor or workers or cores(), progress or (lambda _: None))
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise OutputError(
            f"{store}: cannot be written ({os.strerror(error.errno)}); free some space and give the same command "
            "again: what is finished is kept"
        ) from error
    return store


def _import(collection: Collection, store: Path, workers: Executor | int, progress: Callable[[Progress], None]) -> None:
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
    executor = Processes(workers) if isinstance(workers, int) else workers
    _work_off(_Read(collection, store), plan, finished, executor, progress)
    assemble(collection, plan, journal)
    journal.close()


def _refuse_foreign(store: Path) -> None:
    tables = {f"{name}.parquet" for name in ("table", "scans", "boxes", "patients")}
    ours = {"parts", "slices", "import.lock", "problems.csv", *tables}
    other = sorted(p.name for p in store.iterdir() if p.name not in ours and not p.name.endswith(".tmp"))
    if other and not (store / "parts").exists():
        raise DataError(
            f"{store}: expected an empty folder or an unfinished import, found {other[0]}; give another --out"
        )


@dataclass(frozen=True, slots=True)
class _Read:
    """The work on one numbered batch: read and committed, whoever does it and however often."""

    collection: Collection
    store: Path
    gpus: int = 0

    def __call__(self, task: tuple[int, Batch]) -> None:
        number, batch = task
        Journal(self.store).commit(number, self.collection.read(batch))


def _work_off(
    read: _Read, plan: Plan, finished: set[int], executor: Executor, progress: Callable[[Progress], None]
) -> None:
    resumed = done = 0

    def open_batches() -> Iterator[tuple[int, Batch]]:
        nonlocal resumed
        for number, batch in enumerate(plan.batches):
            if number in finished:
                resumed += batch.size
            else:
                yield number, batch

    for one in executor.run(read, open_batches()):
        if isinstance(one, Lost):
            raise DataError(
                f"{read.store}: batch {one.task[0]}: {one.reason}; give the same command with fewer --workers: what is "
                "finished is kept"
            )
        done += one.task[1].size
        progress(Progress(done + resumed, plan.size, resumed))
