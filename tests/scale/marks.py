"""What workers of a test do around a task, so that a node surely dies while it works on one."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ray
from numpy.typing import NDArray

from ichscan.datasets.store import SliceStore

BEFORE = 4
"""Tasks that the other node does before it waits for the death."""


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


def begun(marks: Path) -> Path:
    """Leaves a mark; on the node that is to die it stays until then, on the other one some tasks go through."""
    node = ray.get_runtime_context().get_node_id()
    mark = marks / f"{node}-{time.monotonic_ns()}"
    mark.touch()
    doomed = node == (marks / "doomed").read_text()
    if doomed or len(list(marks.glob(f"{node}-*"))) > BEFORE:
        wait_until((marks / "dead").exists)
    return mark


class MarkedStore(SliceStore):
    """Says on which node it is read."""

    def __init__(self, path: Path, manifest: dict[str, Any], marks: Path) -> None:
        super().__init__(path, manifest)
        self.marks = marks

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"marks": self.marks}

    def hu_many(self, rows: Sequence[int] | NDArray[Any]) -> list[Any]:
        begun(self.marks)
        return super().hu_many(rows)
