"""Which executor a command runs on."""

from collections.abc import Iterator
from contextlib import contextmanager

from ichscan.errors import UsageError
from ichscan.scale.executor import Executor


@contextmanager
def start_executor(ray: str | None = None, workers: int | None = None) -> Iterator[Executor]:
    """Processes of this machine, or a Ray cluster.

    Args:
        ray: address of a cluster, "auto" or "local" (see `ichscan.scale.cluster`); None = processes.
        workers: processes; None takes every core.

    Raises:
        UsageError: fewer than one worker, or no cluster at the address.
        MissingExtraError: ray is not installed.
    """
    if workers is not None and workers < 1:
        raise UsageError(f"--workers: expected 1 or more, found {workers}")
    if ray is None:
        from ichscan.scale.processes import Processes

        yield Processes(workers)
        return
    from ichscan.scale.cluster import RayCluster

    with RayCluster(ray, workers) as cluster:
        yield cluster
