"""Runs the stages of an experiment, each once: a killed run continues with the same command.

RUN/
  manifest.json, recipe.json   what the run is; another recipe or collection is refused with the difference
  split.json                   patients of each part
  slices/ features/ scans/     see the stages
  predictions/                 Parquet
  metrics.json results.csv figures/
  bundle/, bundle.json         for `ichscan predict`, or why there is none
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

from ichscan.datasets.splits import check_leakage, load_split
from ichscan.datasets.store import SliceStore
from ichscan.errors import UsageError
from ichscan.train.experiment.bundle_stage import export_bundle
from ichscan.train.experiment.ensemble_stage import ensemble_members
from ichscan.train.experiment.features_stage import extract_features
from ichscan.train.experiment.manifest import claim, write_json
from ichscan.train.experiment.members import train_members
from ichscan.train.experiment.outcome_stage import measure_outcome
from ichscan.train.experiment.scans_stage import predict_members
from ichscan.train.experiment.smoke import smoke_parts, smoke_recipe
from ichscan.train.experiment.stages import STAGES, Experiment, Workers
from ichscan.train.loop import start
from ichscan.train.workbench_recipe import WorkbenchRecipe

Progress = Callable[[str], None]


def _keep_split(experiment: Experiment) -> None:
    write_json(experiment.folder / STAGES["split"], {name: list(p) for name, p in experiment.parts.items()})


TOGETHER: Final[Mapping[str, Callable[[Experiment], None]]] = {
    "slices": train_members,
    "features": extract_features,
    "scans": predict_members,
}
"""Stages in which all processes take part."""
ALONE: Final[Mapping[str, Callable[[Experiment], None]]] = {
    "split": _keep_split,
    "ensemble": ensemble_members,
    "outcome": measure_outcome,
    "export": export_bundle,
}
"""Stages of the first process."""


def run_experiment(
    recipe: WorkbenchRecipe,
    store: SliceStore,
    out: Path,
    until: str = "",
    progress: Progress = lambda _: None,
    workers: Workers = nullcontext,
) -> Path:
    """Runs a recipe on a store, or continues.

    Args:
        recipe: what to do.
        store: the collection; it holds the split that the recipe names.
        out: the run folder.
        until: the last stage to run; "" = all.
        progress: is told one line per step.
        workers: what computes features, for example a cluster; this process when not given.

    Returns:
        The run folder.

    Raises:
        UsageError: no such stage; `out` holds another run; devices are not there.
        DataError: the split is absent, leaks, or belongs to another collection; nothing to learn from.
        TrainingError: a loss is no number.
        OutputError: the disk is full.
    """
    split = load_split(store, recipe.data.split)
    check_leakage(split, store)
    return _run(recipe, store, split.parts, out, until, progress, workers, smoke=False)


def run_smoke(
    recipe: WorkbenchRecipe,
    store: SliceStore,
    out: Path,
    until: str = "",
    progress: Progress = lambda _: None,
    workers: Workers = nullcontext,
) -> Path:
    """The same in small, to prove the path: a small backbone, small images, few patients; says what it changed.

    Args and Raises: see `run_experiment`; a split that the store does not have is made for this run.
    """
    parts, told = smoke_parts(store, recipe)
    small, changes = smoke_recipe(recipe, parts)
    progress("smoke: proves the path, not the model; changed: " + "; ".join((told, *changes)))
    return _run(small, store, parts, out, until, progress, workers, smoke=True)


def _run(
    recipe: WorkbenchRecipe,
    store: SliceStore,
    parts: Mapping[str, tuple[str, ...]],
    out: Path,
    until: str,
    progress: Progress,
    workers: Workers,
    smoke: bool,
) -> Path:
    if until and until not in STAGES:
        raise UsageError(f"--stage {until}: expected one of {', '.join(STAGES)}")
    fabric = start(recipe.training)
    shown = progress if fabric.is_global_zero else _silent
    if fabric.is_global_zero:
        claim(out, recipe, store, fabric, {"split": _facts_of(parts), "smoke": smoke})
    fabric.barrier()
    experiment = Experiment(recipe, store, parts, out, fabric, shown, workers)
    for stage in STAGES:
        if experiment.done(stage):
            shown(f"{stage}: done before")
        elif stage in TOGETHER:
            TOGETHER[stage](experiment)
        elif fabric.is_global_zero:
            ALONE[stage](experiment)
        if stage == until:
            break
    fabric.barrier()
    return out


def _facts_of(parts: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """What must not change of a split: the number of patients in each part, and a digest of who they are."""
    text = json.dumps({name: sorted(patients) for name, patients in sorted(parts.items())})
    counts = {name: len(patients) for name, patients in parts.items()}
    return {"patients": counts, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def _silent(_: str) -> None:
    """For all processes but the first."""
