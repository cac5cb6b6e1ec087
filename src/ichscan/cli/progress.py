"""A progress bar on stderr, only on a terminal."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ichscan.pipeline import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from ichscan.dicom import Intake


class Bar:
    """Counts files, then slices over all series of a run; shows nothing when stderr is not a terminal."""

    def __init__(self) -> None:
        self._bar: RichProgress | None = _rich_bar() if sys.stderr.isatty() else None
        self._task: TaskID | None = None
        self._before = self._current = 0
        self._seen = self._not_images = self._results = 0

    def callbacks(self) -> Progress:
        """For `ichscan.pipeline.examine`."""
        return Progress(None if self._bar is None else self._read, self._found, self._slices)

    @property
    def skipped(self) -> str:
        """What to tell of files that are no images or earlier results, "" when there were none."""
        told = []
        for count, what in ((self._not_images, "no image that ichscan reads"), (self._results, "results of ichscan")):
            if count:
                told.append(f"{count} of {self._seen} files {'is' if count == 1 else 'are'} {what}.")
        return " ".join(told)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Shows the bar for the length of the block."""
        if self._bar is None:
            yield
            return
        self._task = self._bar.add_task("reading headers", total=None)
        with self._bar:
            yield

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Takes the bar away while something else is printed."""
        if self._bar is None:
            yield
            return
        self._bar.stop()
        yield
        self._bar.start()

    def _read(self, files: int) -> None:
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, completed=files)

    def _found(self, intake: "Intake") -> None:
        self._seen, self._not_images, self._results = intake.files_seen, intake.not_dicom, intake.results
        if self._bar is not None and self._task is not None:
            total = sum(series.slices for series in intake.chosen)
            self._bar.update(self._task, description="slices", completed=0, total=total)

    def _slices(self, done: int) -> None:
        if self._bar is None or self._task is None:
            return
        if done < self._current:  # the next series has begun
            self._before += self._current
        self._current = done
        self._bar.update(self._task, completed=self._before + self._current)


def _rich_bar() -> "RichProgress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as RichProgress

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return RichProgress(*columns, console=Console(stderr=True), transient=True)
