"""The slice network on tiny synthetic slices: resumes exactly, exports exactly, and its maps are exact."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from ichscan.errors import TrainingError
from ichscan.labels import LABELS
from ichscan.model.spec import Channel, InputSpec
from ichscan.train import augment, slices
from ichscan.train.export import SliceEnsemble, export_scan, export_slices
from ichscan.train.sampling import Mix, draw_epoch
from ichscan.train.sequence import SequenceTraining, scan_logits, train_scan_ensemble
from ichscan.train.slice_network import EVIDENCE, SliceNetwork
from ichscan.train.targets import Examples, crop_map

SPEC = InputSpec(tuple(Channel(40, 80, o) for o in (-5, 0, 5)), "head", 64, (0.3,) * 3, (0.3,) * 3)
CONFIG = slices.SliceTraining(epochs=2, batch=4, positive=8, healthy=8)


def examples(patient: str, seed: int) -> Examples:
    rng = np.random.default_rng(seed)
    labels = np.zeros((6, 6), np.uint8)
    labels[2:4, [1, 5]] = 1
    lesions = np.zeros((6, 6, 64, 64), np.uint8)
    lesions[2:4, 1, 20:30, 20:30] = lesions[2:4, 5, 20:30, 20:30] = 255
    grey = rng.integers(60, 120, (6, 3, 64, 64), np.uint8)
    grey[2:4, :, 20:30, 20:30] = 220
    return Examples(
        patient, grey, labels, lesions, np.ones((6, 6), np.uint8), np.zeros((6, 4, 64, 64), np.uint8), False
    )


@pytest.fixture(autouse=True)
def no_imagenet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slices, "load_imagenet", lambda *_: None)


def test_a_killed_training_resumes_with_the_same_numbers(tmp_path: Path) -> None:
    scans = [examples("a", 0), examples("b", 1)]
    whole = slices.train_slice_network(scans, SPEC, CONFIG, 1, tmp_path / "whole")

    def stop(line: str) -> None:
        if line.startswith("epoch 1/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slices.train_slice_network(scans, SPEC, CONFIG, 1, tmp_path / "cut", progress=stop)
    resumed = slices.train_slice_network(scans, SPEC, CONFIG, 1, tmp_path / "cut")
    for a, b in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


def test_a_loss_that_is_no_number_ends_the_training_with_an_error_of_ours(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, lesion_weight=float("inf"))
    with pytest.raises(TrainingError, match=r"fold: the loss is (nan|inf) in epoch 1; lower learning_rate"):
        slices.train_slice_network([examples("a", 0), examples("b", 1)], SPEC, config, 1, tmp_path / "fold")


def test_onnx_equals_torch_and_class_maps_mean_to_the_logits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    members = [SliceNetwork(3).eval() for _ in range(2)]
    x = np.random.default_rng(0).normal(size=(3, 3, 64, 64)).astype(np.float32)
    assert export_slices(members, 64, tmp_path / "slice.onnx", x) <= 1e-4
    with torch.no_grad():
        features, maps, evidence, lesion_maps = SliceEnsemble(members)(torch.from_numpy(x))
    bias = torch.stack([m.head.bias for m in members]).mean(dim=0)
    torch.testing.assert_close(maps.mean(dim=(2, 3)) + bias, evidence[:, : len(LABELS)], rtol=1e-4, atol=1e-4)
    assert features.shape[1] == 2 * members[0].head.in_features
    expected = torch.stack([m(torch.from_numpy(x)).lesion_maps for m in members]).mean(dim=0)
    torch.testing.assert_close(lesion_maps, expected)


def test_class_maps_equal_autograd_grad_cam() -> None:
    """Selvaraju et al. 2017: Grad-CAM weighs the features with the mean gradient of the logit."""
    torch.manual_seed(0)
    member = SliceNetwork(3).eval()
    x = torch.randn(1, 3, 64, 64)
    _, maps, _, _ = SliceEnsemble([member])(x)
    features = member(x).features
    logits = member.head(features.mean(dim=(2, 3)))
    cells = features.shape[2] * features.shape[3]
    for c in range(len(LABELS)):
        (gradient,) = torch.autograd.grad(logits[0, c], features, retain_graph=True)
        grad_cam = (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1)
        torch.testing.assert_close(maps[:, c] / cells, grad_cam, rtol=1e-4, atol=1e-5)


def test_scan_network_learns_exports_and_ignores_other_scans(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    evidence, labels = [], []
    for _ in range(12):
        y = np.zeros((9, 6), np.uint8)
        y[3:6, [0, 5]] = rng.integers(0, 2)
        labels.append(y)
        evidence.append((rng.normal(0, 0.5, (9, EVIDENCE)) + 2 * y[:, 5:6]).astype(np.float32))
    config = SequenceTraining(epochs=20, seeds=2)
    ensemble = train_scan_ensemble(evidence, labels, config, 0)
    assert export_scan(ensemble, tmp_path / "scan.onnx", evidence[0]) <= 1e-4
    positive = next(i for i, y in enumerate(labels) if y.any())
    slice_logits, scan = scan_logits(ensemble, evidence[positive])
    assert slice_logits[3:6, 5].mean() > slice_logits[[0, 8], 5].mean()
    assert scan.shape == (6,)


def test_an_epoch_is_balanced_and_repeatable() -> None:
    labels = np.zeros((200, 6), np.uint8)
    labels[:40, [0, 5]] = 1
    labels[40:44, [3, 5]] = 1
    simulated = np.zeros(200, bool)
    position = np.tile(np.linspace(0, 1, 20), 10)
    first = draw_epoch(labels, simulated, position, Mix(100, 100, 50), np.random.default_rng(0))
    again = draw_epoch(labels, simulated, position, Mix(100, 100, 50), np.random.default_rng(0))
    np.testing.assert_array_equal(first, again)
    assert len(first) == 200  # no simulated slices exist: none are drawn
    assert labels[first, 5].sum() == 100
    assert labels[first, 3].sum() > 100 * 4 / 44


def test_augmentation_moves_the_map_with_the_image() -> None:
    rng = np.random.default_rng(0)
    grey = np.zeros((3, 64, 64), np.uint8)
    grey[:, 20:30, 40:50] = 200
    maps = np.zeros((10, 64, 64), np.uint8)
    maps[5, 20:30, 40:50] = 255
    for _ in range(20):
        drawn = dataclasses.replace(augment.draw(rng), noise=0.0, blur=0.0, alone=False)
        image, moved = augment.apply(drawn, grey, maps, rng)
        a, b = image[1] > 100, moved[5] > 128
        assert (a & b).sum() > 0.8 * max(a.sum(), b.sum())


def test_crop_map_follows_the_crop() -> None:
    values = np.zeros((200, 200), np.float32)
    values[100:120, 60:80] = 1
    cells = crop_map(values, np.array([50, 20, 128]))
    rows, cols = np.nonzero(cells > 200)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (25, 34, 20, 29)
