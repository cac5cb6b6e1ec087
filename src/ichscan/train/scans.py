"""Fits scan models on features, and predicts whole scans with them.

A scan model is fitted on the features of training patients, by the slice network that was trained on the same patients
(Alqaisi & Almashagbeh 2025, section 3.4.7; Burduja et al. 2020, section 3.2). Stacking on out-of-fold evidence, as the
default model does, is `ichscan.train.sequence`.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from ichscan.errors import DataError, UsageError
from ichscan.train.bagging import Probabilities, bag
from ichscan.train.checkpoint import load_weights
from ichscan.train.loop import Task, fit
from ichscan.train.scan_batches import ScanBatches, ScanObjective, padded
from ichscan.train.scan_loss import scan_losses
from ichscan.train.scan_models import build_scan_model
from ichscan.train.scan_set import Fold, Scans
from ichscan.train.select import fit_selector
from ichscan.train.workbench_sequence_tables import Select, Sequence

Progress = Callable[[str], None]
PREDICT: Final = 8
"""Scans per forward pass when predicting."""


class ScanPredictions(NamedTuple):
    """Probabilities of all slices (ids: of slices) and of all scans (ids: names of scans)."""

    slices: Probabilities
    scans: Probabilities


def fit_scan_models(
    config: Sequence,
    training: Scans,
    folder: Path,
    fabric: Fabric,
    *,
    validation: Scans | None = None,
    identity: Mapping[str, str] | None = None,
    progress: Progress = lambda _: None,
) -> list[nn.Module]:
    """Fits one scan model per seed and keeps the epochs that [sequence.training].keep names.

    Args:
        config: recipe table [sequence]; "none" and "mean" need no fitting.
        training: scans; those without any known label are left out.
        folder: one subfolder per seed, see `ichscan.train.loop.fit`; resumed when it is there.
        fabric: see `ichscan.train.loop.start`.
        validation: scans of other patients, for "best", early stopping and "plateau".
        identity: digests that must not change under a resumed fit.
        progress: is told one line per epoch.

    Raises DataError without a labelled scan, TrainingError when the loss is no number.
    """
    labels = training.logits.shape[1]
    width = training.features.shape[1]
    if config.kind in ("none", "mean"):
        return [build_scan_model(config, width, labels).eval()]
    learned = training.labelled()
    if len(learned) == 0:
        raise DataError(f"scan model: expected labelled scans, found none among {len(training)}")
    known = {**(identity or {}), "scans": _digest(learned), "sequence": str(asdict(config))}
    return [
        model
        for seed in config.training.seeds
        for model in _fit_one(config, learned, folder / f"seed_{seed}", seed, fabric, validation, known, progress)
    ]


def _fit_one(
    config: Sequence,
    scans: Scans,
    folder: Path,
    seed: int,
    fabric: Fabric,
    validation: Scans | None,
    identity: Mapping[str, str],
    progress: Progress,
) -> list[nn.Module]:
    torch.manual_seed(seed)
    network = build_scan_model(config, scans.features.shape[1], scans.logits.shape[1])
    weights = (config.scan_weight if config.scan_head else 0.0, config.any_weight)
    batches = ScanBatches(scans, config.training.batch, config.training.accumulate, seed)
    checked = validation.labelled() if validation is not None else None
    validate = (lambda model, _: {"loss": mean_loss(model, checked, *weights)}) if checked else None
    task = Task(ScanObjective(*weights), batches, batches.steps, validate)
    history = fit(network, task, config.training, folder, seed, fabric, identity, progress)
    kept: list[nn.Module] = []
    for epoch in history.kept(config.training.keep):
        model = build_scan_model(config, scans.features.shape[1], scans.logits.shape[1])
        load_weights(history.weights(epoch), model)
        kept.append(model.to(fabric.device).eval())
    return kept


@torch.inference_mode()
def mean_loss(network: nn.Module, scans: Scans, scan_weight: float = 0.0, any_weight: float = 2.0) -> float:
    """The training loss over scans: mean over their slices."""
    device = next(network.parameters()).device
    total = 0.0
    for start in range(0, len(scans), PREDICT):
        features, logits, lengths, labels = padded(scans, np.arange(start, min(start + PREDICT, len(scans))))
        out = network(features.to(device), logits.to(device), lengths)
        losses = scan_losses(out.slices, out.scan, labels.to(device), lengths, scan_weight, any_weight)
        total += float((losses.cpu() * lengths).sum())
    return total / float(scans.lengths.sum())


@torch.inference_mode()
def predict_scans(network: nn.Module, scans: Scans, source: str = "") -> ScanPredictions:
    """Probabilities of all slices, scan after scan, and of all scans.

    Args:
        network: a scan model in evaluation mode.
        scans: of any length.
        source: what the network is, for messages.
    """
    device = next((t.device for t in (*network.parameters(), *network.buffers())), torch.device("cpu"))
    slices, whole = [], []
    for start in range(0, len(scans), PREDICT):
        features, logits, lengths, _ = padded(scans, np.arange(start, min(start + PREDICT, len(scans))))
        out = network(features.to(device), logits.to(device), lengths)
        p = torch.sigmoid(out.slices.double()).cpu().numpy()
        slices += [one[:n] for one, n in zip(p, lengths.tolist(), strict=True)]
        whole.append(torch.sigmoid(out.scan.double()).cpu().numpy())
    ids = scans.ids[scans.rows]
    return ScanPredictions(
        Probabilities(ids, np.concatenate(slices), source),
        Probabilities(np.array(scans.names), np.concatenate(whole), source),
    )


def bag_scans(members: list[ScanPredictions]) -> ScanPredictions:
    """Mean over epochs, folds or seeds; see `ichscan.train.bagging.bag`."""
    return ScanPredictions(bag([m.slices for m in members]), bag([m.scans for m in members]))


def select_features(fold: Fold, select: Select) -> Fold:
    """Both sides with the selected features; the selection is fitted on `training` alone."""
    training, held_out = fold.training, fold.held_out
    chosen = fit_selector(select, training.features, rows=training.rows, weight=fold.weight)
    reduced = chosen.transform(training.features, training.logits)
    shared = held_out.features is training.features
    other = reduced if shared else chosen.transform(held_out.features, held_out.logits)
    return Fold(replace(training, features=reduced), replace(held_out, features=other), fold.weight)


def cross_fit(
    config: Sequence,
    select: Select,
    folds: Mapping[int, Fold],
    folder: Path,
    fabric: Fabric,
    progress: Progress = lambda _: None,
) -> ScanPredictions:
    """Out-of-fold predictions: each fold's held-out scans by models fitted on its training scans.

    Args:
        config: recipe table [sequence].
        select: recipe table [select], fitted within each fold.
        folds: by number; their held-out scans must not overlap.
        folder: one subfolder per fold.
        fabric: see `ichscan.train.loop.start`.
        progress: is told one line per epoch.

    Raises:
        DataError: a scan is held out twice.
        UsageError: the recipe chooses epochs by validation, which here would be the very scans to predict.
    """
    training = config.training
    if training.keep == "best" or training.stop_after or training.schedule == "plateau":
        raise UsageError(
            '[sequence.training]: expected keep = "last" or "all", no stop_after and no plateau: out of fold there '
            "are no other scans to validate on than those to predict"
        )
    parts = []
    for number, fold in sorted(folds.items()):
        reduced = select_features(fold, select)
        models = fit_scan_models(
            config,
            reduced.training,
            folder / f"fold_{number}",
            fabric,
            identity={"select": str(asdict(select))},
            progress=progress,
        )
        parts.append(bag_scans([predict_scans(m, reduced.held_out, f"fold {number}") for m in models]))
    return ScanPredictions(
        *(
            Probabilities(
                np.concatenate([getattr(p, level).ids for p in parts]),
                np.concatenate([getattr(p, level).values for p in parts]),
                f"out-of-fold {level}",
            )
            for level in ("slices", "scans")
        )
    )


def _digest(scans: Scans) -> str:
    """Of names, lengths and labels, and of the features of two slices per scan: all of them would take minutes."""
    digest = hashlib.sha256()
    for name, a, b in zip(scans.names, scans.starts, scans.stops, strict=True):
        digest.update(f"{name} {b - a}".encode())
        digest.update(np.ascontiguousarray(scans.labels[a:b]).tobytes())
        digest.update(np.ascontiguousarray(scans.features[a : min(b, a + 2)]).tobytes())
    return digest.hexdigest()
