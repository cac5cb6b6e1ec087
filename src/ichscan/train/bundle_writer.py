"""Settles the choices on out-of-fold predictions, and writes the bundle: two ONNX files, spec, model card, figures."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ichscan.doctor import self_test
from ichscan.doctor.self_test import GOLDEN
from ichscan.errors import TrainingError
from ichscan.labels import LABELS
from ichscan.model.bundle import load_bundle
from ichscan.model.preprocess import normalise
from ichscan.model.spec import SCHEMA, SPEC_FILE
from ichscan.train.card import write_card
from ichscan.train.export import export_scan, export_slices
from ichscan.train.figures import draw_figures
from ichscan.train.outcome import Level, OutOfFold, compare, moving_mean, scan_rule, sequence_out_of_fold, settle
from ichscan.train.recipe import Recipe, Teaching
from ichscan.train.sequence import train_scan_ensemble
from ichscan.train.slice_network import SliceNetwork
from ichscan.train.targets import Examples

SCAN_RULES = ("top1", "top2", "top3", "top5", "noisy-or")
OTHER_HIDDEN = 8
"""Width of the recurrent part that is compared when the recipe has none."""
LIMIT_BYTES = 25 * 2**20
PARITY_SLICES = 8


def write_bundle(
    recipe: Recipe,
    networks: Sequence[SliceNetwork],
    oof: OutOfFold,
    examples: Sequence[Examples],
    out: Path,
    progress: Callable[[str], None],
    trained_on: Sequence[Mapping[str, str]] = (),
) -> Path:
    """Writes `out/bundle`, `out/metrics.json`, `out/predictions*.csv` and `out/figures`. Returns the bundle folder.

    Raises:
        TrainingError: the bundle is larger than one that ships may be; it is written all the same.
    """
    folder = out / "bundle"
    folder.mkdir(exist_ok=True)
    progress("scan network, out of fold")
    sequence = sequence_out_of_fold(oof, recipe.sequence, recipe.seed)
    other = dataclasses.replace(recipe.sequence, hidden=0 if recipe.sequence.hidden else OTHER_HIDDEN)
    chosen, rival = ("smooth + GRU", "smooth") if recipe.sequence.hidden else ("smooth", "smooth + GRU")
    variants = {
        "none": [e[:, : len(LABELS)] for e in oof.evidence],
        "moving mean": [moving_mean(e[:, : len(LABELS)]) for e in oof.evidence],
        rival: sequence_out_of_fold(oof, other, recipe.seed),
        f"{chosen} (chosen)": sequence,
    }
    comparison = compare(oof, variants, SCAN_RULES)
    slices, scans = _levels(oof, sequence, variants["none"], recipe)
    metrics = {
        "seed": recipe.seed,
        "folds": dict(zip(oof.patients, oof.folds, strict=True)),
        "comparison": comparison,
        "slice": slices.report,
        "scan": scans.report,
    }
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1), encoding="utf-8")
    _write_predictions(out / "predictions.csv", oof, slices)
    _write_scans(out / "predictions_scans.csv", oof, scans)
    progress("exporting")
    final = train_scan_ensemble(oof.evidence, oof.labels, recipe.sequence, recipe.seed)
    grey = np.concatenate([e.grey[len(e.grey) // 2 : len(e.grey) // 2 + 1] for e in examples[:PARITY_SLICES]])
    parity = {
        "slice.onnx": export_slices(networks, recipe.input.size, folder / "slice.onnx", normalise(grey, recipe.input)),
        "scan.onnx": export_scan(final, folder / "scan.onnx", oof.evidence[0]),
    }
    spec = _spec(recipe, folder, oof, slices, scans, parity)
    spec["about"]["trained_on"] = [dict(store) for store in trained_on]
    seal(folder, spec)
    draw_figures(out / "figures", oof, slices, scans)
    write_card(folder / "MODEL_CARD.md", spec, metrics)
    size = sum(p.stat().st_size for p in folder.iterdir())
    progress(f"bundle of {size / 2**20:.1f} MiB in {folder}")
    if size > LIMIT_BYTES:
        raise TrainingError(
            f"{folder}: expected a bundle of at most {LIMIT_BYTES / 2**20:.0f} MiB, since it ships in the package, "
            f"found {size / 2**20:.1f}; lower `ensemble`, or use it where it is"
        )
    return folder


def _levels(
    oof: OutOfFold, sequence: Sequence[np.ndarray[Any, Any]], raw: Sequence[np.ndarray[Any, Any]], recipe: Recipe
) -> tuple[Level, Level]:
    flat = np.concatenate(list(sequence)).astype(np.float64)
    scan = np.stack([scan_rule(one, f"top{recipe.sequence.top}") for one in raw]).astype(np.float64)
    return (
        settle(flat, oof.slice_labels, oof.slice_folds, oof.slice_patients),
        settle(scan, oof.scan_labels, np.array(oof.folds), np.array(oof.patients), recipe.specificity),
    )


def _spec(
    recipe: Recipe, folder: Path, oof: OutOfFold, slices: Level, scans: Level, parity: dict[str, float]
) -> dict[str, Any]:
    chosen_on = (
        f"out-of-fold predictions of {len(oof.patients)} patients of PhysioNet CT-ICH 1.0.0, {recipe.folds} folds"
    )
    levels = {"slice": slices, "scan": scans}
    return {
        "schema": SCHEMA,
        "name": recipe.name,
        "version": recipe.version,
        "labels": list(LABELS),
        "input": dataclasses.asdict(recipe.input),
        "calibration": {k: {"scale": list(v.scale), "offset": list(v.offset)} for k, v in levels.items()},
        "thresholds": {
            k: {"value": list(v.threshold), "rule": v.rule, "chosen_on": chosen_on} for k, v in levels.items()
        },
        "weights": {n: hashlib.sha256((folder / n).read_bytes()).hexdigest() for n in ("slice.onnx", "scan.onnx")},
        "about": {
            "description": recipe.description,
            "intended_use": "research, second opinion and triage support; not a medical device",
            "training_data": "PhysioNet CT-ICH 1.0.0 (Hssayeni et al., Data 2020, 5, 14; doi 10.13026/w8q8-ky94), "
            "CC BY 4.0",
            "weights_licence": "Apache-2.0 for the authors' part; start weights Apache-2.0; see MODEL_CARD.md",
            "recipe": json.loads(json.dumps(dataclasses.asdict(_without_paths(recipe)))),
            "onnx_parity": parity,
            "out_of_fold": {
                k: {label: {m: v.report[label][m] for m in ("auc", "auc_95", "positives", "n")} for label in LABELS}
                for k, v in levels.items()
            },
        },
    }


def seal(folder: Path, spec: dict[str, Any]) -> None:
    """Writes spec.json with what the bundle gives in the self-test; raises BundleError when it does not run."""
    write_spec(folder, spec)
    spec["about"][GOLDEN] = [float(p) for p in self_test(load_bundle(folder))]
    write_spec(folder, spec)


def write_spec(folder: Path, spec: dict[str, Any]) -> None:
    """Writes spec.json."""
    (folder / SPEC_FILE).write_text(json.dumps(spec, indent=1) + "\n", encoding="utf-8")


def _without_paths(recipe: Recipe) -> Recipe:
    """File names stay, the folders of the machine that trained do not."""
    teacher = Teaching(tuple(Path(weights).name for weights in recipe.teacher.weights))
    return dataclasses.replace(recipe, imagenet=Path(recipe.imagenet).name, teacher=teacher)


def _write_predictions(path: Path, oof: OutOfFold, slices: Level) -> None:
    """Out-of-fold calibrated probabilities: patient, fold, slice index, six probabilities, six labels."""
    lines = [",".join(["patient", "fold", "slice", *LABELS, *(f"true_{label}" for label in LABELS)])]
    index = np.concatenate([np.arange(len(rows)) for rows in oof.labels])
    table = zip(oof.slice_patients, oof.slice_folds, index, slices.probabilities, oof.slice_labels, strict=True)
    for patient, fold, i, p, y in table:
        lines.append(",".join([str(patient), str(fold), str(i), *(f"{v:.6f}" for v in p), *(str(v) for v in y)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_scans(path: Path, oof: OutOfFold, scans: Level) -> None:
    """Out-of-fold calibrated probabilities of scans by the scan rule: patient, fold, six probabilities, six labels."""
    lines = [",".join(["patient", "fold", *LABELS, *(f"true_{label}" for label in LABELS)])]
    for patient, fold, p, y in zip(oof.patients, oof.folds, scans.probabilities, oof.scan_labels, strict=True):
        lines.append(",".join([patient, str(fold), *(f"{v:.6f}" for v in p), *(str(v) for v in y)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
