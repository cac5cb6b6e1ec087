"""Whole experiments on a tiny store: every stage, resumed after a kill, refused when something changed."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("pyarrow", reason="stores need the extra `data`")
pytest.importorskip("lightning_fabric", reason="training needs the extra `train`")

from tests.train.experiment_store import experiment_store, tiny_backbone, with_split

from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import DataError, UsageError
from ichscan.evaluate.align import align
from ichscan.evaluate.metrics import decide
from ichscan.evaluate.predictions import read_predictions
from ichscan.evaluate.sources.open import open_source
from ichscan.evaluate.truth import truth_of_store
from ichscan.labels import LABELS, TYPES
from ichscan.model.bundle import load_bundle
from ichscan.model.predict import run_scan
from ichscan.model.preprocess import grey_slice, normalise, prepare
from ichscan.model.spec import Channel, InputSpec
from ichscan.train import classifier
from ichscan.train.experiment import features_stage, run_experiment
from ichscan.train.experiment.prediction_table import read_predictions as read_table
from ichscan.train.workbench_recipe import WorkbenchRecipe
from ichscan.train.workbench_sequence_tables import SCAN_TRAINING, Select, Sequence
from ichscan.train.workbench_tables import Data, Ensemble, Loss, Outcome, Training

torch.set_num_threads(1)
INPUT = InputSpec((Channel(40, 80),), "slice", 32, (0.3,), (0.3,))
SHORT = Training(epochs=2, batch=16, learning_rate=0.01, keep="all", workers=1)
RECIPE = WorkbenchRecipe(
    name="tiny",
    input=INPUT,
    training=SHORT,
    select=Select("pca", 3),
    sequence=Sequence(
        "bilstm",
        hidden=4,
        layers=1,
        join=True,
        training=dataclasses.replace(SCAN_TRAINING, epochs=1, learning_rate=0.01),
    ),
    outcome=Outcome(bootstrap=5),
)


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classifier, "build", tiny_backbone)


@pytest.fixture
def store(tmp_path: Path) -> SliceStore:
    return with_split(experiment_store(tmp_path / "store"), share=0.5)


def test_from_a_store_to_a_bundle_that_says_the_same(store: SliceStore, tmp_path: Path) -> None:
    out = run_experiment(RECIPE, store, tmp_path / "run")
    report = json.loads((out / "metrics.json").read_text())
    assert set(report["validation"]) == {"slices", "scans"}
    assert report["validation"]["slices"]["any"]["n"] == 30
    assert report["validation"]["slices"]["weighted_log_loss"] > 0
    drawn = [f"figures/{name}.png" for name in ("roc_validation", "confusion_validation", "class_maps", "tsne")]
    for name in ("results.csv", "manifest.json", *drawn):
        assert (out / name).stat().st_size > 100
    bundle = load_bundle(out / "bundle")
    assert bundle.spec.about["trained_on"] == [{"kind": store.manifest["kind"], "digest": store.digest}]
    _is_evaluated_as_measured(out, store, "validation", report["validation"])
    assert bundle.spec.input == INPUT
    assert bundle.spec.about["class_maps"] == "exact"
    table = read_table(out / "predictions" / "validation.parquet", "slice_id", LABELS)
    place = {name: i for i, name in enumerate(table.ids.tolist())}
    names = store.table["slice_id"].to_pylist()
    series = next(s for s in store.series() if names[s.rows[0]] in place)
    prepared = prepare(np.stack(store.hu_many(series.rows)), series.positions_mm, INPUT)
    images = normalise(np.stack([grey_slice(prepared, i, INPUT) for i in range(len(series.rows))]), INPUT)
    (evidence,) = bundle.slice_network.run(["evidence"], slices=images)
    slices, scan = run_scan(evidence, bundle.scan_network, 1)
    expected = table.values[[place[names[row]] for row in series.rows.tolist()]]
    np.testing.assert_allclose(1 / (1 + np.exp(-slices)), expected, atol=1e-4)
    np.testing.assert_allclose(1 / (1 + np.exp(-scan)), expected.max(axis=0), atol=1e-4)


def _is_evaluated_as_measured(run: Path, store: SliceStore, part: str, report: dict[str, Any]) -> None:
    """`ichscan evaluate` counts what the run counted."""
    truth = truth_of_store(store)
    found = align(truth, open_source(str(run), truth, store, run, part=part))
    for level, figures in report.items():
        cases = found.level(level)
        for c, label in enumerate(LABELS):
            binary = cases.label(c)
            decided = decide(binary.p, binary.y, float(cases.thresholds[c]))
            told = [figures[label][name] for name in ("tp", "fp", "tn", "fn")]
            assert [decided.tp, decided.fp, decided.tn, decided.fn] == told, (part, level, label)


def test_a_finished_run_is_kept_and_a_change_is_refused(store: SliceStore, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPE, sequence=Sequence("none"))
    run_experiment(recipe, store, tmp_path / "run")
    lines: list[str] = []
    run_experiment(recipe, store, tmp_path / "run", progress=lines.append)
    assert lines == [f"{name}: done before" for name in
                     ("split", "slices", "features", "scans", "ensemble", "outcome", "export")]  # fmt: skip
    other = dataclasses.replace(recipe, training=dataclasses.replace(SHORT, epochs=3))
    with pytest.raises(UsageError, match=r"recipe\.training\.epochs: before 2, now 3"):
        run_experiment(other, store, tmp_path / "run")
    _change(store)
    with pytest.raises(UsageError, match=r"data\.digest"):
        run_experiment(recipe, open_store(store.path), tmp_path / "run")


def test_a_mistake_found_before_the_training_can_be_corrected(store: SliceStore, tmp_path: Path) -> None:
    wrong = dataclasses.replace(RECIPE, loss=Loss(pos_weight=(1.0,)))
    with pytest.raises(UsageError, match=r"pos_weight: expected one number for each"):
        run_experiment(wrong, store, tmp_path / "run")
    run_experiment(RECIPE, store, tmp_path / "run", until="split")
    assert '"pos_weight": []' in (tmp_path / "run" / "manifest.json").read_text()


def test_other_weights_of_the_same_name_are_another_run(store: SliceStore, tmp_path: Path) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"one")
    recipe = dataclasses.replace(RECIPE, network=dataclasses.replace(RECIPE.network, weights=str(weights)))
    run_experiment(recipe, store, tmp_path / "run", until="slices")
    weights.write_bytes(b"two")
    with pytest.raises(UsageError, match=r"recipe\.network\.weights_sha256: before '"):
        run_experiment(recipe, store, tmp_path / "run", until="slices")


def _change(store: SliceStore) -> None:
    """Another collection of the same patients, with the split made for it."""
    for path in (store.path / "manifest.json", store.path / "splits" / "default.json"):
        path.write_text(path.read_text().replace("0" * 64, "1" * 64))


def test_a_split_for_other_data_is_refused(store: SliceStore, tmp_path: Path) -> None:
    manifest = store.path / "manifest.json"
    manifest.write_text(manifest.read_text().replace("0" * 64, "2" * 64))
    with pytest.raises(DataError, match="make the split again"):
        run_experiment(RECIPE, open_store(store.path), tmp_path / "run")


def test_a_killed_run_continues_with_the_same_numbers(
    store: SliceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run_experiment(RECIPE, store, tmp_path / "whole", until="outcome")
    real, calls = features_stage.extract, []

    def killed(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(features_stage, "extract", killed)
    with pytest.raises(KeyboardInterrupt):
        run_experiment(RECIPE, store, tmp_path / "killed", until="outcome")
    lines: list[str] = []
    run_experiment(RECIPE, store, tmp_path / "killed", until="outcome", progress=lines.append)
    assert "slices: done before" in lines
    assert not (tmp_path / "killed" / "bundle.json").exists()
    first, second = (json.loads((d / "metrics.json").read_text()) for d in (whole, tmp_path / "killed"))
    assert first == second


def test_five_folds_vote_and_one_label_makes_no_bundle(tmp_path: Path) -> None:
    store = with_split(experiment_store(tmp_path / "store", 24), "holdout-kfold", share=0.25, folds=2)
    recipe = dataclasses.replace(
        RECIPE,
        data=Data(labels=("any",)),
        training=dataclasses.replace(SHORT, keep="best"),
        sequence=Sequence("none"),
    )
    lines: list[str] = []
    out = run_experiment(recipe, store, tmp_path / "run", progress=lines.append)
    assert any(line.startswith("no bundle: the recipe learns any") for line in lines)
    report = json.loads((out / "metrics.json").read_text())
    assert {"validation", "test", "test_fold_0", "test_fold_1"} <= set(report)
    folds = [read_table(out / "predictions" / f"test_fold_{k}.parquet", "slice_id", ["any"]) for k in (0, 1)]
    voted = read_table(out / "predictions" / "test.parquet", "slice_id", ["any"])
    order = [np.argsort(t.ids) for t in (voted, *folds)]
    mean = (folds[0].values[order[1]] + folds[1].values[order[2]]) / 2
    np.testing.assert_allclose(voted.values[order[0]], mean, atol=1e-9)
    assert report["validation"]["slices"]["any"]["cross_fitted"]["tp"] >= 0
    scans = report["test"]["scans"]["any"]
    assert scans["n"] == 6
    assert scans["threshold"] == report["thresholds"]["slices"][0]


def test_two_stages_join_types_to_a_detector(store: SliceStore, tmp_path: Path) -> None:
    simple = dataclasses.replace(RECIPE, sequence=Sequence("none"))
    detector = dataclasses.replace(simple, data=Data(labels=("any",)))
    run_experiment(detector, store, tmp_path / "detector", until="ensemble")
    typing = dataclasses.replace(
        simple,
        data=Data(labels=TYPES, slices="hemorrhagic"),
        ensemble=Ensemble(detector=str(tmp_path / "detector")),
        outcome=Outcome(bootstrap=0, exact_match=True),
    )
    out = run_experiment(typing, store, tmp_path / "run")
    ids, p = read_predictions(out / "predictions" / "validation.parquet")
    first = read_table(tmp_path / "detector" / "predictions" / "validation.parquet", "slice_id", ["any"])
    known = dict(zip(first.ids.tolist(), first.values[:, 0].tolist(), strict=True))
    np.testing.assert_allclose(p[:, 5], [known[name] for name in ids])
    assert (p[:, :5] <= p[:, 5:]).all()
    report = json.loads((out / "metrics.json").read_text())
    assert 0 <= report["validation"]["slices"]["exact_match"] <= 1
    assert report["validation"]["slices"]["any"]["n"] == 30


def test_fine_tuning_predicts_the_test_patients(tmp_path: Path) -> None:
    store = with_split(experiment_store(tmp_path / "store", 24), "holdout-kfold", share=0.25, folds=2)
    recipe = dataclasses.replace(
        RECIPE,
        data=Data(folds=(0,)),
        training=dataclasses.replace(SHORT, epochs=1, keep="best", seeds=(0, 1), finetune_epochs=1),
        sequence=Sequence("mean"),
        ensemble=Ensemble(seeds=False),
    )
    out = run_experiment(recipe, store, tmp_path / "run")
    assert not list((out / "predictions").glob("test_fold_*"))
    assert (out / "scans" / "finetune" / "seed_0").exists() != (out / "scans" / "finetune" / "seed_1").exists()
    assert len(read_predictions(out / "predictions" / "test.parquet")[0]) == 18
    assert load_bundle(out / "bundle").spec.name == "tiny"


def test_no_such_stage(store: SliceStore, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one of split, slices"):
        run_experiment(RECIPE, store, tmp_path / "run", until="slice")
