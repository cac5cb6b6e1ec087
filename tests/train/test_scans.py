"""Scan models fitted and predicted: on synthetic scans in which neighbours tell what a slice alone does not."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from ichscan.errors import DataError, UsageError
from ichscan.train.ablation import ablate, burduja_variants, markdown, with_training
from ichscan.train.batch import Share
from ichscan.train.loop import start
from ichscan.train.scan_batches import ScanBatches, ScanObjective, padded
from ichscan.train.scan_models import build_scan_model
from ichscan.train.scan_set import Fold, Scans
from ichscan.train.scans import cross_fit, fit_scan_models, mean_loss, predict_scans, select_features
from ichscan.train.workbench_sequence_tables import Select, Sequence
from ichscan.train.workbench_tables import Training

torch.set_num_threads(1)
WIDTH = 16
TRAINING = Training(epochs=6, batch=4, learning_rate=0.02, keep="last", accelerator="cpu", devices=1)
BILSTM = Sequence("bilstm", hidden=8, layers=1, join=True, training=TRAINING)


@pytest.fixture(scope="module")
def fabric():
    return start(TRAINING)


def synthetic(patients: int, seed: int = 0, slices: tuple[int, int] = (3, 9)) -> Scans:
    """A bleed spans the lower or upper half of a scan; the features show it through much noise."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(*slices, patients)
    stops = np.cumsum(lengths)
    labels = np.zeros((stops[-1], 6), np.uint8)
    for a, n in zip(stops - lengths, lengths, strict=True):
        if rng.random() < 0.5:
            labels[a : a + n // 2 + 1, [int(rng.integers(5)), 5]] = 1
    direction = rng.normal(size=(6, WIDTH))
    features = (labels @ direction + 0.7 * rng.normal(size=(len(labels), WIDTH))).astype(np.float32)
    logits = (2 * labels - 2 + 1.5 * rng.normal(size=labels.shape)).astype(np.float32)
    return Scans(
        np.array([f"s{seed}-{i}" for i in range(len(labels))]), features, logits, labels,
        (stops - lengths).astype(np.int64), stops.astype(np.int64),
        tuple(f"p{i}" for i in range(patients)), tuple(f"series{seed}-{i}" for i in range(patients)),
    )  # fmt: skip


def folds(scans: Scans, count: int = 2) -> dict[int, Fold]:
    number = np.arange(len(scans)) % count
    weight = np.random.default_rng(0).normal(size=(6, WIDTH)).astype(np.float32)
    return {k: Fold(scans.take(number != k), scans.take(number == k), weight) for k in range(count)}


def test_padded_scans() -> None:
    scans = synthetic(4)
    features, logits, lengths, labels = padded(scans, np.array([2, 0]))
    assert lengths.tolist() == scans.lengths[[2, 0]].tolist()
    n = int(lengths[1])
    assert np.array_equal(features[1, :n].numpy(), scans.features[:n])
    assert np.array_equal(labels[1, :n].numpy(), scans.labels[:n])
    assert (labels[1, n:] == 255).all()
    assert (features[1, n:] == 0).all()
    assert logits.shape == (2, max(lengths.tolist()), 6)


@pytest.mark.parametrize("share", [1, 2, 3])
def test_every_scan_once_per_epoch_however_it_is_shared(share: int) -> None:
    scans = synthetic(10)
    batches = ScanBatches(scans, 4, 2, seed=3)
    assert batches.steps == 3
    seen: list[str] = []
    parts = []
    for rank in range(share):
        own = list(batches(1, 0, Share(rank, share)))
        parts.append([(b.total, b.last) for b in own])
        for b in own:
            seen += [n for n, w in zip(b.names, b.weights.tolist(), strict=True) if w > 0]
    assert sorted(seen) == sorted(scans.names)
    assert all(p == parts[0] for p in parts), "devices fall out of step"
    again = [b.names for b in batches(1, 1, Share(0, share))]
    whole = [b.names for b in batches(1, 0, Share(0, share))]
    assert whole[-len(again) :] == again
    assert whole != [b.names for b in batches(2, 0, Share(0, share))]


def test_step_loss_does_not_depend_on_parts_or_devices() -> None:
    scans = synthetic(8)
    network = build_scan_model(BILSTM, WIDTH, 6)
    objective = ScanObjective(0.5)
    losses = []
    for parts, world in ((1, 1), (3, 1), (2, 2)):
        total = 0.0
        for rank in range(world):
            for batch in ScanBatches(scans, 8, parts, 0)(0, 0, Share(rank, world)):
                total += objective(network, batch).item() / batch.total
        losses.append(total)
    assert losses == pytest.approx([mean_loss(network, scans, 0.5)] * 3, rel=1e-5)


def test_neighbours_help(tmp_path: Path, fabric) -> None:
    training, held_out = synthetic(60), synthetic(30, seed=0)
    held_out = dataclasses.replace(synthetic(30, seed=5), patients=tuple(f"q{i}" for i in range(30)))
    rng = np.random.default_rng(0)
    direction = rng.normal(size=(6, WIDTH))
    for scans in (training, held_out):
        scans.features[:] = scans.labels @ direction + 0.7 * rng.normal(size=scans.features.shape)
    (model,) = fit_scan_models(BILSTM, training, tmp_path / "a", fabric)
    none = build_scan_model(Sequence("none"), WIDTH, 6)
    assert mean_loss(model, held_out) < 0.6 * mean_loss_of(none, held_out)
    out = predict_scans(model, held_out, "a")
    assert out.slices.values.shape == (len(held_out.ids), 6)
    assert out.scans.ids.tolist() == list(held_out.names)
    one = predict_scans(model, held_out.take(np.arange(30) == 7))
    np.testing.assert_allclose(one.scans.values[0], out.scans.values[7], atol=1e-6)
    (again,) = fit_scan_models(BILSTM, training, tmp_path / "a", fabric)
    np.testing.assert_array_equal(predict_scans(again, held_out).slices.values, out.slices.values)


def mean_loss_of(network, scans: Scans) -> float:
    from ichscan.evaluate.metrics import weighted_log_loss

    return weighted_log_loss(predict_scans(network, scans).slices.values, scans.labels[scans.rows])


def test_all_epochs_and_seeds_are_kept(tmp_path: Path, fabric) -> None:
    training = dataclasses.replace(TRAINING, epochs=2, keep="all", seeds=(0, 1))
    models = fit_scan_models(dataclasses.replace(BILSTM, training=training), synthetic(6), tmp_path, fabric)
    assert len(models) == 4
    assert fit_scan_models(Sequence("mean"), synthetic(6), tmp_path, fabric)[0].training is False


def test_scans_without_labels_do_not_teach(tmp_path: Path, fabric) -> None:
    scans = synthetic(3)
    scans.labels[:] = 255
    with pytest.raises(DataError, match="found none among 3"):
        fit_scan_models(BILSTM, scans, tmp_path, fabric)
    scans.labels[scans.starts[1], 0] = 0
    assert scans.labelled().names == scans.names[1:2]
    assert (scans.scan_labels == 255).all()


def test_selection_is_fitted_on_training_scans_only() -> None:
    scans = synthetic(10)
    fold = folds(scans)[0]
    scans.features[fold.held_out.rows, 3] *= 1e6
    reduced = select_features(fold, Select("std", 2))
    spread = fold.training.features[fold.training.rows].std(axis=0)
    best = np.argsort(-spread)[:2]
    assert np.array_equal(reduced.held_out.features, scans.features[:, best])


def test_cross_fit_predicts_every_slice_once(tmp_path: Path, fabric) -> None:
    scans = synthetic(8)
    config = dataclasses.replace(BILSTM, training=dataclasses.replace(TRAINING, epochs=1))
    out = cross_fit(config, Select("pca", 3), folds(scans), tmp_path, fabric)
    assert sorted(out.slices.ids.tolist()) == sorted(scans.ids.tolist())
    assert sorted(out.scans.ids.tolist()) == sorted(scans.names)
    best = dataclasses.replace(config, training=dataclasses.replace(TRAINING, keep="best"))
    with pytest.raises(UsageError, match="no other scans to validate on"):
        cross_fit(best, Select("pca", 3), folds(scans), tmp_path, fabric)


def test_a_patient_on_both_sides_is_refused() -> None:
    scans = synthetic(4)
    with pytest.raises(DataError, match="1 patients are on both sides"):
        Fold(scans.take(np.array([1, 1, 0, 0], bool)), scans.take(np.array([0, 1, 1, 1], bool)))


def test_ablation_end_to_end(tmp_path: Path, fabric) -> None:
    scans = synthetic(16)
    scans.labels[scans.starts[0]] = 255
    small = dataclasses.replace(BILSTM, join=False)
    variants = burduja_variants((4,), small, smaller=False)
    variants = with_training(variants, dataclasses.replace(TRAINING, epochs=1))
    rows = ablate(folds(scans), variants, tmp_path, fabric, draws=40)
    assert [r.name for r in rows][:4] == ["slice network alone", "moving mean", "predictions only", "std 4"]
    assert len(rows) == 8
    assert rows[0].gain == 0
    assert (rows[0].gain_low, rows[0].gain_high) == (0, 0)
    assert rows[0].loss == pytest.approx(mean_loss_of(build_scan_model(Sequence("none"), WIDTH, 6), scans), rel=0.2)
    assert {r.slices for r in rows} == {len(scans.ids) - 1}
    assert {r.count for r in rows} == {4, 6}
    assert all(r.low <= r.loss <= r.high for r in rows)
    assert markdown(rows).count("\n") == len(rows) + 2
    assert rows[3].facts()["features"] == "std"


def test_the_paper_s_own_rows() -> None:
    names = [v.name for v in burduja_variants((192, 120))]
    assert names[-2:] == ["pca 120, 2 x 128", "pca 120, 3 x 128"]
    joined = next(v for v in burduja_variants((192, 120)) if v.name == "pca 120 + predictions")
    assert (joined.sequence.join, joined.sequence.layers, joined.sequence.hidden) == (True, 3, 256)
    assert joined.sequence.training.learning_rate == 1e-4
    assert (joined.sequence.training.epochs, joined.sequence.training.batch) == (4, 1)


def test_arrays_that_do_not_fit_are_refused() -> None:
    scans = synthetic(2)
    with pytest.raises(DataError, match="rows in every array"):
        dataclasses.replace(scans, logits=scans.logits[1:])
    with pytest.raises(DataError, match="at least one"):
        dataclasses.replace(scans, stops=scans.starts)
