"""`--smoke`: the whole experiment in small, to prove the path and not the model. What is changed is told."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from ichscan.datasets.splits import PAPERS, load_split, make_split
from ichscan.datasets.store import SliceStore
from ichscan.errors import DataError
from ichscan.train.slice_folds import plan_folds
from ichscan.train.workbench_recipe import WorkbenchRecipe

BACKBONE: Final = "mobilenetv2"
SIZE: Final = 64
BATCH: Final = 8
SLICES: Final = 48
PATIENTS: Final = 10
HIDDEN: Final = 32
COUNT: Final = 16
FOLDS: Final = 2


def smoke_recipe(recipe: WorkbenchRecipe, parts: Mapping[str, tuple[str, ...]]) -> tuple[WorkbenchRecipe, list[str]]:
    """The recipe in small for these parts of a split, and what was changed, one sentence each.

    Loss, head, labels, sampling, augmentation, selection, kind of scan model and rules stay.
    """
    training = dataclasses.replace(
        recipe.training,
        batch=BATCH, precision="32", seeds=recipe.training.seeds[:2], epochs=min(recipe.training.epochs, 3),
    )  # fmt: skip
    own = recipe.sequence.training
    scans = dataclasses.replace(own, epochs=min(own.epochs, 2), seeds=own.seeds[:1])
    small = dataclasses.replace(
        recipe,
        data=dataclasses.replace(recipe.data, folds=_first_folds(recipe, parts)),
        input=dataclasses.replace(recipe.input, size=SIZE),
        network=dataclasses.replace(recipe.network, backbone=BACKBONE, weights=""),
        sampling=dataclasses.replace(recipe.sampling, epoch=SLICES),
        training=training,
        features=dataclasses.replace(recipe.features, batch=16, precision="32"),
        select=dataclasses.replace(recipe.select, count=min(recipe.select.count, COUNT)),
        sequence=dataclasses.replace(recipe.sequence, hidden=min(recipe.sequence.hidden, HIDDEN), training=scans),
        outcome=dataclasses.replace(recipe.outcome, bootstrap=min(recipe.outcome.bootstrap, 50)),
    )
    before, after = _flat(dataclasses.asdict(recipe)), _flat(dataclasses.asdict(small))
    return small, [f"{key}: {before[key]} -> {after[key]}" for key in before if before[key] != after[key]]


def _first_folds(recipe: WorkbenchRecipe, parts: Mapping[str, tuple[str, ...]]) -> tuple[int, ...]:
    numbers = [fold.number for fold in plan_folds(parts, recipe.data)]
    return tuple(numbers[:FOLDS]) if len(numbers) > FOLDS else recipe.data.folds


def smoke_parts(store: SliceStore, recipe: WorkbenchRecipe) -> tuple[dict[str, tuple[str, ...]], str]:
    """Few patients of each part, those first that show every type, and a sentence that says so.

    The split of the recipe's name is used when the store has it; otherwise one is made for this run only.
    """
    try:
        split = load_split(store, recipe.data.split)
        told = f"split {recipe.data.split}"
    except DataError:
        kind = recipe.data.split if recipe.data.split in PAPERS else "holdout"
        base = PAPERS.get(kind, (kind, {}))[0]
        wishes: dict[str, Any] = {"folds": FOLDS} if "kfold" in base else {"share": 0.34} if base == "holdout" else {}
        split = make_split(store, kind, **wishes)
        told = f"a {kind} split made for this run"
    parts = {name: _few(store, patients) for name, patients in split.parts.items()}
    return parts, f"data: {told}, at most {PATIENTS} patients in each part"


def _few(store: SliceStore, patients: Sequence[str]) -> tuple[str, ...]:
    """At most `PATIENTS`: first those that show a label nobody before them showed, then the others in turn."""
    wanted = set(patients)
    labels: dict[str, Any] = {}
    for series, row in zip(store.series(), store.scan_labels, strict=True):
        if series.patient in wanted:
            labels[series.patient] = np.maximum(labels.get(series.patient, 0), row == 1)
    names = sorted(labels)
    rarity = np.sum([labels[name] for name in names], axis=0) if names else np.zeros(6)
    chosen: list[str] = []
    for column in np.argsort(rarity, kind="stable"):
        if not any(labels[name][column] for name in chosen):
            chosen += [name for name in names if labels[name][column]][:1]
    chosen = list(dict.fromkeys(chosen))
    healthy = [name for name in names if not labels[name].any()]
    bleeding = [name for name in names if labels[name].any() and name not in chosen]
    rest = [name for pair in zip(healthy, bleeding, strict=False) for name in pair]
    rest += [name for name in (*healthy, *bleeding) if name not in rest]
    return tuple(sorted((chosen + rest)[:PATIENTS]))


def _flat(values: Mapping[str, Any], where: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{where}.{key}" if where else key
        if isinstance(value, dict):
            flat |= _flat(value, name)
        else:
            flat[name] = value
    return flat
