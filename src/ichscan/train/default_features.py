"""The default model's features, fold by fold, as a scan model wants them: for Burduja's ablation on our own network.

Reads a finished run folder of `ichscan.train.run`. In each fold all patients are described by the network of that
fold, which saw the training patients and not the held-out ones.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ichscan.datasets.folds import patient_folds
from ichscan.errors import DataError
from ichscan.model.preprocess import normalise
from ichscan.model.spec import InputSpec
from ichscan.train.checkpoint import FILE, load_average
from ichscan.train.features import network_digest
from ichscan.train.recipe import Recipe
from ichscan.train.scan_set import Fold, Scans
from ichscan.train.slice_network import SliceNetwork
from ichscan.types import Float32

BATCH = 16


def default_folds(
    recipe: Recipe, run: Path, out: Path, progress: Callable[[str], None] = lambda _: None
) -> dict[int, Fold]:
    """Features (slices, 192), logits and labels of all patients of a run, by each fold's network.

    Args:
        recipe: of the run.
        run: its folder, training finished.
        out: where features are kept; a fold that is there is not computed again.
        progress: is told one line per fold.

    Raises DataError when the run is not finished.
    """
    files = sorted((run / "examples").glob("*.npz"))
    absent = [k for k in range(recipe.folds) if not (run / "folds" / str(k) / FILE).exists()]
    if not files or absent:
        raise DataError(f"{run}: expected a finished run; {len(files)} patients, folds without a network: {absent}")
    patients = [file.stem for file in files]
    labels = [_array(file, "labels") for file in files]
    fold_of = patient_folds(patients, np.stack([y.max(axis=0) for y in labels]), recipe.folds, recipe.seed)
    stops = np.cumsum([len(y) for y in labels]).astype(np.int64)
    ids = np.array([f"{p}/{i}" for p, y in zip(patients, labels, strict=True) for i in range(len(y))])
    folds = {}
    for k in range(recipe.folds):
        network = SliceNetwork(len(recipe.input.channels))
        load_average(run / "folds" / str(k), network)
        features, logits = _kept(network.eval(), files, recipe.input, out / f"fold_{k}.npz")
        starts = stops - np.array([len(y) for y in labels])
        scans = Scans(ids, features, logits, np.concatenate(labels), starts, stops, tuple(patients), tuple(patients))
        held_out = np.array([fold_of[p] == k for p in patients])
        weight: Float32 = network.head.weight.detach().numpy()
        folds[k] = Fold(scans.take(~held_out), scans.take(held_out), weight)
        progress(f"features {k + 1}/{recipe.folds}")
    return folds


def _kept(network: SliceNetwork, files: list[Path], spec: InputSpec, path: Path) -> tuple[Float32, Float32]:
    identity = json.dumps({"network": network_digest(network), "patients": [f.stem for f in files]})
    if path.exists():
        with np.load(path, allow_pickle=False) as stored:
            if stored["identity"].tobytes() == identity.encode():
                return stored["features"], stored["logits"]
    found = [_describe(network, _array(file, "grey"), spec) for file in files]
    features, logits = (np.concatenate([one[k] for one in found]) for k in (0, 1))
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, features=features, logits=logits, identity=np.frombuffer(identity.encode(), np.uint8))
    os.replace(part, path)
    return features, logits


@torch.inference_mode()
def _describe(network: SliceNetwork, grey: NDArray[np.uint8], spec: InputSpec) -> tuple[Float32, Float32]:
    """Pooled features float32 (slices, width), which the last layer sees, and logits float32 (slices, 6)."""
    features, logits = [], []
    for start in range(0, len(grey), BATCH):
        x = torch.from_numpy(normalise(grey[start : start + BATCH], spec))
        out = network(x.contiguous(memory_format=torch.channels_last))
        features.append(out.features.mean(dim=(2, 3)).numpy())
        logits.append(out.logits.numpy())
    return np.concatenate(features), np.concatenate(logits)


def _array(file: Path, name: str) -> NDArray[np.uint8]:
    with np.load(file, allow_pickle=False) as stored:
        array: NDArray[np.uint8] = stored[name]
    return array
