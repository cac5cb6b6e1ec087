"""Stage features: embeddings and logits of every slice that a later stage looks at, by every member."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.scale.executor import Executor
from ichscan.train.experiment.manifest import write_json
from ichscan.train.experiment.members import Member, members
from ichscan.train.experiment.stages import STAGES, Experiment
from ichscan.train.features import Extraction, extract
from ichscan.train.slice_models import load_classifier

UNTRAINED: Final = ("none", "mean")
"""Kinds of [sequence] that are not fitted: they need no features of training patients."""
POLL_SECONDS: Final = 2.0
EVERY_SECONDS: Final = 20.0


def features_folder(experiment: Experiment, member: Member) -> Path:
    """Where a member's feature set is; see `ichscan.train.feature_store`."""
    return experiment.folder / "features" / member.name


def needed_patients(experiment: Experiment, member: Member) -> frozenset[str]:
    """Patients whose slices a member is asked about: held out and test, and its own when a scan model is fitted."""
    wanted = member.held_out | experiment.test_patients
    if experiment.recipe.sequence.kind not in UNTRAINED:
        wanted |= member.train
    return wanted


def extract_features(experiment: Experiment) -> None:
    """Extracts what is not there yet; several processes take the members in turn."""
    fabric = experiment.fabric
    everyone = [m for m in members(experiment) if needed_patients(experiment, m)]
    with experiment.workers() as executor:
        for number, member in enumerate(everyone):
            if number % fabric.world_size == fabric.global_rank:
                _extract_one(experiment, member, executor)
    for member in everyone:
        _wait_for(features_folder(experiment, member) / "features.json")
    if fabric.is_global_zero:
        write_json(experiment.folder / STAGES["features"], [m.name for m in everyone])
    fabric.barrier()


def _extract_one(experiment: Experiment, member: Member, executor: Executor | None) -> None:
    recipe = experiment.recipe
    network = load_classifier(recipe, member.weights).to(experiment.fabric.device)
    features = recipe.features
    extract(
        network,
        experiment.store,
        rows_of(experiment, needed_patients(experiment, member)),
        recipe.input,
        features_folder(experiment, member),
        Extraction(features.variants, features.batch, features.precision, recipe.training.workers),
        executor=executor,
        progress=_told(experiment.progress, member.name),
    )


def rows_of(experiment: Experiment, patients: frozenset[str]) -> NDArray[np.int64]:
    """Rows of all slices of these patients, int64 (rows,), ascending."""
    chosen = [series.rows for series in experiment.store.series() if series.patient in patients]
    return np.concatenate(chosen) if chosen else np.empty(0, np.int64)


def _told(progress: Callable[[str], None], name: str) -> Callable[[int, int], None]:
    """At most one line every few seconds, and one at the end."""
    last = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal last
        if done == total or time.monotonic() - last > EVERY_SECONDS:
            last = time.monotonic()
            progress(f"features {name}: {done:,} of {total:,} slices")

    return tell


def _wait_for(path: Path) -> None:
    """Until another process has written a file: it may take longer than a collective operation waits."""
    while not path.exists():
        time.sleep(POLL_SECONDS)
