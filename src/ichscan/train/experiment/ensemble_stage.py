"""Stage ensemble: one prediction per slice and scan, out of fold for validation, and by vote for test.

RUN/predictions/
  validation.parquet, validation_scans.parquet     each patient by the networks that never saw the patient
  test.parquet, test_scans.parquet                 mean over the folds (P1: voting), or the fine-tuned network (P4)
  test_fold_<k>.parquet, test_fold_<k>_scans.parquet   by the networks of one fold
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ichscan.datasets.schema import UNKNOWN
from ichscan.errors import DataError, UsageError
from ichscan.labels import LABELS, TYPES
from ichscan.train.bagging import Probabilities
from ichscan.train.experiment.combine import combine
from ichscan.train.experiment.features_stage import needed_patients
from ichscan.train.experiment.manifest import write_json
from ichscan.train.experiment.members import FINETUNED, Member, members
from ichscan.train.experiment.prediction_table import (
    SCAN,
    SLICE,
    Predictions,
    join,
    predictions,
    read_predictions,
    write_predictions,
)
from ichscan.train.experiment.scans_stage import scans_folder
from ichscan.train.experiment.stages import STAGES, Experiment
from ichscan.train.two_stage import detect_then_type
from ichscan.train.workbench_recipe import WorkbenchRecipe
from ichscan.train.workbench_tables import Ensemble

LEVELS = ((SLICE, "slices", ""), (SCAN, "scans", "_scans"))


def final_labels(recipe: WorkbenchRecipe) -> tuple[str, ...]:
    """The labels of the predictions: those learned, or all six behind a detector."""
    return LABELS if recipe.ensemble.detector else recipe.data.labels


def ensemble_members(experiment: Experiment) -> None:
    """Writes the predictions of the run."""
    found = [m for m in members(experiment) if needed_patients(experiment, m)]
    for key, level, suffix in LEVELS:
        if level == "scans" and experiment.recipe.ensemble.detector:
            continue  # a type's scan output says nothing of healthy scans
        held = [_of(experiment, kept, "validation", key, level) for kept in folds_of(experiment, found)]
        held = [one for one in held if len(one)]
        if held:
            _write(experiment, join(held), f"validation{suffix}")
        for name, table in _test(experiment, found, key, level).items():
            _write(experiment, table, f"{name}{suffix}")
    write_json(experiment.folder / STAGES["ensemble"], {"labels": final_labels(experiment.recipe)})


def folds_of(experiment: Experiment, found: Sequence[Member]) -> list[list[Member]]:
    """The members of each fold that count, the fine-tuned one left out."""
    numbers = sorted({m.fold for m in found if m.fold != FINETUNED})
    return [counting([m for m in found if m.fold == n], experiment.recipe.ensemble) for n in numbers]


def counting(fold: Sequence[Member], config: Ensemble) -> list[Member]:
    """Of one fold's members those that [ensemble].epochs and .seeds let count.

    Without epochs the last kept epoch of each seed; without seeds the seed with the lowest validation loss.
    """
    kept = list(fold)
    if not config.epochs:
        last = {m.seed: max(o.epoch for o in kept if o.seed == m.seed) for m in kept}
        kept = [m for m in kept if m.epoch == last[m.seed]]
    if not config.seeds:
        best = min(kept, key=lambda m: (m.loss, m.seed)).seed
        kept = [m for m in kept if m.seed == best]
    return kept


def test_members(experiment: Experiment, found: Sequence[Member]) -> dict[str, list[Member]]:
    """Name -> members that predict the test patients together; "test" is the run's prediction."""
    finetuned = [m for m in found if m.fold == FINETUNED]
    if finetuned:
        return {"test": finetuned}
    folds = folds_of(experiment, found)
    if not folds:
        return {}
    if experiment.recipe.ensemble.folds:
        voting = [member for fold in folds for member in fold]
    else:
        voting = min(folds, key=lambda fold: min(m.loss for m in fold))
    single = {f"test_fold_{fold[0].fold}": fold for fold in folds} if len(folds) > 1 else {}
    return {"test": voting, **single}


def _test(experiment: Experiment, found: Sequence[Member], key: str, level: str) -> dict[str, Predictions]:
    if not experiment.test_patients:
        return {}
    return {name: _of(experiment, group, "test", key, level) for name, group in test_members(experiment, found).items()}


def _of(experiment: Experiment, group: Sequence[Member], part: str, key: str, level: str) -> Predictions:
    """The mean of some members, which all predicted the same slices."""
    recipe = experiment.recipe
    tables = []
    for member in group:
        path = scans_folder(experiment, member) / f"{part}_{level}.parquet"
        if path.exists():
            tables.append((member, read_predictions(path, key, recipe.data.labels)))
    if not tables:
        return Predictions(key, np.empty(0, np.str_), np.empty((0, len(recipe.data.labels))), np.empty(0, np.int64))
    each = [Probabilities(table.ids, table.values, member.name) for member, table in tables]
    mean = combine(each, recipe.ensemble.of, recipe.ensemble.clip)
    table = predictions(key, mean, group[0].fold if part == "validation" else -1)
    return detected(recipe, table, part) if recipe.ensemble.detector else table


def detected(recipe: WorkbenchRecipe, table: Predictions, part: str) -> Predictions:
    """Two stages: the detector's `any` times the types (Shah 2025, section 5).

    Raises:
        UsageError: the recipe learns something else than types.
        DataError: the detector's run lacks these predictions, or some of the slices.
    """
    if not set(recipe.data.labels) <= set(TYPES):
        raise UsageError(f"[ensemble].detector: expected [data].labels to be types, found {recipe.data.labels}")
    path = Path(recipe.ensemble.detector) / "predictions" / f"{part}.parquet"
    other = read_predictions(path, SLICE, ["any"])
    place = {name: i for i, name in enumerate(other.ids.tolist())}
    missing = [name for name in table.ids.tolist() if name not in place]
    if missing:
        raise DataError(
            f"{path}: no prediction for {len(missing)} slices, such as {missing[:3]}; train the detector on the same "
            "store and split"
        )
    first = other.values[[place[name] for name in table.ids.tolist()], 0]
    return Predictions(SLICE, table.ids, detect_then_type(first, table.values, recipe.data.labels), table.fold)


def _write(experiment: Experiment, table: Predictions, name: str) -> None:
    """With the patient, the true labels, and null columns for labels that were not learned."""
    store, labels = experiment.store, final_labels(experiment.recipe)
    if table.key == SLICE:
        names, patients = store.table["slice_id"].to_pylist(), store.table["patient_id"].to_pylist()
        truth = store.labels
    else:
        names, patients = [s.series_uid for s in store.series()], [s.patient for s in store.series()]
        truth = store.scan_labels
    place = {one: i for i, one in enumerate(names)}
    rows = [place[one] for one in table.ids.tolist()]
    extra: dict[str, Sequence[Any]] = {"patient_id": [patients[i] for i in rows]}
    for label in labels:
        column = truth[rows, LABELS.index(label)].tolist()
        extra[f"true_{label}"] = [None if value == UNKNOWN else value for value in column]
    write_predictions(experiment.folder / "predictions" / f"{name}.parquet", table, labels, extra)
