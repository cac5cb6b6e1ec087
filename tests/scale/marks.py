"""What workers of a test do around a task, so that a node surely dies while it works on one."""

import time
from collections.abc import Callable
from pathlib import Path

import ray

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
