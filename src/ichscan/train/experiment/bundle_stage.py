"""Stage export: the networks of a six-label experiment as a bundle for `ichscan predict`; otherwise why there is none.

All members that predict test patients go in. Calibration is fitted on validation predictions; thresholds are those of
the outcome, moved by the calibration, so that the bundle decides as the experiment did.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import nn

from ichscan.evaluate.calibration import calibrated, fit_platt
from ichscan.labels import LABELS
from ichscan.model.bundle import SCAN_FILE, SLICE_FILE
from ichscan.model.preprocess import normalise
from ichscan.model.spec import SCHEMA
from ichscan.train.bundle_writer import seal
from ichscan.train.classifier import SliceClassifier
from ichscan.train.experiment.bundle_card import write_experiment_card
from ichscan.train.experiment.bundle_networks import ScanMembers, ScanPart, SliceMembers, without_packing
from ichscan.train.experiment.ensemble_stage import test_members
from ichscan.train.experiment.levels import Level
from ichscan.train.experiment.manifest import read_json, write_json
from ichscan.train.experiment.members import Member, members
from ichscan.train.experiment.outcome_stage import read_levels, thresholds
from ichscan.train.experiment.scans_stage import load_member
from ichscan.train.experiment.stages import STAGES, Experiment
from ichscan.train.export import export_scan, export_slice_network, with_static_padding
from ichscan.train.slice_images import SliceImages
from ichscan.train.slice_models import load_classifier
from ichscan.types import Float32, Float64

LIMIT_BYTES: Final = 2 * 1024**3 - 16 * 1024**2
"""An ONNX file is one protocol buffer, which holds less than 2 GiB."""
PARITY_SLICES: Final = 6
CLIP: Final = 1e-6


class Made(NamedTuple):
    """Networks of a bundle; `exact` tells whether its class maps are exact."""

    slices: list[SliceClassifier]
    parts: list[ScanPart]


def export_bundle(experiment: Experiment) -> None:
    """Writes RUN/bundle, or tells why a bundle cannot be made of this recipe."""
    reason = reason_against(experiment)
    if reason:
        experiment.progress(f"no bundle: {reason}")
        write_json(experiment.folder / STAGES["export"], {"bundle": None, "reason": reason})
        return
    folder = experiment.folder / "bundle"
    folder.mkdir(exist_ok=True)
    made = _networks(experiment, _chosen(experiment))
    parity = _write_networks(experiment, made, folder)
    spec = _spec(experiment, folder, parity)
    seal(folder, spec)
    write_experiment_card(folder / "MODEL_CARD.md", spec, read_json(experiment.folder / STAGES["outcome"]))
    write_json(experiment.folder / STAGES["export"], {"bundle": folder.name, "weights": spec["weights"]})
    experiment.progress(f"bundle in {folder}; ONNX differs from torch by at most {max(parity.values()):.1e}")


def reason_against(experiment: Experiment) -> str:
    """Why this experiment makes no bundle; "" when it does."""
    recipe = experiment.recipe
    if recipe.ensemble.detector:
        return "two stages are two runs; a bundle holds one"
    if recipe.data.labels != LABELS:
        return (
            f"the recipe learns {', '.join(recipe.data.labels)}; a bundle needs all six labels ({', '.join(LABELS)}). "
            "The predictions of the run are in predictions/"
        )
    size = sum(member.weights.stat().st_size for member in _chosen(experiment))
    if size > LIMIT_BYTES:
        return (
            f"its networks hold {size / 2**30:.1f} GiB, an ONNX file less than 2; let fewer predict, for example with "
            "--set ensemble.folds=false in a new run"
        )
    return ""


def _chosen(experiment: Experiment) -> list[Member]:
    return test_members(experiment, members(experiment))["test"]


def _networks(experiment: Experiment, chosen: Sequence[Member]) -> Made:
    recipe = experiment.recipe
    slices = [load_classifier(recipe, member.weights) for member in chosen]
    parts = []
    for member, network in zip(chosen, slices, strict=True):
        selector, models = load_member(experiment, member)
        parts.append(ScanPart(selector, models, 0 if selector is None else network.backbone.width))
    return Made(slices, parts)


def _write_networks(experiment: Experiment, made: Made, folder: Path) -> dict[str, float]:
    """Both files; returns the largest difference of each to torch."""
    recipe = experiment.recipe
    embedding = any(part.width for part in made.parts)
    example = _example(experiment)
    variants = recipe.features.variants
    reference = SliceMembers(made.slices, variants, embedding).eval()
    shape = (example.shape[1], recipe.input.size, recipe.input.size)
    plain = SliceMembers([with_static_padding(m, shape) for m in made.slices], variants, embedding)
    scans = ScanMembers(
        made.parts, len(LABELS), recipe.ensemble.of, recipe.ensemble.clip, recipe.outcome.scan == "head"
    ).eval()
    with torch.no_grad():
        evidence = reference(torch.from_numpy(example))[2].numpy()
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # attention as single operations, which ONNX has
    try:
        return {
            SLICE_FILE: export_slice_network(plain, reference, folder / SLICE_FILE, example),
            SCAN_FILE: export_scan(without_packing(scans).eval(), folder / SCAN_FILE, evidence, scans),
        }
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _example(experiment: Experiment) -> Float32:
    """Neighbouring slices from the middle of a scan: float32 (n, channels, size, size)."""
    series = max(experiment.store.series()[:16], key=lambda one: len(one.rows))
    middle = len(series.rows) // 2
    rows = series.rows[max(0, middle - PARITY_SLICES // 2) :][:PARITY_SLICES]
    images = SliceImages(experiment.store, experiment.recipe.input)
    return normalise(np.stack([images.grey(int(row)) for row in rows]), experiment.recipe.input)


class _Operating(NamedTuple):
    scale: list[float]
    offset: list[float]
    threshold: list[float]


def _operating(level: Level, cuts: Float64) -> _Operating:
    """Platt scaling per label, and the thresholds after it."""
    found = _Operating([], [], [])
    for c in range(len(LABELS)):
        known = level.y[:, c] <= 1
        logits = _logit(level.p[known, c])
        scale, offset = fit_platt(logits, level.y[known, c])
        found.scale.append(scale)
        found.offset.append(offset)
        found.threshold.append(float(calibrated(_logit(cuts[c : c + 1]), scale, offset)[0]))
    return found


def _logit(p: Float64) -> Float64:
    clipped = np.clip(p, CLIP, 1 - CLIP)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float64)


def _spec(experiment: Experiment, folder: Path, parity: dict[str, float]) -> dict[str, Any]:
    recipe = experiment.recipe
    levels = read_levels(experiment, "validation")
    cuts = thresholds(experiment, levels)
    slices = levels.get("slices", levels["scans"])
    scans = levels["scans"]
    operating = {
        "slice": _operating(slices, cuts.get("slices", cuts["scans"])),
        "scan": _operating(scans, cuts["scans"]),
    }
    patients = len(set(scans.patients.tolist()))
    chosen_on = f"validation predictions of {patients} patients, each by networks that never saw the patient"
    plain = json.loads(json.dumps(dataclasses.asdict(recipe)))
    plain["network"]["weights"] = Path(recipe.network.weights).name
    return {
        "schema": SCHEMA,
        "name": recipe.name,
        "version": "1.0.0",
        "labels": list(LABELS),
        "input": dataclasses.asdict(recipe.input),
        "calibration": {k: {"scale": o.scale, "offset": o.offset} for k, o in operating.items()},
        "thresholds": {
            k: {"value": o.threshold, "rule": recipe.outcome.threshold, "chosen_on": chosen_on}
            for k, o in operating.items()
        },
        "weights": {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in (SLICE_FILE, SCAN_FILE)},
        "about": {
            "description": recipe.description,
            "paper": recipe.paper,
            "intended_use": "research, second opinion and triage support; not a medical device",
            "training_data": f"store of kind {experiment.store.manifest.get('kind')}, {experiment.store.digest}",
            "trained_on": [{"kind": str(experiment.store.manifest.get("kind", "")), "digest": experiment.store.digest}],
            "weights_licence": "that of the training data and of the start weights",
            "recipe": plain,
            "onnx_parity": parity,
            "class_maps": "exact" if _exact(experiment) else "approximate: the head applied to each cell",
        },
    }


def _exact(experiment: Experiment) -> bool:
    """Whether the mean of a class map is the logit without its constant part."""
    network = load_classifier(experiment.recipe, _chosen(experiment)[0].weights)
    linear = sum(isinstance(m, nn.Linear) for m in network.head) == 1
    with torch.no_grad():
        out = network(torch.from_numpy(_example(experiment)[:1]))
        return linear and bool(torch.allclose(out.features.mean((2, 3)), out.embedding, atol=1e-3, rtol=1e-3))
