"""Every scan model and selection as ONNX: the same numbers as the experiment's own prediction, at any length."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("onnx", reason="training needs the extra `train`")

from ichscan.evaluate.metrics import CLIP
from ichscan.train.bagging import Probabilities
from ichscan.train.experiment.bundle_networks import ScanMembers, ScanPart, cell_maps, without_packing
from ichscan.train.experiment.combine import combine
from ichscan.train.export import export_scan
from ichscan.train.scan_models import build_scan_model
from ichscan.train.select import fit_selector
from ichscan.train.workbench_sequence_tables import Select, Sequence

torch.set_num_threads(1)
WIDTH, LABELS, SLICES = 7, 6, 9
SELECT = {
    "bilstm": Select("pca", 3),
    "bilstm_residual": Select("all"),
    "gru_conv": Select("std", 4),
    "transformer": Select("predictions"),
}


@pytest.fixture(autouse=True)
def _plain_attention() -> object:
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(fast)


def part(kind: str, seed: int, rng: np.random.Generator) -> ScanPart:
    torch.manual_seed(seed)
    head = kind in ("gru_conv", "transformer")
    config = Sequence(kind, hidden=4, layers=1, deltas=kind == "bilstm_residual", join=kind == "bilstm", scan_head=head)
    if kind in ("none", "mean"):
        return ScanPart(None, [build_scan_model(config, LABELS, LABELS).eval()], 0)
    selector = fit_selector(SELECT[kind], rng.normal(size=(40, WIDTH)).astype(np.float32))
    seen = selector.transform(np.zeros((1, WIDTH), np.float32), np.zeros((1, LABELS), np.float32)).shape[1]
    return ScanPart(selector, [build_scan_model(config, seen, LABELS).eval()], WIDTH)


@pytest.mark.parametrize("kind", ["none", "mean", "bilstm", "bilstm_residual", "gru_conv", "transformer"])
@pytest.mark.parametrize("of", ["probability", "logit"])
def test_scan_models_as_onnx(kind: str, of: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = [part(kind, seed, rng) for seed in (0, 1)]
    members = ScanMembers(parts, LABELS, of, CLIP, by_head=kind == "gru_conv").eval()
    evidence = rng.normal(size=(SLICES, 2 * (LABELS + parts[0].width))).astype(np.float32)
    assert export_scan(without_packing(members).eval(), tmp_path / "scan.onnx", evidence, members) <= 1e-4


@pytest.mark.parametrize("of", ["probability", "logit"])
def test_the_mean_in_log_odds_is_the_mean_of_the_ensemble(of: str) -> None:
    logits = torch.randn(3, 5, LABELS, dtype=torch.float64) * 8
    network = ScanMembers([], LABELS, of, 1e-4, by_head=False)
    ids = np.arange(5).astype(np.str_)
    each = [Probabilities(ids, torch.sigmoid(one).numpy()) for one in logits]
    mean = torch.sigmoid(network._mean(logits)).numpy()
    np.testing.assert_allclose(mean, combine(each, of, 1e-4).values, atol=2e-5)


def test_class_maps_average_to_the_logit() -> None:
    head = torch.nn.Sequential(torch.nn.Dropout(0.0), torch.nn.Linear(4, 3))
    holder = torch.nn.Module()
    holder.head = head
    features = torch.randn(2, 4, 5, 6)
    maps = cell_maps(holder, features)
    expected = head(features.mean((2, 3))) - head(torch.zeros(4))
    torch.testing.assert_close(maps.mean((2, 3)), expected)
