"""A progress bar with rate and time left on stderr, only on a terminal."""

import sys
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class RateBar:
    """Shows how many are done, how many a second, and for how long still; nothing when stderr is no terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = 0.0
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "RateBar":
        self._started = monotonic()
        if sys.stderr.isatty():
            self._bar = _bar()
            self._task = self._bar.add_task(f"{self._what}: listing", total=None, rate="")
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def update(self, done: int, total: int, before: int) -> None:
        """Moves the bar.

        Args:
            done: of all.
            total: all.
            before: of `done`, those that were there before this run and say nothing about its speed.
        """
        if self._bar is None or self._task is None:
            return
        rate = (done - before) / max(monotonic() - self._started, 1e-3)
        left = (total - done) / rate if rate > 0 else None
        shown = f"{rate:,.0f}/s" + (f", {clock(left)} left" if left is not None else "")
        self._bar.update(self._task, description=self._what, completed=done, total=total, rate=shown)


def clock(seconds: float) -> str:
    """3725 -> 1:02:05."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def _bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    return Progress(*columns, console=Console(stderr=True), transient=True)
