"""The slice networks of an experiment: one per fold, seed and kept epoch, each with the patients it never saw."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ichscan.errors import UsageError
from ichscan.train.experiment.manifest import read_json, write_json
from ichscan.train.experiment.stages import STAGES, Experiment
from ichscan.train.slice_folds import plan_folds
from ichscan.train.slice_models import SliceStage, train_slices
from ichscan.train.workbench_recipe import WorkbenchRecipe

FINETUNED: Final = -1
"""Fold number of the network that was fine-tuned on everything (P4)."""


@dataclass(frozen=True, slots=True)
class Member:
    """One slice network.

    Attributes:
        fold, seed, epoch: which; fold -1 was trained on everything.
        loss: validation loss of its run's best epoch; training loss where nothing was validated.
        weights: its file.
        train: patients that it was fitted to.
        held_out: patients of its validation.
    """

    fold: int
    seed: int
    epoch: int
    loss: float
    weights: Path
    train: frozenset[str]
    held_out: frozenset[str]

    @property
    def name(self) -> str:
        """For folders and messages."""
        fold = "finetune" if self.fold == FINETUNED else f"fold_{self.fold}"
        return f"{fold}/seed_{self.seed}/epoch_{self.epoch}"


def train_members(experiment: Experiment) -> None:
    """Stage slices: trains the slice networks of all folds and seeds, or continues."""
    recipe, folder = experiment.recipe, experiment.folder / "slices"
    stage = train_slices(recipe, experiment.store, experiment.parts, folder, experiment.fabric, experiment.progress)
    if experiment.fabric.is_global_zero:
        write_json(experiment.folder / STAGES["slices"], _runs(stage, experiment.folder))
    experiment.fabric.barrier()


def _runs(stage: SliceStage, root: Path) -> list[dict[str, Any]]:
    found = []
    for run in stage.runs:
        best = run.history.epochs[run.history.best - 1]
        found.append(
            {
                "fold": run.fold,
                "seed": run.seed,
                "best": run.history.best,
                "kept": list(run.epochs(stage.recipe.training.keep)),
                "loss": best.metrics.get("loss", best.train_loss),
                "epochs": [entry.facts() for entry in run.history.epochs],
                "weights": {
                    str(entry.number): run.history.weights(entry.number).relative_to(root).as_posix()
                    for entry in run.history.epochs
                },
            }
        )
    return found


def members(experiment: Experiment) -> list[Member]:
    """The networks whose features and predictions count, by fold, seed and epoch.

    Raises:
        UsageError: [features].epochs names an epoch that was not trained.
    """
    runs = read_json(experiment.folder / STAGES["slices"])
    folds = {fold.number: fold for fold in plan_folds(experiment.parts, experiment.recipe.data)}
    everybody = frozenset(p for fold in folds.values() for p in fold.train | fold.validation)
    found = []
    for run in runs:
        fold = folds.get(run["fold"])
        for epoch in _epochs(experiment.recipe, run):
            found.append(
                Member(
                    run["fold"],
                    run["seed"],
                    epoch,
                    run["loss"],
                    experiment.folder / run["weights"][str(epoch)],
                    everybody if fold is None else fold.train,
                    frozenset() if fold is None else fold.validation,
                )
            )
    return found


def _epochs(recipe: WorkbenchRecipe, run: dict[str, Any]) -> Sequence[int]:
    trained = [int(number) for number in run["weights"]]
    if run["fold"] == FINETUNED or not recipe.features.epochs:
        return [int(number) for number in run["kept"]]
    wanted = recipe.features.epochs
    missing = sorted(set(wanted) - set(trained))
    if missing:
        raise UsageError(
            f"[features].epochs: epochs {missing} were not trained; there are {trained} (early stopping ends a run)"
        )
    return wanted
