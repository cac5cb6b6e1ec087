"""The processes of this machine as workers; one that the system kills is replaced."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for
from typing import Any, Generic

from ichscan.scale.executor import AHEAD, MAX_DEATHS, Done, Job, Lost, R, T


def cores() -> int:
    """CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes:
    """An executor of so many processes; None takes every core, 1 works in this process."""

    def __init__(self, workers: int | None = None) -> None:
        self.workers = workers or cores()

    def run(self, job: Job[T, R], tasks: Iterable[T]) -> Iterator[Done[T, R] | Lost[T]]:
        """See `ichscan.scale.executor.Executor`."""
        if self.workers == 1:
            for task in tasks:
                yield Done(task, job(task))
        else:
            yield from _Pool(job, self.workers).run(iter(tasks))


class _Pool(Generic[T, R]):
    """After a death the tasks that were out are done one at a time: so the one that kills is known."""

    def __init__(self, job: Job[T, R], workers: int) -> None:
        self._job, self._workers = job, workers
        self._running: dict[Future[R], T] = {}
        self._suspects: deque[T] = deque()
        self._deaths = 0

    def run(self, tasks: Iterator[T]) -> Iterator[Done[T, R] | Lost[T]]:
        """Works off all tasks."""
        while True:
            alone = bool(self._suspects)
            pool = ProcessPoolExecutor(
                1 if alone else self._workers,
                multiprocessing.get_context("spawn"), initializer=_begin, initargs=(self._job,),
            )  # fmt: skip
            try:
                if not alone:
                    yield from self._together(pool, tasks)
                    return
                yield from self._one_by_one(pool)
            except BrokenProcessPool:
                if not alone:
                    self._suspect()
                elif (lost := self._blame()) is not None:
                    yield lost
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    def _together(self, pool: ProcessPoolExecutor, tasks: Iterator[T]) -> Iterator[Done[T, R]]:
        while True:
            while len(self._running) < AHEAD * self._workers:
                try:
                    task = next(tasks)
                except StopIteration:
                    break
                try:
                    self._running[pool.submit(_work, task)] = task
                except BrokenProcessPool:
                    self._suspects.append(task)
                    raise
            if not self._running:
                return
            for future in wait(self._running, return_when=FIRST_COMPLETED).done:
                result = future.result()
                yield Done(self._running.pop(future), result)

    def _one_by_one(self, pool: ProcessPoolExecutor) -> Iterator[Done[T, R]]:
        while self._suspects:
            done = Done(self._suspects[0], pool.submit(_work, self._suspects[0]).result())
            self._suspects.popleft()
            self._deaths = 0
            yield done

    def _suspect(self) -> None:
        self._suspects.extend(self._running.values())
        self._running.clear()

    def _blame(self) -> Lost[T] | None:
        self._deaths += 1
        if self._deaths < MAX_DEATHS:
            return None
        self._deaths = 0
        return Lost(self._suspects.popleft(), f"{MAX_DEATHS} worker processes were killed by it (out of memory?)")


_job: Any = None


def _begin(job: Any) -> None:
    """Prepares a worker: it ends with its parent, even one that was killed, and leaves Ctrl-C to it."""
    global _job
    _job = job
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)


def _work(task: Any) -> Any:
    return _job(task)
