"""What the documents say of the shipped model is what the shipped model says of itself."""

import csv
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from ichscan.evaluate.delong import area
from ichscan.evaluate.metrics import auc, decide
from ichscan.labels import LABELS
from ichscan.model.bundle import bundle_folder, load_bundle

RESULTS = Path("docs/results/default")


def test_the_card_in_the_docs_is_the_bundles(project_root: Path) -> None:
    card = (bundle_folder(None) / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert (project_root / "docs" / "model-card.md").read_text(encoding="utf-8") == card


def test_the_published_predictions_give_the_published_figures(project_root: Path) -> None:
    metrics = json.loads((project_root / RESULTS / "metrics.json").read_text(encoding="utf-8"))
    with (project_root / RESULTS / "predictions.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    folds = defaultdict(set)
    for row in rows:
        folds[row["patient"]].add(int(row["fold"]))
    assert {patient: next(iter(found)) for patient, found in folds.items()} == metrics["folds"]
    assert all(len(found) == 1 for found in folds.values())  # no patient on both sides of a split
    for label in LABELS:
        p = np.array([float(row[label]) for row in rows])
        y = np.array([int(row[f"true_{label}"]) for row in rows], np.uint8)
        assert auc(p, y) == pytest.approx(metrics["slice"][label]["auc"], abs=1e-3)
        assert metrics["slice"][label]["positives"] == y.sum()


def test_the_published_intervals_are_those_of_an_evaluation(project_root: Path) -> None:
    pytest.importorskip("scipy")
    metrics = json.loads((project_root / RESULTS / "metrics.json").read_text(encoding="utf-8"))
    told = load_bundle(None).spec.about["out_of_fold"]
    for level, name in (("slice", "predictions.csv"), ("scan", "predictions_scans.csv")):
        with (project_root / RESULTS / name).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        patients = np.array([row["patient"] for row in rows])
        for label in LABELS:
            y = np.array([int(row[f"true_{label}"]) for row in rows], np.uint8)
            found = area(np.array([float(row[label]) for row in rows]), y, patients)
            for published in (metrics[level][label]["auc_95"], told[level][label]["auc_95"]):
                assert published == pytest.approx([found.low, found.high], abs=1e-3)


def test_the_published_scans_give_the_published_figures(project_root: Path) -> None:
    metrics = json.loads((project_root / RESULTS / "metrics.json").read_text(encoding="utf-8"))
    with (project_root / RESULTS / "predictions_scans.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["patient"]: int(row["fold"]) for row in rows} == metrics["folds"]
    for label in LABELS:
        p = np.array([float(row[label]) for row in rows])
        y = np.array([int(row[f"true_{label}"]) for row in rows], np.uint8)
        assert auc(p, y) == pytest.approx(metrics["scan"][label]["auc"], abs=1e-3)
        found, told = decide(p, y, metrics["scan"][label]["threshold"]), metrics["scan"][label]["at_threshold"]
        assert [found.tp, found.fp, found.tn, found.fn] == [told[key] for key in ("tp", "fp", "tn", "fn")]


def test_the_bundle_uses_the_published_thresholds(project_root: Path) -> None:
    metrics = json.loads((project_root / RESULTS / "metrics.json").read_text(encoding="utf-8"))
    spec = load_bundle(None).spec
    for level in ("slice", "scan"):
        assert list(spec.thresholds[level].value) == [metrics[level][label]["threshold"] for label in LABELS]
    assert "out-of-fold" in spec.thresholds["scan"].chosen_on
