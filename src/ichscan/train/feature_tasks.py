"""Features by an executor: some series are a task; the process that writes gets their arrays in any order."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ichscan.datasets.store import SliceStore
from ichscan.errors import TrainingError
from ichscan.model.spec import InputSpec
from ichscan.scale.executor import Executor, Lost
from ichscan.train.feature_pass import Arrays, FeaturePass, Piece, by_series, images_of
from ichscan.types import Float32

PER_TASK: Final = 256
"""Slices of a task, at least: enough to be worth the way, few enough to be done again."""


@dataclass(frozen=True, slots=True)
class FeatureTask:
    """Rows of whole series of the table, int64 (m,), and where in the set the first of them goes."""

    start: int
    rows: NDArray[np.int64]


class FeatureJob:
    """What a worker does with a task. The network travels on the CPU and moves to the worker's GPU when it has one."""

    def __init__(self, forward: FeaturePass, store: SliceStore, spec: InputSpec) -> None:
        self.gpus = int(forward.device.type == "cuda")
        self._network = copy.deepcopy(forward.network).cpu()
        self._options = (forward.variants, forward.batch, forward.precision)
        self._store, self._spec = store, spec
        self._forward: FeaturePass | None = None

    def __call__(self, task: FeatureTask) -> Arrays:
        """Features of the rows of a task."""
        if self._forward is None:
            torch.set_num_threads(1)  # a worker is one core
            cuda = self.gpus and torch.cuda.is_available()
            self._forward = FeaturePass(self._network.to("cuda" if cuda else "cpu").eval(), *self._options)
        parts = [
            self._forward.checked(images_of(self._store, series, rows, self._spec), self._store, rows)
            for series, rows in by_series(self._store, task.rows)
        ]
        return {v: _joined([part[v] for part in parts]) for v in parts[0]}


def spread(
    executor: Executor, forward: FeaturePass, store: SliceStore, start: int, rows: NDArray[np.int64], spec: InputSpec
) -> Iterator[Piece]:
    """Features of `rows[start:]`, computed by the executor's workers.

    Args:
        executor: its workers see the store under the same path.
        forward: what is computed.
        store: with the whole series around the rows.
        start: rows that are done.
        rows: int64 (n,), ascending.
        spec: the network's input contract.

    Raises:
        DataError: a feature is NaN or infinite.
        TrainingError: every worker that was given some series died.
    """
    for one in executor.run(FeatureJob(forward, store, spec), _tasks(store, start, rows)):
        if isinstance(one, Lost):
            first = store.table["slice_id"][int(one.task.rows[0])].as_py()
            raise TrainingError(f"features: slices from {first} on: {one.reason}; the same command continues")
        yield one.task.start, one.result


def _tasks(store: SliceStore, start: int, rows: NDArray[np.int64]) -> Iterator[FeatureTask]:
    held: list[NDArray[np.int64]] = []
    for _, part in by_series(store, rows[start:]):
        held.append(part)
        if sum(map(len, held)) >= PER_TASK:
            yield FeatureTask(start, np.concatenate(held))
            start += sum(map(len, held))
            held = []
    if held:
        yield FeatureTask(start, np.concatenate(held))


def _joined(parts: list[tuple[Float32, Float32]]) -> tuple[Float32, Float32]:
    return np.concatenate([e for e, _ in parts]), np.concatenate([z for _, z in parts])
