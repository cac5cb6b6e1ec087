"""Fits a network: any number of devices, mixed precision, resumable at every checkpoint with the same numbers.

Everything random is drawn from (seed, epoch, step), and learning rates follow from the history; a resumed run and an
uninterrupted one therefore see the same. Devices, launchers (`torchrun`, SLURM) and precision are Lightning Fabric's.
"""

import copy
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ichscan.errors import TrainingError, UsageError
from ichscan.train import checkpoint, rates
from ichscan.train.average import follow
from ichscan.train.batch import Batch, Share
from ichscan.train.devices import start as start
from ichscan.train.history import Epoch, History, Journal
from ichscan.train.workbench_tables import Training

Objective = Callable[[nn.Module, Batch], Tensor]
"""(network, batch) -> 0-d tensor: sum over items of weight * loss."""
Batches = Callable[[int, int, Share], Iterable[Batch]]
"""(epoch, first step, share) -> the parts of the epoch's steps from there on."""
Validate = Callable[[nn.Module, int], Mapping[str, float]]
"""(network in evaluation mode, epoch from 1) -> metrics, with "loss". Called on every process."""

MOMENTUM: Final = 0.9


@dataclass(frozen=True, slots=True)
class Task:
    """What a network is to learn.

    Attributes:
        objective: see `Objective`.
        batches: see `Batches`.
        steps: optimiser steps per epoch.
        validate: called after each epoch.
    """

    objective: Objective
    batches: Batches
    steps: int
    validate: Validate | None = None


def fit(
    network: nn.Module,
    task: Task,
    config: Training,
    folder: Path,
    seed: int,
    fabric: Fabric,
    identity: Mapping[str, str] | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> History:
    """Trains, or continues where `folder` left off.

    Writes `epoch_<k>.safetensors` (weights) and `.json` after epoch k = 1, 2 ..., `checkpoint.safetensors` (everything
    that the next step needs), `metrics.csv`, `learning.png` and TensorBoard's files.

    Args:
        network: trained in place; afterwards it holds the weights of the last epoch, without averaging.
        task: what it is to learn.
        config: recipe table.
        folder: belongs to this fit alone.
        seed: of everything random.
        fabric: see `ichscan.train.devices.start`.
        identity: what must not change under a resumed fit, e.g. digests of recipe and data.
        progress: is told one line per epoch.

    Raises:
        TrainingError: a loss that is no finite number; the message names the items.
        UsageError: the folder belongs to another identity.
        OutputError: a checkpoint cannot be written.
    """
    run = _Run(network, task, config, folder, seed, fabric, dict(identity or {}))
    share = Share(fabric.global_rank, fabric.world_size)
    with Journal(folder, run.epochs, fabric.is_global_zero) as journal:
        while not rates.finished(config, run.losses):
            begun = time.monotonic()
            number = len(run.epochs)
            run.epoch(task.batches(number, run.step, share), journal)
            run.same_buffers()
            metrics = dict(task.validate(run.kept.eval(), number + 1)) if task.validate else {}
            run.close_epoch(metrics, time.monotonic() - begun)
            journal.epoch(run.epochs[-1])
            progress(run.epochs[-1].line(config.epochs))
    return History(folder, tuple(run.epochs))


class _Run:
    """Where a fit stands: networks, optimiser, finished epochs, and the sums of the epoch under way."""

    def __init__(
        self,
        network: nn.Module,
        task: Task,
        config: Training,
        folder: Path,
        seed: int,
        fabric: Fabric,
        identity: Mapping[str, str],
    ) -> None:
        self.objective, self.config, self.steps = task.objective, config, task.steps
        self.folder, self.seed, self.fabric, self.identity = folder, seed, fabric, identity
        self.epochs: list[Epoch] = []
        self.step, self.total, self.weight = 0, 0.0, 0.0
        self.raw = network.to(fabric.device)
        self.average = copy.deepcopy(self.raw).requires_grad_(False) if config.ema else None
        self.raw_optimiser = _optimiser(self.raw, config)
        self._restore()
        self.network, self.optimiser = fabric.setup(self.raw, self.raw_optimiser)

    @property
    def kept(self) -> nn.Module:
        """What is validated and saved: the average where there is one."""
        return self.raw if self.average is None else self.average

    @property
    def losses(self) -> list[float]:
        """Validation losses so far; training losses where nothing is validated."""
        return [epoch.metrics.get("loss", epoch.train_loss) for epoch in self.epochs]

    def epoch(self, batches: Iterable[Batch], journal: Journal) -> None:
        """The rest of the epoch under way."""
        self.network.train()
        number, fresh = len(self.epochs), True
        for batch in batches:
            if fresh:
                self._prepare_step(number)
            self._part(batch.to(self.fabric.device), number)
            fresh = batch.last
            if batch.last:
                self._update()
                self.step += 1
                journal.step(number * self.steps + self.step, self.total, self.weight, self.rate)
                if self.config.save_steps and self.step % self.config.save_steps == 0 and self.step < self.steps:
                    self._gather()
                    self._save()

    def same_buffers(self) -> None:
        """Every process takes the first one's batch statistics, which are those that are saved."""
        if self.fabric.world_size > 1:
            for buffer in self.kept.buffers():
                torch.distributed.broadcast(buffer, src=0)

    @property
    def rate(self) -> float:
        """The learning rate of new layers."""
        return float(self.raw_optimiser.param_groups[-1]["lr"])

    def close_epoch(self, metrics: Mapping[str, float], seconds: float) -> None:
        """Writes the epoch's weights and the checkpoint that the next epoch starts from."""
        self._gather()
        loss, weight = self._sum(self.total), self._sum(self.weight)
        if weight <= 0:
            raise TrainingError(f"{self.folder}: epoch {len(self.epochs) + 1} held no items; nothing to train on")
        entry = Epoch(len(self.epochs) + 1, loss / weight, self.rate, seconds, dict(metrics))
        self.epochs.append(entry)
        self.step, self.total, self.weight = 0, 0.0, 0.0
        if self.fabric.is_global_zero:
            facts = entry.facts() | {"identity": dict(self.identity)}
            checkpoint.save_weights(self.folder, entry.number, self.kept, facts)
        self._save()

    def _prepare_step(self, number: int) -> None:
        # dropout draws from torch's generator: every step has its own seed, so that a resumed run draws the same
        torch.manual_seed(hash((self.seed, number, self.step, self.fabric.global_rank)) % 2**63)
        rate = rates.learning_rate(self.config, number, self.step, self.steps, self.losses)
        for group in self.raw_optimiser.param_groups:
            group["lr"] = rate * group["factor"]

    def _part(self, batch: Batch, number: int) -> None:
        several = self.fabric.world_size > 1 and not batch.last
        with self.fabric.no_backward_sync(self.network) if several else nullcontext():
            loss = self.objective(self.network, batch)
            value = float(loss.detach())
            if not abs(value) < float("inf"):
                raise TrainingError(
                    f"{self.folder}: the loss is {value} in epoch {number + 1}, step {self.step + 1}, for "
                    f"{', '.join(batch.names)}; lower learning_rate, set clip, or look at these"
                )
            # gradients are averaged over the devices: multiplied here, so that their sum remains
            self.fabric.backward(loss * (self.fabric.world_size / batch.total))
        self.total += value
        self.weight += float(batch.weights.sum())

    def _update(self) -> None:
        if self.config.clip:
            self.fabric.clip_gradients(self.network, self.optimiser, max_norm=self.config.clip)
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        if self.average is not None:
            done = len(self.epochs) * self.steps + self.step
            follow(self.average, self.raw, min(self.config.ema, (done + 1) / (done + 10)))

    def _sum(self, value: float) -> float:
        if self.fabric.world_size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=self.fabric.device)
        return float(cast(Tensor, self.fabric.all_reduce(tensor, reduce_op="sum")))

    def _gather(self) -> None:
        """The first process takes over the others' sums, since it alone writes them down."""
        total, weight = self._sum(self.total), self._sum(self.weight)
        self.total, self.weight = (total, weight) if self.fabric.is_global_zero else (0.0, 0.0)

    def _save(self) -> None:
        if self.fabric.is_global_zero:
            extra = {
                "epochs": [epoch.facts() for epoch in self.epochs],
                "step": self.step,
                "sums": [self.total, self.weight],
                "identity": dict(self.identity),
                "scaler": self.fabric.strategy.precision.state_dict(),
            }
            checkpoint.save_checkpoint(
                self.folder, self.raw, self.average, self.raw_optimiser, None, len(self.epochs), extra
            )
        self.fabric.barrier()

    def _restore(self) -> None:
        path = self.folder / checkpoint.FILE
        if not path.exists():
            return
        extra = checkpoint.read_facts(path)["extra"]
        changed = {k for k in self.identity | extra["identity"] if self.identity.get(k) != extra["identity"].get(k)}
        if changed:
            raise UsageError(
                f"{self.folder}: belongs to a run with another {', '.join(sorted(changed))}; "
                "take another folder, or the same recipe and data"
            )
        checkpoint.load_checkpoint(self.folder, self.raw, self.average, self.raw_optimiser, None)
        self.epochs = [Epoch.read(facts) for facts in extra["epochs"]]
        self.step = int(extra["step"])
        if self.fabric.is_global_zero:
            self.total, self.weight = extra["sums"]
        if extra["scaler"]:
            self.fabric.strategy.precision.load_state_dict(extra["scaler"])


def _optimiser(network: nn.Module, config: Training) -> torch.optim.Optimizer:
    backbone = list(getattr(network, "backbone", nn.Module()).parameters())
    known = {id(p) for p in backbone}
    new = [p for p in network.parameters() if id(p) not in known]
    groups: list[dict[str, Any]] = [
        {"params": params, "lr": config.learning_rate * factor, "factor": factor}
        for params, factor in ((backbone, config.backbone_factor), (new, 1.0))
        if params
    ]
    if config.optimiser == "sgd":
        return torch.optim.SGD(groups, momentum=MOMENTUM, weight_decay=config.weight_decay)
    kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
    return kind(groups, weight_decay=config.weight_decay)
