"""What an executor is: it gives tasks to workers, does again what a dead worker left, and loses nothing in silence."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

T = TypeVar("T")
R = TypeVar("R")
T_contra = TypeVar("T_contra", contravariant=True)
R_co = TypeVar("R_co", covariant=True)

MAX_DEATHS: Final = 3
"""Workers that one task may take with it before it counts as lost."""
AHEAD: Final = 2
"""Tasks handed out per worker: none waits for work, and the caller holds no more than these."""


class Job(Protocol[T_contra, R_co]):
    """The work on one task. Travels to each worker once, so that what it opens on first use stays open.

    Doing a task twice must give what doing it once gives: a task whose worker died is done again by another, and a
    machine that is believed dead may still finish it.
    """

    @property
    def gpus(self) -> int:
        """GPUs that one task needs; only a cluster counts them."""
        ...

    def __call__(self, task: T_contra) -> R_co:
        """Does one task. What it raises ends the run."""
        ...


@dataclass(frozen=True, slots=True)
class Done(Generic[T, R]):
    """A task and what came of it."""

    task: T
    result: R


@dataclass(frozen=True, slots=True)
class Lost(Generic[T]):
    """A task that killed every worker it was given to; `reason` is one sentence."""

    task: T
    reason: str


class Executor(Protocol):
    """Workers, near or far."""

    def run(self, job: Job[T, R], tasks: Iterable[T]) -> Iterator[Done[T, R] | Lost[T]]:
        """Does all tasks; each comes back once, in the order in which they are finished.

        Args:
            job: the work; can be pickled, as the tasks and results can.
            tasks: taken as workers become free, never all at once.

        Yields:
            `Done`, or `Lost` for a task whose workers died `MAX_DEATHS` times; the others go on.

        Raises:
            Exception: what the job raised.
        """
        ...
