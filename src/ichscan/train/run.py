"""The whole default training: data -> teacher -> simulated bleeds -> folds -> scan network -> bundle.

Every stage keeps its result in the run folder and is skipped when it is there, so that a killed run continues with the
same command. A run folder belongs to one recipe and one collection; a change is refused, with the difference.
"""

import dataclasses
import hashlib
import json
import os
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ichscan.datasets.assemble import MANIFEST
from ichscan.datasets.ctich import read_ctich
from ichscan.datasets.folds import patient_folds
from ichscan.datasets.scan import LabelledScan
from ichscan.datasets.schema import UNKNOWN
from ichscan.datasets.store import open_store
from ichscan.errors import DataError, NotAnalysableError, UsageError
from ichscan.labels import TYPES
from ichscan.simulate import simulate
from ichscan.train.bundle_writer import write_bundle
from ichscan.train.made_with import made_with
from ichscan.train.outcome import OutOfFold
from ichscan.train.recipe import Recipe
from ichscan.train.slice_network import SliceNetwork
from ichscan.train.slices import slice_evidence, train_slice_network
from ichscan.train.targets import ASSUMED_MM, Examples, real_examples, simulated_examples
from ichscan.train.teacher import compile_teacher, soft_masks
from ichscan.types import Float32

Progress = Callable[[str], None]
ARRAYS = ("grey", "labels", "lesions", "known", "teacher")
SMOKE_PATIENTS = 12
CTICH = "ct-ich"
"""Kind of the folder that needs no import."""


def run(recipe: Recipe, data: Path, out: Path, smoke: bool = False, progress: Progress = lambda _: None) -> Path:
    """Trains by `recipe` on a store or the CT-ICH 1.0.0 folder, or continues. Returns the bundle's folder.

    Args:
        recipe: what to do.
        data: the collection: a store (`ichscan data import`), or the folder of CT-ICH 1.0.0.
        out: the run folder.
        smoke: 12 patients, 2 folds, 1 short epoch: proves the path, not the model.
        progress: receives one line per step.

    Raises UsageError when `out` holds a run of another recipe or collection, DataError when the collection is broken.
    """
    if smoke:
        recipe = _smoke(recipe)
    out.mkdir(parents=True, exist_ok=True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    scans = _scans(data, smoke, progress)
    _manifest(out / "manifest.json", recipe, scans)
    examples = _examples(recipe, scans, out, progress)
    simulated = _simulated(recipe, scans, out, progress) if recipe.simulate.per_kind else []
    patients = [e.patient for e in examples]
    folds = patient_folds(patients, np.stack([e.labels.max(axis=0) for e in examples]), recipe.folds, recipe.seed)
    networks: list[SliceNetwork] = []
    evidence: dict[str, Float32] = {}
    for fold in range(recipe.folds):
        network, seen = _fold(recipe, fold, folds, examples, simulated, out, progress)
        networks.append(network)
        evidence |= seen
    oof = OutOfFold(
        tuple(patients),
        tuple(evidence[p] for p in patients),
        tuple(e.labels for e in examples),
        tuple(folds[p] for p in patients),
    )
    return write_bundle(recipe, networks[: recipe.ensemble], oof, examples, out, progress, _trained_on(data))


def _smoke(recipe: Recipe) -> Recipe:
    small = dataclasses.replace(
        recipe.slices, epochs=1, positive=32, healthy=32, simulated=min(recipe.slices.simulated, 16)
    )
    return dataclasses.replace(
        recipe, folds=2, slices=small, sequence=dataclasses.replace(recipe.sequence, epochs=3, seeds=1)
    )


def _scans(data: Path, smoke: bool, progress: Progress) -> list[LabelledScan]:
    source = _of_store(data, progress) if (data / MANIFEST).exists() else read_ctich(data)
    if not smoke:
        return list(source)
    bleeding: list[LabelledScan] = []
    healthy: list[LabelledScan] = []
    for scan in source:
        group = bleeding if scan.labels.any() else healthy
        if len(group) < SMOKE_PATIENTS // 2:
            group.append(scan)
        if len(bleeding) == len(healthy) == SMOKE_PATIENTS // 2:
            break
    return bleeding + healthy


def _trained_on(data: Path) -> list[dict[str, str]]:
    """What the bundle tells of its training data, see `ichscan.evaluate.sources.trained_on`."""
    if not (data / MANIFEST).exists():
        return [{"kind": CTICH, "digest": ""}]
    store = open_store(data)
    return [{"kind": str(store.manifest.get("kind", "")), "digest": store.digest}]


def _of_store(data: Path, progress: Progress) -> Iterator[LabelledScan]:
    """The first scan of each patient in a store whose slices are all labelled; says how many others there are."""
    store = open_store(data)
    seen: set[str] = set()
    left_out = {"unlabelled": 0, "further scans of a patient": 0}
    for series in store.series():
        if (store.labels[series.rows] == UNKNOWN).any():
            left_out["unlabelled"] += 1
        elif series.patient in seen:
            left_out["further scans of a patient"] += 1
        else:
            seen.add(series.patient)
            yield store.scan(series)
    told = [f"{count} {why}" for why, count in left_out.items() if count]
    if told:
        progress(f"{data}: scans left out: {', '.join(told)}")


def _manifest(path: Path, recipe: Recipe, scans: Sequence[LabelledScan]) -> None:
    """Writes what the run is, or refuses when the folder is already another run's."""
    digest = hashlib.sha256()
    for scan in scans:
        digest.update(scan.patient.encode() + scan.labels.tobytes() + np.ascontiguousarray(scan.hu[::7]).tobytes())
    facts: dict[str, Any] = {
        "recipe": json.loads(json.dumps(dataclasses.asdict(recipe))),
        "data": {"patients": len(scans), "slices": sum(len(s.hu) for s in scans), "sha256": digest.hexdigest()},
    }
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        for key in facts:
            if before[key] != facts[key]:
                changed = {k: (before[key].get(k), v) for k, v in facts[key].items() if before[key].get(k) != v}
                raise UsageError(
                    f"{path}: this folder holds another run; {key} differs (before, now): {changed}; use a new --out"
                )
        return
    facts["made_with"] = made_with() | {"device": "cuda" if torch.cuda.is_available() else "cpu"}
    facts["started"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def _examples(recipe: Recipe, scans: Sequence[LabelledScan], out: Path, progress: Progress) -> list[Examples]:
    examples = []
    runs = [compile_teacher(Path(w), out) for w in recipe.teacher.weights]
    for number, scan in enumerate(scans, 1):
        path = out / "examples" / f"{scan.patient}.npz"
        if not path.exists():
            masks = None
            if runs:
                total = sum(soft_masks(teach, scan, ASSUMED_MM).astype(np.uint16) for teach in runs)
                masks = (np.asarray(total) // len(runs)).astype(np.uint8)
            _save(path, real_examples(scan, recipe.input, masks))
            progress(f"examples {number}/{len(scans)}")
        examples.append(_load(path, scan.patient, taught=bool(runs), simulated=False))
    return examples


def _simulated(recipe: Recipe, scans: Sequence[LabelledScan], out: Path, progress: Progress) -> list[Examples]:
    examples = []
    healthy = [scan for scan in scans if not scan.labels.any()]
    for number, scan in enumerate(healthy, 1):
        for kind in TYPES:
            for variant in range(recipe.simulate.per_kind):
                path = out / "simulated" / f"{scan.patient}_{kind}_{variant}.npz"
                if not path.exists():
                    _save(path, _one_simulated(recipe, scan, kind, variant))
                one = _load(path, scan.patient, taught=False, simulated=True)
                if len(one.labels):
                    examples.append(one)
        progress(f"simulated bleeds {number}/{len(healthy)}")
    return examples


def _one_simulated(recipe: Recipe, scan: LabelledScan, kind: str, variant: int) -> Examples:
    rng = np.random.default_rng([zlib.crc32(scan.patient.encode()), variant, zlib.crc32(kind.encode())])
    try:
        made = simulate(scan.hu, (ASSUMED_MM, ASSUMED_MM), scan.positions_mm, kind, rng)
    except NotAnalysableError:  # this head has no place for it (no ventricle in the scan): an empty set stands for that
        empty = np.zeros(scan.hu.shape, bool)
        return simulated_examples(scan.patient, scan.hu, empty, kind, scan.positions_mm, recipe.input)
    return simulated_examples(scan.patient, made.hu, made.mask, kind, scan.positions_mm, recipe.input)


def _fold(
    recipe: Recipe,
    fold: int,
    folds: dict[str, int],
    examples: Sequence[Examples],
    simulated: Sequence[Examples],
    out: Path,
    progress: Progress,
) -> tuple[SliceNetwork, dict[str, Any]]:
    """The network of one fold, and the evidence of the patients that it never saw."""
    training = [e for e in (*examples, *simulated) if folds[e.patient] != fold]
    held_out = [e for e in examples if folds[e.patient] == fold]
    shared = {e.patient for e in training} & {e.patient for e in held_out}
    if shared:
        raise DataError(f"fold {fold}: patients on both sides of the split: {sorted(shared)}")
    network = train_slice_network(
        training,
        recipe.input,
        recipe.slices,
        recipe.slices.seed + fold,
        out / "folds" / str(fold),
        Path(recipe.imagenet) if recipe.imagenet else None,
        lambda line: progress(f"fold {fold + 1}/{recipe.folds} {line}"),
    )
    return network, {e.patient: slice_evidence(network, e, recipe.input) for e in held_out}


def _save(path: Path, examples: Examples) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, **{name: getattr(examples, name) for name in ARRAYS})
    os.replace(part, path)


def _load(path: Path, patient: str, taught: bool, simulated: bool) -> Examples:
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in ARRAYS}
    return Examples(patient, **arrays, taught=taught, simulated=simulated)
