"""The maps equal Grad-CAM of an independent library (pytorch-grad-cam), up to the number of cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("pytorch_grad_cam", reason="the group `oracle` holds grad-cam")
onnx = pytest.importorskip("onnx")

from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn

from ichscan.doctor.self_test import self_test_volume
from ichscan.explain.sequence import gradients, sequence_maps, shares
from ichscan.labels import LABELS
from ichscan.model.bundle import load_bundle
from ichscan.model.preprocess import model_input
from ichscan.model.session import open_network
from ichscan.train.export import export_scan, export_slices
from ichscan.train.sequence import ScanEnsemble, ScanNetwork
from ichscan.train.slice_network import TOP, SliceNetwork

SIZE = 64
LAYERS = ("features", "lesions")


class Whole(nn.Module):
    """A scan as a batch of slices -> settled logits (slices, 6), with both kinds of maps as layers of their own."""

    def __init__(self, member: SliceNetwork, scan: nn.Module | None) -> None:
        super().__init__()
        self.member, self.scan = member, scan
        self.features, self.lesions = nn.Identity(), nn.Identity()

    def forward(self, slices: Tensor) -> Tensor:
        out = self.member(slices)
        logits = self.member.head(self.features(out.features).mean(dim=(2, 3)))
        if self.scan is None:
            return logits
        lesions = self.lesions(out.lesion_maps).flatten(2).topk(TOP, dim=2).values.mean(dim=2)
        evidence = torch.cat([logits, lesions, out.evidence[:, 2 * len(LABELS) :]], dim=1)
        settled: Tensor = self.scan(evidence)[0]
        return settled


class Nothing:
    """The target of slices that are not asked for."""

    def __call__(self, output: Tensor) -> Tensor:
        return 0 * output.sum()


def library(network: nn.Module, layer: nn.Module, x: Tensor, targets: list[Any]) -> np.ndarray[Any, Any]:
    """Grad-CAM of the library before ReLU and before it is stretched, (n, h, w)."""
    with GradCAM(model=network, target_layers=[layer]) as cam:
        cam(input_tensor=x, targets=targets)
        acts = cam.activations_and_grads.activations[0].cpu().numpy()
        grads = cam.activations_and_grads.gradients[0].cpu().numpy()
        found: np.ndarray[Any, Any] = cam.get_cam_image(x, layer, targets, acts, grads, False)
    return found


@pytest.fixture(scope="module")
def member() -> SliceNetwork:
    torch.manual_seed(0)
    network = SliceNetwork(3).eval()
    for layer in (network.lesion, network.head):
        torch.nn.init.normal_(layer.weight)
        assert layer.bias is not None
        torch.nn.init.zeros_(layer.bias)  # maps of both signs: ReLU has something to leave and something to take
    return network


@pytest.fixture(scope="module")
def slices() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=(5, 3, SIZE, SIZE)).astype(np.float32)


@pytest.fixture(scope="module")
def exported(
    member: SliceNetwork, slices: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray[Any, Any]]:
    """Outputs of the network as the project's own exporter writes it."""
    path = tmp_path_factory.mktemp("bundle") / "slice.onnx"
    export_slices([member], SIZE, path, slices)
    names = ["class_maps", "lesion_maps", "evidence"]
    return dict(zip(names, open_network(path.read_bytes(), "slice.onnx", 1).run(names, slices=slices), strict=True))


@pytest.mark.parametrize("c", range(len(LABELS)))
def test_class_maps_are_grad_cam(member: SliceNetwork, slices: Any, exported: Any, c: int) -> None:
    network = Whole(member, None)
    found = library(network, network.features, torch.from_numpy(slices), [ClassifierOutputTarget(c)] * len(slices))
    cells = found.shape[1] * found.shape[2]
    ours = exported["class_maps"][:, c] / cells
    assert found.max() > 1e-3
    assert found.min() < -1e-3
    np.testing.assert_allclose(np.maximum(ours, 0), np.maximum(found, 0), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(("t", "c"), [(0, 5), (2, 1), (4, 3)])
def test_through_the_sequence_model(member: Any, slices: Any, exported: Any, tmp_path: Path, t: int, c: int) -> None:
    """The shipped kind of scan network: a learned smoothing of logits and of lesion maps."""
    scan = ScanEnsemble([smoothing(1), smoothing(2)]).eval()
    export_scan(scan, tmp_path / "scan.onnx", exported["evidence"])
    onnx_scan = open_network((tmp_path / "scan.onnx").read_bytes(), "scan.onnx", 1)
    gradient = gradients(onnx_scan, exported["evidence"], [t]).slices[0, c]
    ours = sequence_maps(gradient, exported["class_maps"], exported["lesion_maps"])

    network = Whole(member, scan)
    targets = [ClassifierOutputTarget(c) if u == t else Nothing() for u in range(len(slices))]
    found = sum(library(network, getattr(network, layer), torch.from_numpy(slices), targets) for layer in LAYERS)
    cells = ours.shape[1] * ours.shape[2]
    assert np.max(found) > 1e-3
    np.testing.assert_allclose(np.maximum(ours / cells, 0), np.maximum(found, 0), rtol=2e-3, atol=2e-6)
    reached = [u for u in range(len(slices)) if np.abs(ours[u]).max() > 1e-6]
    assert reached == [u for u in range(len(slices)) if abs(u - t) <= 1]
    assert shares(ours).sum() == pytest.approx(1, abs=1e-5)


def smoothing(seed: int) -> ScanNetwork:
    torch.manual_seed(seed)
    network = ScanNetwork(hidden=0, dropout=0.0, top=2)
    with torch.no_grad():
        network.mix.copy_(torch.rand_like(network.mix))
        network.kernel.copy_(torch.rand_like(network.kernel))
    return network


def test_gradients_equal_autograd_for_a_recurrent_network(tmp_path: Path) -> None:
    torch.manual_seed(3)
    network = ScanNetwork(hidden=4, dropout=0.0, top=2)
    assert network.head is not None
    nn.init.normal_(network.head.weight)
    ensemble = ScanEnsemble([network]).eval()
    # far enough apart that no step changes which slices are the highest
    evidence = np.random.default_rng(1).permuted(np.arange(64).reshape(16, 4).T % 4 - 1.5, axis=0).astype(np.float32)
    export_scan(ensemble, tmp_path / "scan.onnx", evidence)
    found = gradients(open_network((tmp_path / "scan.onnx").read_bytes(), "scan.onnx", 1), evidence, [0, 3])
    x = torch.from_numpy(evidence).requires_grad_()
    slice_logits, scan_logits = ensemble(x)
    for c in range(len(LABELS)):
        for k, t in enumerate((0, 3)):
            (expected,) = torch.autograd.grad(slice_logits[t, c], x, retain_graph=True)
            np.testing.assert_allclose(found.slices[k, c], expected.numpy(), rtol=2e-2, atol=1e-3)
        (expected,) = torch.autograd.grad(scan_logits[c], x, retain_graph=True)
        np.testing.assert_allclose(found.scan[c], expected.numpy(), rtol=2e-2, atol=1e-3)


class Tail(nn.Module):
    """The end of the shipped network, with its own weights: features -> mean -> linear."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.at, self.weight = nn.Identity(), nn.Parameter(weight)

    def forward(self, features: Tensor) -> Tensor:
        return self.at(features).mean(dim=(2, 3)) @ self.weight.T


def test_shipped_weights_give_grad_cam_and_add_up() -> None:
    bundle = load_bundle(threads=1)
    volume = self_test_volume()
    x, _ = model_input(volume.hu, volume.positions_mm, bundle.spec.input, 0.9)
    features, maps, evidence = bundle.slice_network.run(["features", "class_maps", "evidence"], slices=x)
    graph = onnx.load(bundle.folder / "slice.onnx").graph
    (node,) = [n for n in graph.node if "class_maps" in n.output]
    (weight,) = [onnx.numpy_helper.to_array(i) for i in graph.initializer if i.name == node.input[1]]
    tail = Tail(torch.from_numpy(weight[:, :, 0, 0].copy()))
    found = library(tail, tail.at, torch.from_numpy(features).requires_grad_(), [ClassifierOutputTarget(5)] * len(x))
    np.testing.assert_allclose(maps[:, 5] / found[0].size, found, rtol=1e-3, atol=1e-6)
    constant = evidence[:, :6] - maps.mean(axis=(2, 3))
    np.testing.assert_allclose(constant, np.broadcast_to(constant[:1], constant.shape), atol=1e-4)
    slope = gradients(bundle.scan_network, evidence, range(len(x)))
    settled, _ = bundle.scan_network.run(["slice_logits", "scan_logits"], evidence=evidence)
    np.testing.assert_allclose(np.einsum("tcuk,uk->tc", slope.slices, evidence), settled, atol=2e-3)
