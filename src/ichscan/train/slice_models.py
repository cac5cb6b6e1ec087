"""The first stage of a workbench recipe: slice classifiers for every fold and seed, and what they predict.

FOLDER/
  fold_<k>/seed_<s>/     see `ichscan.train.loop.fit`; validation_<epoch>.npy: float32 (slices, k) probabilities
  fold_<k>/learning.png  learning curves over the seeds, with 95 % bands
  finetune/              the best run, trained on everything (P4)
  predictions.parquet    slice_id, fold, seed, epoch, one probability per learned label
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from ichscan.errors import DataError, UsageError
from ichscan.train.checkpoint import load_weights
from ichscan.train.classifier import SliceClassifier, build_classifier
from ichscan.train.devices import start
from ichscan.train.history import History
from ichscan.train.learning_curves import draw_learning
from ichscan.train.loop import Task, fit
from ichscan.train.losses import SliceLoss
from ichscan.train.slice_batches import InputTables, SliceObjective, Slices, TrainingBatches, predict_logits
from ichscan.train.slice_folds import Fold, plan_folds, select_slices
from ichscan.train.slice_images import SliceImages
from ichscan.train.slice_metrics import slice_metrics
from ichscan.train.slice_predictions import Predicted, save_probabilities, write_predictions
from ichscan.train.slice_sampling import draw
from ichscan.train.workbench_recipe import WorkbenchRecipe
from ichscan.train.workbench_tables import Training

if TYPE_CHECKING:
    from ichscan.datasets.store import SliceStore

PREDICTIONS: Final = "predictions.parquet"
FREE: Final = ("devices", "nodes", "accelerator", "workers", "seeds", "keep", "save_steps", "finetune_epochs",
               "finetune_rate")  # fmt: skip
"""Keys of [training] that may change under a resumed run: they do not change its numbers."""
TABLES: Final = ("data", "input", "augment", "sampling", "network", "loss")


@dataclass(frozen=True, slots=True)
class SliceRun:
    """One trained classifier.

    Attributes:
        fold: number; -1 = fine-tuned on everything.
        seed: of the run.
        history: its epochs and files.
        validation: the slices it was validated on; None when there were none.
    """

    fold: int
    seed: int
    history: History
    validation: Slices | None

    def epochs(self, keep: str) -> tuple[int, ...]:
        """Epochs (from 1) whose weights predict; see [training].keep."""
        return self.history.kept(keep)


@dataclass(frozen=True, slots=True)
class SliceStage:
    """All runs of a recipe, and the Parquet file of their validation predictions."""

    recipe: WorkbenchRecipe
    runs: tuple[SliceRun, ...]
    predictions: Path

    def classifier(self, run: SliceRun, epoch: int) -> SliceClassifier:
        """The classifier after an epoch of a run, in evaluation mode, on the CPU."""
        return load_classifier(self.recipe, run.history.weights(epoch))


def load_classifier(recipe: WorkbenchRecipe, weights: Path) -> SliceClassifier:
    """A classifier of a recipe from a file of weights, in evaluation mode, on the CPU.

    Raises UsageError when the weights are not of this recipe's network.
    """
    bare = dataclasses.replace(recipe.network, weights="")
    network = build_classifier(bare, len(recipe.input.channels), len(recipe.data.labels), recipe.input.size)
    load_weights(weights, network)
    return network.eval()


def train_slices(
    recipe: WorkbenchRecipe,
    store: "SliceStore",
    parts: Mapping[str, Sequence[str]],
    folder: Path,
    fabric: Fabric | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> SliceStage:
    """Trains, or continues, the classifiers of all folds and seeds; the same command continues a killed run.

    Args:
        recipe: the experiment.
        store: the collection.
        parts: patients of each part of the split (`Split.parts`).
        folder: belongs to this recipe, store and split.
        fabric: devices, when the caller has started them already.
        progress: is told one line per epoch, on the first process.

    Raises:
        UsageError: the folder belongs to something else, or the split lacks a part.
        DataError: a fold has nothing to train or validate on, or lacks a class that the recipe balances; told before
            the first fold is trained.
        TrainingError: the loss is no number.
    """
    stage = _Stage(recipe, store, folder, fabric or start(recipe.training), progress)
    folds = plan_folds(parts, recipe.data)
    stage.look_at(folds)
    runs = []
    for fold in folds:
        of_fold = [stage.run(fold, seed) for seed in recipe.training.seeds]
        runs.extend(of_fold)
        if stage.fabric.is_global_zero and len(of_fold) > 1:
            draw_learning(folder / f"fold_{fold.number}" / "learning.png", [run.history.epochs for run in of_fold])
    if recipe.training.finetune_epochs:
        known = frozenset(p for name, part in parts.items() if name not in ("test", recipe.data.test) for p in part)
        runs.append(stage.finetune(min(runs, key=_best_loss), known - set(recipe.data.patients_without)))
    if stage.fabric.is_global_zero:
        predicted = [
            Predicted(run.validation.names, run.fold, run.seed, run.history)
            for run in runs
            if run.validation is not None
        ]
        write_predictions(folder / PREDICTIONS, recipe.data.labels, predicted)
    stage.fabric.barrier()
    return SliceStage(recipe, tuple(runs), folder / PREDICTIONS)


def _best_loss(run: SliceRun) -> float:
    entry = run.history.epochs[run.history.best - 1]
    return float(entry.metrics.get("loss", entry.train_loss))


class _Stage:
    def __init__(
        self,
        recipe: WorkbenchRecipe,
        store: "SliceStore",
        folder: Path,
        fabric: Fabric,
        progress: Callable[[str], None],
    ) -> None:
        self.recipe, self.store, self.folder, self.fabric = recipe, store, folder, fabric
        self.progress = progress if fabric.is_global_zero else lambda _: None
        self.images = SliceImages(store, recipe.input)
        self.tables = InputTables(recipe.input).to(fabric.device)

    def look_at(self, folds: Sequence[Fold]) -> None:
        """Raises what training on any of the folds would raise for its labels; tells what they lack."""
        recipe = self.recipe
        absent = sorted(set(recipe.data.patients_without) - {series.patient for series in self.store.series()})
        if absent:
            self.progress(f"[data].patients_without: {', '.join(absent)} not in this collection")
        for fold in folds:
            for patients, use in ((fold.train, "train"), (fold.validation, "validate")):
                slices = select_slices(self.store, patients, recipe.data)
                without = [n for n, count in zip(recipe.data.labels, slices.targets.sum(0), strict=True) if not count]
                if without:
                    self.progress(f"fold {fold.number}: no positive slice to {use} on: {', '.join(without)}")
                if use == "train":
                    self._try(fold, slices)

    def _try(self, fold: Fold, slices: Slices) -> None:
        recipe = self.recipe
        try:
            SliceLoss(recipe.loss, recipe.data.labels, slices.targets)
            draw(recipe.sampling, slices.targets, slices.position, recipe.training.batch, 0, 0)
        except DataError as error:
            raise DataError(f"fold {fold.number}: {error}") from error

    def run(self, fold: Fold, seed: int) -> SliceRun:
        slices = select_slices(self.store, fold.train, self.recipe.data)
        validation = select_slices(self.store, fold.validation, self.recipe.data)
        place = self.folder / f"fold_{fold.number}" / f"seed_{seed}"
        network = self._network(seed, None)
        history = self._fit(network, slices, validation, self.recipe, place, seed, fold)
        return SliceRun(fold.number, seed, history, validation)

    def finetune(self, best: SliceRun, patients: frozenset[str]) -> SliceRun:
        training = self.recipe.training
        further = dataclasses.replace(
            training, epochs=training.finetune_epochs, learning_rate=training.finetune_rate, schedule="constant",
            warmup=0.0, stop_after=0, finetune_epochs=0,
        )  # fmt: skip
        recipe = dataclasses.replace(self.recipe, training=further)
        network = self._network(best.seed, best.history.weights(best.history.best))
        slices = select_slices(self.store, patients, recipe.data)
        everything = Fold(-1, patients, frozenset())
        history = self._fit(network, slices, None, recipe, self.folder / "finetune", best.seed, everything)
        return SliceRun(-1, best.seed, history, None)

    def _network(self, seed: int, weights: Path | None) -> SliceClassifier:
        recipe = self.recipe
        torch.manual_seed(seed)
        if weights is not None:
            network = load_classifier(recipe, weights)
        else:
            channels, outputs = len(recipe.input.channels), len(recipe.data.labels)
            network = build_classifier(recipe.network, channels, outputs, recipe.input.size)
        if recipe.network.batch_norm == "sync" and self.fabric.world_size > 1:
            if self.fabric.device.type != "cuda":
                raise UsageError('[network].batch_norm: "sync" needs GPUs; use "local" or "frozen"')
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        return network.to(memory_format=torch.channels_last)

    def _fit(
        self,
        network: SliceClassifier,
        slices: Slices,
        validation: Slices | None,
        recipe: WorkbenchRecipe,
        place: Path,
        seed: int,
        fold: Fold,
    ) -> History:
        loss = SliceLoss(recipe.loss, recipe.data.labels, slices.targets)
        batches = TrainingBatches(self.images, slices, recipe, seed)
        objective = SliceObjective(loss, recipe.input, self.fabric.device)
        checked = None if validation is None else _Validation(self, validation, loss, place)
        return fit(
            network,
            Task(objective, batches, batches.steps, checked),
            recipe.training,
            place,
            seed,
            self.fabric,
            identity=identity(recipe, self.store.digest, fold, seed),
            progress=lambda line: self.progress(f"fold {fold.number}, seed {seed}: {line}"),
        )


class _Validation:
    """Predicts the validation slices after an epoch, on all processes together."""

    def __init__(self, stage: _Stage, slices: Slices, loss: SliceLoss, place: Path) -> None:
        self.stage, self.slices, self.loss, self.place = stage, slices, loss, place

    def __call__(self, network: nn.Module, epoch: int) -> Mapping[str, float]:
        logits = self._logits(network)
        targets = torch.from_numpy(self.slices.targets.astype(np.float32))
        loss = float(self.loss(logits, targets).mean())
        probabilities = torch.sigmoid(logits.double()).numpy()
        if self.stage.fabric.is_global_zero:
            save_probabilities(self.place, epoch, probabilities)
        return {"loss": loss} | slice_metrics(probabilities, self.slices.targets, self.stage.recipe.data.labels)

    def _logits(self, network: nn.Module) -> Tensor:
        fabric, training = self.stage.fabric, self.stage.recipe.training
        rank, world = fabric.global_rank, fabric.world_size
        rows = self.slices.rows
        each = -(-len(rows) // world)
        mine = np.resize(rows[rank::world] if len(rows) > rank else rows, each)  # equal lengths, to be gathered
        with fabric.autocast():
            size = max(1, training.batch // world)
            own = predict_logits(network, self.stage.images, mine, size, self.stage.tables, training.workers)
        if world == 1:
            return own
        sent = own.to(fabric.device)
        parts = [torch.empty_like(sent) for _ in range(world)]
        torch.distributed.all_gather(parts, sent)
        return torch.stack(parts, dim=1).reshape(world * each, -1)[: len(rows)].cpu()


def identity(recipe: WorkbenchRecipe, data: str, fold: Fold, seed: int) -> dict[str, str]:
    """What a resumed run must share with what is in its folder, as digests by table."""
    shared = {name: _digest(dataclasses.asdict(getattr(recipe, name))) for name in TABLES}
    training = {f.name: getattr(recipe.training, f.name) for f in dataclasses.fields(Training) if f.name not in FREE}
    patients = _digest([sorted(fold.train), sorted(fold.validation)])
    return {f"[{k}]": v for k, v in shared.items()} | {
        "[training]": _digest(training),
        "store": data,
        "split": patients,
        "seed": str(seed),
    }


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
