"""Bundles, runs and tables as sources of predictions."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("onnx", reason="the tiny bundle is made with onnx")
from tests.evaluate.stores import PATIENTS, SLICES, make_store, predictions, rows, write_table
from tests.fake_bundle import write_fake_bundle

from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import DataError, UsageError
from ichscan.evaluate.align import LARGEST, OWN, align
from ichscan.evaluate.sources import bundle as bundle_source
from ichscan.evaluate.sources.open import open_source
from ichscan.evaluate.sources.predicted import NO_THRESHOLDS
from ichscan.evaluate.sources.trained_on import training_warning
from ichscan.evaluate.truth import Truth, truth_of_store, truth_of_table
from ichscan.labels import ANY, LABELS
from ichscan.model.bundle import load_bundle
from ichscan.model.predict import predict
from ichscan.model.spec import load_spec

DIGEST = "0" * 64


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SliceStore:
    return open_store(make_store(tmp_path_factory.mktemp("sources") / "store"))


@pytest.fixture(scope="module")
def truth(store: SliceStore) -> Truth:
    return truth_of_store(store)


def default_run(folder: Path, scans: bool = False) -> Path:
    """What `ichscan train recipes/default.toml` leaves behind."""
    folder.mkdir()
    columns, made = predictions(rows()), rows()
    table: dict[str, list[Any]] = {
        "patient": [row["patient_id"] for row in made],
        "fold": [int(row["patient_id"]) % 3 for row in made],
        "slice": [row["index"] for row in made],
        **{label: columns[label] for label in LABELS},
        **{f"true_{label}": [row[label] for row in made] for label in LABELS},
    }
    write_table(folder / "predictions.csv", table)
    cuts = {label: {"threshold": c / 10} for c, label in enumerate(LABELS)}
    (folder / "metrics.json").write_text(
        json.dumps({"slice": cuts, "scan": {label: {"threshold": 0.9} for label in LABELS}})
    )
    if scans:
        own: dict[str, list[Any]] = {"patient": [f"{p:03d}" for p in range(PATIENTS)], "fold": [0] * PATIENTS}
        own |= {label: [p / 50 for p in range(PATIENTS)] for label in LABELS}
        write_table(folder / "predictions_scans.csv", own)
    return folder


def workbench_run(folder: Path, digest: str = DIGEST, names: str = "") -> Path:
    """What a workbench recipe of the label any leaves behind: ten patients validated, two tested."""
    (folder / "predictions").mkdir(parents=True)
    columns, made = predictions(rows()), rows()
    for part, chosen in (("validation", range(50)), ("test", range(50, 60))):
        table = {
            "slice_id": [names + columns["slice_id"][i] for i in chosen],
            "fold": [-1 if part == "test" else i % 5 for i in chosen],
            "any": [columns["any"][i] for i in chosen],
            "patient_id": [made[i]["patient_id"] for i in chosen],
            "true_any": [made[i]["any"] for i in chosen],
        }
        write_table(folder / "predictions" / f"{part}.parquet", table)
    recipe = {"name": "paper", "outcome": {"scan": "max"}, "ensemble": {"detector": ""},
              "data": {"slices": "all", "without": []}}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps({"recipe": recipe, "data": {"kind": "own", "digest": digest}}))
    figures = {level: {"any": {"threshold": 0.4}} for level in ("slices", "scans")}
    rule = {"rule": "mean_f1_curve", "chosen_on": "validation predictions"}
    (folder / "metrics.json").write_text(json.dumps({"thresholds": rule, "validation": figures, "test": figures}))
    return folder


def test_default_run(store: SliceStore, truth: Truth, tmp_path: Path) -> None:
    found = align(truth, open_source(str(default_run(tmp_path / "run")), truth, store, tmp_path))
    assert len(found.slices) == PATIENTS * SLICES
    np.testing.assert_allclose(found.slices.p[:, ANY], predictions(rows())["any"])
    assert found.slices.fold.tolist() == [p % 3 for p in range(PATIENTS) for _ in range(SLICES)]
    np.testing.assert_allclose(found.slices.thresholds, [0, 0.1, 0.2, 0.3, 0.4, 0.5])
    assert found.data["scan_probability"] == LARGEST
    # a scan that is judged by its most suspicious slice is cut where slices are
    np.testing.assert_array_equal(found.scans.thresholds, found.slices.thresholds)
    assert "these very predictions" in found.chosen_on
    assert found.source["out_of_fold"] is True


def test_default_run_with_its_own_scans(store: SliceStore, truth: Truth, tmp_path: Path) -> None:
    run = default_run(tmp_path / "run", scans=True)
    found = align(truth, open_source(str(run), truth, store, tmp_path))
    assert found.data["scan_probability"] == OWN
    np.testing.assert_allclose(found.scans.p[:, 0], [p / 50 for p in range(PATIENTS)])
    assert set(found.scans.thresholds) == {0.9}


def test_the_table_of_a_default_run_alone(truth: Truth, tmp_path: Path) -> None:
    table = default_run(tmp_path / "run") / "predictions.csv"
    with_store = align(truth, open_source(str(table), truth, None, tmp_path))
    own = truth_of_table(table)
    without_store = align(own, open_source(str(table), own, None, tmp_path))
    np.testing.assert_array_equal(with_store.scans.p, without_store.scans.p)
    np.testing.assert_array_equal(with_store.scans.y, without_store.scans.y)
    assert without_store.slices.thresholds[ANY] == 0.5


def test_default_run_takes_the_first_complete_scan_of_a_patient(tmp_path: Path) -> None:
    made = rows()
    unlabelled = [row | {"series_uid": "series-0000", "slice_id": f"u{row['slice_id']}"} | dict.fromkeys(LABELS)
                  for row in made[:5]]  # fmt: skip
    store = open_store(make_store(tmp_path / "store", [*unlabelled, *made]))
    truth = truth_of_store(store)
    found = align(truth, open_source(str(default_run(tmp_path / "run")), truth, store, tmp_path))
    assert found.slices.ids[0] == "000/0"
    assert found.data["labels_without_predictions"] == 0


def test_workbench_run(store: SliceStore, truth: Truth, tmp_path: Path) -> None:
    run = workbench_run(tmp_path / "run")
    validation = align(truth, open_source(str(run), truth, store, tmp_path))
    assert (len(validation.patients), validation.source["part"]) == (10, "validation")
    assert validation.data["not_predicted"] == list(LABELS[:5])
    assert "these very predictions" in validation.chosen_on
    test = align(truth, open_source(str(run), truth, store, tmp_path, part="test"))
    assert (len(test.patients), set(test.slices.fold)) == (2, {-1})
    assert test.slices.thresholds[ANY] == 0.4
    assert np.isnan(test.slices.thresholds[0])
    assert "validation predictions" in test.chosen_on


def test_a_run_about_types_alone_counts_hemorrhagic_slices(store: SliceStore, truth: Truth, tmp_path: Path) -> None:
    run = workbench_run(tmp_path / "run")
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["recipe"]["data"] = {"slices": "hemorrhagic", "without": ["epidural"]}
    (run / "manifest.json").write_text(json.dumps(manifest))
    found = align(truth, open_source(str(run), truth, store, tmp_path))
    assert found.slices.ids.tolist() == ["001/2", "005/2", "009/2"]
    assert found.data["restricted_to"] == "slices with hemorrhage, without epidural, as the recipe says"
    assert found.data["predictions_without_labels"] == 0


def test_run_without_such_a_part(store: SliceStore, truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected one of test, validation"):
        open_source(str(workbench_run(tmp_path / "run")), truth, store, tmp_path, part="other")
    with pytest.raises(UsageError, match="cross-validated all its patients"):
        open_source(str(default_run(tmp_path / "default")), truth, store, tmp_path, part="test")


def test_run_of_another_data_set(store: SliceStore, truth: Truth, tmp_path: Path) -> None:
    other = workbench_run(tmp_path / "other", digest="1" * 64, names="x")
    with pytest.raises(DataError, match=r"its networks are not applied here.*ichscan evaluate other/bundle"):
        open_source(str(other), truth, store, tmp_path)
    relabelled = workbench_run(tmp_path / "relabelled", digest="1" * 64)
    (warning,) = open_source(str(relabelled), truth, store, tmp_path).warnings
    assert "other labels or pixels" in warning


def test_table_has_no_thresholds(truth: Truth, tmp_path: Path) -> None:
    found = align(truth, open_source(str(write_table(tmp_path / "p.csv", predictions(rows()))), truth, None, tmp_path))
    assert found.chosen_on == NO_THRESHOLDS
    assert np.isnan(found.slices.thresholds).all()


def test_what_is_no_source(truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found nothing there"):
        open_source(str(tmp_path / "absent"), truth, None, tmp_path)
    with pytest.raises(UsageError, match="found something else"):
        open_source(str(tmp_path), truth, None, tmp_path)
    with pytest.raises(UsageError, match="a bundle needs images"):
        open_source(str(write_fake_bundle(tmp_path / "bundle")), truth, None, tmp_path)


def test_bundle_predicts_the_store(store: SliceStore, truth: Truth, tmp_path: Path) -> None:
    folder = write_fake_bundle(tmp_path / "bundle")
    seen: list[tuple[int, int, int]] = []
    source = open_source(str(folder), truth, store, tmp_path / "out", bar=lambda *n: seen.append(n))
    found = align(truth, source)
    assert seen[-1] == (60, 60, 0)
    bundle = load_bundle(folder)
    for number, series in enumerate(store.series()):
        expected = predict(bundle_source.volume_of(store, series), bundle)
        np.testing.assert_array_equal(found.slices.p[series.rows], expected.slices)
        np.testing.assert_array_equal(found.scans.p[number], expected.scan)
    assert found.data["scan_probability"] == OWN
    assert found.source["sha256"] == bundle.identity.sha256
    assert "may have seen these patients" in found.data["warnings"][0]


def test_a_killed_run_goes_on(store: SliceStore, truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = write_fake_bundle(tmp_path / "bundle"), tmp_path / "out"
    whole = open_source(str(folder), truth, store, tmp_path / "whole")
    real, calls = bundle_source._predict, []

    def counting(*arguments: Any) -> Any:
        calls.append(arguments[2].series_uid)
        if len(calls) == 10:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(bundle_source, "_predict", counting)
    with pytest.raises(KeyboardInterrupt):
        open_source(str(folder), truth, store, out)
    calls.clear()
    calls += [""] * 20
    told: list[tuple[int, int, int]] = []
    again = open_source(str(folder), truth, store, out, bar=lambda *n: told.append(n))
    assert calls[20:] == [f"series-{p:03d}" for p in range(bundle_source.SERIES, PATIENTS)]
    assert told[-1] == (60, 60, bundle_source.SERIES * SLICES)
    np.testing.assert_array_equal(again.slices.p, whole.slices.p)
    assert again.scans is not None
    assert whole.scans is not None
    np.testing.assert_array_equal(again.scans.p, whole.scans.p)
    calls.clear()
    open_source(str(folder), truth, store, out)
    assert calls == []


def test_predictions_of_another_model_are_not_taken(store: SliceStore, truth: Truth, tmp_path: Path) -> None:
    open_source(str(write_fake_bundle(tmp_path / "one")), truth, store, tmp_path / "out")
    spec = json.loads((tmp_path / "one" / "spec.json").read_text())
    spec["calibration"]["slice"]["scale"] = [2.0] * 6
    (tmp_path / "one" / "spec.json").write_text(json.dumps(spec))
    with pytest.raises(UsageError, match="another model or data set; use a new --out"):
        open_source(str(tmp_path / "one"), truth, store, tmp_path / "out")


def test_a_scan_that_cannot_be_analysed_is_named(
    store: SliceStore, truth: Truth, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = bundle_source._predict

    def failing(*arguments: Any) -> Any:
        return (None, "too small") if arguments[2].series_uid == "series-003" else real(*arguments)

    monkeypatch.setattr(bundle_source, "_predict", failing)
    found = align(truth, open_source(str(write_fake_bundle(tmp_path / "b")), truth, store, tmp_path / "out"))
    assert found.data["failed"] == {"series-003": "too small"}
    assert len(found.scans) == PATIENTS - 1


@pytest.mark.parametrize(
    ("about", "told"),
    [
        ({}, "does not say what it was trained on"),
        ({"trained_on": [{"kind": "own", "digest": DIGEST}]}, "WAS TRAINED ON THIS DATA SET"),
        ({"training_data": f"store of kind own, {DIGEST}"}, "WAS TRAINED ON THIS DATA SET"),
        ({"trained_on": [{"kind": "own", "digest": "1"}]}, "data of the same kind"),
        ({"trained_on": [{"kind": "rsna-2019", "digest": "1"}]}, ""),
    ],
)
def test_what_a_bundle_was_trained_on(tmp_path: Path, about: dict[str, Any], told: str) -> None:
    folder = write_fake_bundle(tmp_path / "bundle")
    raw = json.loads((folder / "spec.json").read_text())
    (folder / "spec.json").write_text(json.dumps(raw | {"about": about}))
    found = training_warning(load_spec(folder), {"kind": "own", "digest": DIGEST})
    assert bool(found) == bool(told)
    assert all(told in sentence for sentence in found)


def test_the_packaged_model_says_what_it_saw() -> None:
    spec = load_bundle(None).spec
    assert training_warning(spec, {"kind": "ct-ich", "digest": "other"})
    assert not training_warning(spec, {"kind": "cq500", "digest": "other"})
