"""A Ray cluster as workers (https://docs.ray.io, extra `scale`). The only module that imports ray.

Every machine has ichscan installed and sees the same files under the same paths. A task whose machine dies is done
again by another one; what the job opened stays open in each worker process. Ray carries jobs, tasks and results between
processes by its own means, pickle among them; ichscan writes no such file.
"""

import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

from ichscan.errors import DataError, MissingExtraError, UsageError
from ichscan.scale.executor import AHEAD, MAX_DEATHS, Done, Job, Lost, R, T

LOCAL: Final = "local"


class RayCluster:
    """An executor on a Ray cluster, connected while its block runs.

    Args:
        address: of the cluster's head (`HOST:6379`), "auto" for the one that this machine belongs to, or "local" for
            one of this machine alone that ends with the block.
        workers: processes of a "local" one; None takes every core.

    Raises MissingExtraError when ray is not installed, UsageError when no cluster answers.
    """

    def __init__(self, address: str, workers: int | None = None) -> None:
        if workers is not None and address != LOCAL:
            raise UsageError(f"--workers: a cluster knows its own ({address}); leave it out")
        self.address, self.workers = address, workers
        self._ray = _ray()

    def __enter__(self) -> "RayCluster":
        own = {"num_cpus": self.workers, "include_dashboard": False} if self.address == LOCAL else {}
        try:
            self._ray.init(address=self.address, log_to_driver=False, logging_level="ERROR", **own)
        except (OSError, RuntimeError, ValueError, self._ray.exceptions.RayError) as error:
            said = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise UsageError(
                f"--ray {self.address}: expected a Ray cluster there ({said}); start one with `ray start --head`"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ray.shutdown()

    def run(self, job: Job[T, R], tasks: Iterable[T]) -> Iterator[Done[T, R] | Lost[T]]:
        """See `ichscan.scale.executor.Executor`. Machines that join later get work as well."""
        ray = self._ray
        self._check(job.gpus)
        options = {"num_cpus": 1, "num_gpus": job.gpus, "max_retries": MAX_DEATHS, "scheduling_strategy": "SPREAD"}
        work = ray.remote(**options)(_work)
        order = (uuid.uuid4().hex, str(Path.cwd()), [ray.put(job)])
        waiting = iter(tasks)
        running: dict[Any, T] = {}
        try:
            while True:
                for task in waiting:
                    running[work.remote(*order, task)] = task
                    if len(running) >= AHEAD * self._slots(job.gpus):
                        break
                if not running:
                    return
                (ready, *_), _ = ray.wait(list(running), num_returns=1)
                yield self._outcome(ready, running.pop(ready))
        finally:
            for reference in running:
                ray.cancel(reference)

    def _slots(self, gpus: int) -> int:
        there = self._ray.cluster_resources()
        return int(there.get("GPU", 0) // gpus if gpus else there.get("CPU", 0))

    def _check(self, gpus: int) -> None:
        if not self._slots(gpus):
            kind = "GPUs" if gpus else "CPUs"
            raise UsageError(
                f"--ray {self.address}: expected a cluster with {kind}, found none; start a node with some"
            )

    def _outcome(self, reference: Any, task: T) -> Done[T, Any] | Lost[T]:
        errors = self._ray.exceptions
        try:
            return Done(task, self._ray.get(reference))
        except errors.RayTaskError as error:
            cause = getattr(error, "cause", None)
            raise (cause if isinstance(cause, Exception) else error) from None
        except errors.RayError as error:
            return Lost(task, f"its workers died {MAX_DEATHS + 1} times ({type(error).__name__}; out of memory?)")


def _ray() -> ModuleType:
    # Before ray is imported: no usage statistics leave this machine, whatever is configured.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    try:
        import ray
        import ray.exceptions
    except ImportError as error:
        raise MissingExtraError("--ray needs the package ray; pip install 'ichscan[scale]'") from error
    module: ModuleType = ray
    return module


_jobs: dict[str, Any] = {}
"""The job of the run that this worker process does: fetched once."""


def _work(run: str, folder: str, held: list[Any], task: Any) -> Any:
    """Runs in a worker process of any machine."""
    if run not in _jobs:
        import ray

        try:
            os.chdir(folder)  # so that relative paths mean what they mean where the command was given
        except OSError as error:
            raise DataError(
                f"{folder}: a machine of the cluster does not see this folder ({error.strerror}); give the command in "
                "a folder that all machines share under the same path"
            ) from error
        _jobs.clear()
        _jobs[run] = ray.get(held[0])
    return _jobs[run](task)
