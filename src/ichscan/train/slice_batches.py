"""Batches of slices for training and prediction: read, cut and windowed in threads, finished on the device."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ichscan.model.spec import InputSpec
from ichscan.train.batch import Batch, Share
from ichscan.train.losses import SliceLoss
from ichscan.train.slice_augment import PARAMETERS, UNCHANGED, apply_augmentation, draw_augmentation
from ichscan.train.slice_images import SliceImages, grey_tables
from ichscan.train.slice_sampling import draw, epoch_length
from ichscan.train.workbench_recipe import WorkbenchRecipe

_J = TypeVar("_J")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Slices:
    """Some slices of a store.

    Attributes:
        rows: int64 (n,), rows of the table.
        names: slice_id of each.
        targets: uint8 (n, k), the learned labels.
        position: float64 (n,), relative height in the series.
    """

    rows: NDArray[np.int64]
    names: tuple[str, ...]
    targets: NDArray[np.uint8]
    position: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.rows)


class InputTables(nn.Module):
    """Grey levels to network input on the device, bit-equal to `ichscan.model.preprocess.normalise`."""

    table: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, spec: InputSpec) -> None:
        super().__init__()
        self.register_buffer("table", torch.from_numpy(grey_tables(spec)))
        self.register_buffer("mean", torch.tensor(spec.mean))
        self.register_buffer("std", torch.tensor(spec.std))

    def forward(self, grey: Tensor) -> Tensor:
        """Uint8 (n, c, s, s) -> float32 (n, c, s, s)."""
        return torch.stack([self.table[c][grey[:, c].long()] for c in range(grey.shape[1])], dim=1)


class SliceObjective:
    """Sum of the weighted losses of a batch; augments on the device. See `ichscan.train.loop.Objective`."""

    def __init__(self, loss: SliceLoss, spec: InputSpec, device: torch.device) -> None:
        self.loss = loss
        self.tables = InputTables(spec).to(device)

    def __call__(self, network: nn.Module, batch: Batch) -> Tensor:
        grey, drawn = batch.inputs
        x = apply_augmentation(self.tables(grey), drawn, self.tables.mean, self.tables.std)
        logits = network(x.contiguous(memory_format=torch.channels_last)).logits
        return (self.loss(logits, batch.targets) * batch.weights).sum()


class TrainingBatches:
    """An epoch's batches; see `ichscan.train.loop.Batches`.

    Every process draws the same epoch and takes its share of each batch, in `accumulate` parts.
    """

    def __init__(self, images: SliceImages, slices: Slices, recipe: WorkbenchRecipe, seed: int) -> None:
        self.images, self.slices, self.recipe, self.seed = images, slices, recipe, seed

    @property
    def steps(self) -> int:
        """Optimiser steps per epoch."""
        return -(-epoch_length(self.recipe.sampling, self.slices.targets) // self.recipe.training.batch)

    def __call__(self, epoch: int, first: int, share: Share) -> Iterator[Batch]:
        size = self.recipe.training.batch
        drawn = draw(self.recipe.sampling, self.slices.targets, self.slices.position, size, self.seed, epoch)
        jobs = self._jobs(len(drawn.chosen), first, share)
        return ahead(
            lambda job: self._load(epoch, job, drawn.chosen, drawn.augment), jobs, self.recipe.training.workers
        )

    def _jobs(self, count: int, first: int, share: Share) -> Iterator["_Job"]:
        size = self.recipe.training.batch
        for step in range(first, -(-count // size)):
            whole = np.arange(step * size, min((step + 1) * size, count))
            mine = whole[share.rank :: share.world]
            real = len(mine) > 0
            # a process without a slice in the last batch takes one along for nothing: all must step together
            parts = np.array_split(mine, min(self.recipe.training.accumulate, len(mine))) if real else [whole[:1]]
            for k, part in enumerate(parts):
                yield _Job(step, part, float(real), float(len(whole)), k == len(parts) - 1)

    def _load(self, epoch: int, job: "_Job", index: NDArray[np.intp], augment: NDArray[np.bool_]) -> Batch:
        slices = index[job.places]
        grey = np.stack([self.images.grey(int(self.slices.rows[k])) for k in slices])
        decision = (self.seed, epoch, job.step) if self.recipe.augment.applied == "batch" else None
        drawn = np.tile(np.array(UNCHANGED, np.float32), (len(slices), 1)).reshape(-1, PARAMETERS)
        for n, place in enumerate(job.places):
            if augment[place]:
                drawn[n] = draw_augmentation(self.recipe.augment, (self.seed, epoch, int(place)), decision)
        return Batch(
            inputs=(torch.from_numpy(grey), torch.from_numpy(drawn)),
            targets=torch.from_numpy(self.slices.targets[slices].astype(np.float32)),
            weights=torch.full((len(slices),), job.weight),
            total=job.total,
            last=job.last,
            names=tuple(self.slices.names[k] for k in slices),
        )


@dataclass(frozen=True, slots=True)
class _Job:
    step: int
    places: NDArray[np.intp]
    weight: float
    total: float
    last: bool


def ahead(work: Callable[[_J], _R], jobs: Iterable[_J], workers: int) -> Iterator[_R]:
    """`work` of each job, in order; the next ones are done in threads meanwhile."""
    remaining = iter(jobs)
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[_R]] = deque(pool.submit(work, job) for job in islice(remaining, workers + 1))
        try:
            while waiting:
                done = waiting.popleft().result()
                for job in islice(remaining, 1):
                    waiting.append(pool.submit(work, job))
                yield done
        finally:
            for future in waiting:
                future.cancel()


@torch.no_grad()
def predict_logits(
    network: nn.Module,
    images: SliceImages,
    rows: NDArray[np.int64],
    batch: int,
    tables: InputTables,
    workers: int = 2,
) -> Tensor:
    """Logits of slices, without augmentation: float32 (n, k) on the CPU. `network` is in evaluation mode."""

    def load(part: NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(np.stack([images.grey(int(row)) for row in part]))

    parts: Sequence[NDArray[np.int64]] = [rows[k : k + batch] for k in range(0, len(rows), batch)]
    device = tables.table.device
    found = []
    for grey in ahead(load, parts, workers):
        x = tables(grey.to(device, non_blocking=True)).contiguous(memory_format=torch.channels_last)
        found.append(network(x).logits.float().cpu())
    return torch.cat(found)
