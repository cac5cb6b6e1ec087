"""Features of the default model from a run folder."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("timm", reason="training needs the extra `train`")

from ichscan.errors import DataError
from ichscan.model.spec import Channel, InputSpec
from ichscan.train import default_features
from ichscan.train.checkpoint import save_checkpoint
from ichscan.train.default_features import default_folds
from ichscan.train.recipe import Recipe
from ichscan.train.slice_network import SliceNetwork

torch.set_num_threads(1)
SPEC = InputSpec((Channel(40, 80), Channel(80, 200)), "slice", 64, (0.2, 0.2), (0.3, 0.3))
RECIPE = Recipe(folds=2, input=SPEC)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "examples").mkdir()
    for p, n in {"001": 2, "002": 3, "003": 1, "004": 2}.items():
        labels = np.zeros((n, 6), np.uint8)
        labels[0, [1, 5]] = p in ("001", "004")
        grey = rng.integers(0, 255, (n, 2, 64, 64)).astype(np.uint8)
        np.savez(tmp_path / "examples" / f"{p}.npz", grey=grey, labels=labels)
    for k in range(2):
        torch.manual_seed(k)
        network = SliceNetwork(2)
        optimiser = torch.optim.SGD(network.parameters(), 0.1)
        save_checkpoint(tmp_path / "folds" / str(k), network, network, optimiser, None, 1)
    return tmp_path


def test_the_last_layer_gives_the_logits(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    folds = default_folds(RECIPE, run, run / "out", told.append)
    assert told == ["features 1/2", "features 2/2"]
    held = [set(f.held_out.patients) for f in folds.values()]
    assert held[0] | held[1] == {"001", "002", "003", "004"}
    assert not held[0] & held[1]
    fold = folds[0]
    assert fold.weight is not None
    torch.manual_seed(0)
    bias = SliceNetwork(2).head.bias.detach().numpy()
    np.testing.assert_allclose(
        fold.training.features @ fold.weight.T + bias, fold.training.logits, rtol=1e-3, atol=1e-4
    )
    assert fold.training.features.shape == (8, 192)

    def refuse(*_: object) -> None:
        raise AssertionError("features were computed again")

    monkeypatch.setattr(default_features, "_describe", refuse)
    again = default_folds(RECIPE, run, run / "out")
    assert np.array_equal(again[1].held_out.features, folds[1].held_out.features)


def test_an_unfinished_run_is_refused(run: Path) -> None:
    (run / "folds" / "1" / "checkpoint.safetensors").unlink()
    with pytest.raises(DataError, match=r"4 patients, folds without a network: \[1\]"):
        default_folds(RECIPE, run, run / "out")
