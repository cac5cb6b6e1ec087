"""Features of a tiny store: exact, resumable, and refused when something is wrong."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("pyarrow", reason="stores need the extra `data`")

from tests.datasets.tiny_store import slice_row, write_store
from torch import nn

from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import DataError, OutputError, UsageError
from ichscan.model.preprocess import model_input
from ichscan.model.spec import Channel, InputSpec
from ichscan.train import feature_store, features
from ichscan.train.classifier import SliceClassifier
from ichscan.train.feature_store import open_features
from ichscan.train.features import Extraction, extract, network_digest
from ichscan.train.scan_set import scans_of

torch.set_num_threads(1)
SPEC = InputSpec((Channel(40, 80), Channel(40, 80, 5)), "slice", 32, (0.2, 0.2), (0.3, 0.3))
COUNTS = {"a": 4, "b": 1, "c": 3}


class Tiny(nn.Module):
    """A backbone of one convolution."""

    width = 5

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(2, 5, 5, stride=4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        maps = torch.relu(self.layer(x))
        return maps.mean((2, 3)), maps


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SliceStore:
    rows = [slice_row(p, i, (0, 0, 0, 0, 0, 0)) for p, n in COUNTS.items() for i in range(n)]
    return open_store(write_store(tmp_path_factory.mktemp("store") / "s", rows))


@pytest.fixture
def network() -> SliceClassifier:
    torch.manual_seed(0)
    return SliceClassifier(Tiny(), outputs=6)  # type: ignore[arg-type]


def expected(network: SliceClassifier, store: SliceStore) -> tuple[np.ndarray, np.ndarray]:
    parts = []
    for s in store.series():
        x, _ = model_input(np.stack(store.hu_many(s.rows)), s.positions_mm, SPEC, 0.5)
        parts.append(network.eval()(torch.from_numpy(x)))
    return (
        torch.cat([p.embedding for p in parts]).detach().numpy(),
        torch.cat([p.logits for p in parts]).detach().numpy(),
    )


def test_features_are_those_of_serving(network: SliceClassifier, store: SliceStore, tmp_path: Path) -> None:
    told = []
    found = extract(
        network, store, np.arange(8), SPEC, tmp_path, Extraction(batch=3), progress=lambda a, b: told.append((a, b))
    )
    embedding, logits = expected(network, store)
    np.testing.assert_allclose(found.embedding, embedding, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-5, atol=1e-6)
    assert isinstance(found.embedding, np.memmap)
    assert told == [(4, 8), (5, 8), (8, 8)]
    assert not (tmp_path / "progress.json").exists()


def test_variants_and_their_mean(network: SliceClassifier, store: SliceStore, tmp_path: Path) -> None:
    found = extract(network, store, np.arange(8), SPEC, tmp_path, Extraction(("none", "hflip", "transpose")))
    each = [open_features(tmp_path, v).embedding for v in ("none", "hflip", "transpose")]
    np.testing.assert_allclose(found.embedding, np.mean(each, axis=0), rtol=1e-5)
    x, _ = model_input(np.stack(store.hu_many(range(4))), np.arange(4) * 5.0, SPEC, 0.5)
    flipped = network(torch.from_numpy(x[..., ::-1].copy())).embedding.detach().numpy()
    np.testing.assert_allclose(each[1][:4], flipped, rtol=1e-5, atol=1e-6)
    assert not np.allclose(each[0], each[2])
    with pytest.raises(DataError, match="expected variant 'vflip'"):
        open_features(tmp_path, "vflip")


def test_killed_and_continued(
    network: SliceClassifier, store: SliceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "KEEP_EVERY", 1)
    whole = extract(network, store, np.arange(8), SPEC, tmp_path / "whole")

    def killed(done: int, total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(network, store, np.arange(8), SPEC, tmp_path / "part", progress=killed)
    assert json.loads((tmp_path / "part" / "progress.json").read_text())["done"] == 5
    with pytest.raises(DataError, match="the same command continues"):
        open_features(tmp_path / "part")
    seen = []
    again = extract(network, store, np.arange(8), SPEC, tmp_path / "part", progress=lambda a, _: seen.append(a))
    assert seen == [8]
    np.testing.assert_array_equal(again.embedding, whole.embedding)
    np.testing.assert_array_equal(again.logits, whole.logits)
    extract(network, store, np.arange(8), SPEC, tmp_path / "part", progress=lambda a, _: seen.append(a))
    assert seen == [8], "a finished set is not computed again"


def test_other_weights_in_the_same_folder_are_refused(
    network: SliceClassifier, store: SliceStore, tmp_path: Path
) -> None:
    extract(network, store, np.arange(8), SPEC, tmp_path)
    before = network_digest(network)
    with torch.no_grad():
        network.last.bias += 1
    assert network_digest(network) != before
    with pytest.raises(UsageError, match=r"holds other features; differs.*'network'"):
        extract(network, store, np.arange(8), SPEC, tmp_path)


def test_nan_is_named(network: SliceClassifier, store: SliceStore, tmp_path: Path) -> None:
    with torch.no_grad():
        network.last.bias[0] = float("nan")
    with pytest.raises(DataError, match=r"NaN or infinity for 4 slices, such as .*'a/0'"):
        extract(network, store, np.arange(8), SPEC, tmp_path)
    assert not (tmp_path / "features.json").exists()


def test_disk_full(
    network: SliceClassifier, store: SliceStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(feature_store, "_put", full)
    with pytest.raises(OutputError, match=r"No space left on device.*same command"):
        extract(network, store, np.arange(8), SPEC, tmp_path)


def test_scans_of_features(network: SliceClassifier, store: SliceStore, tmp_path: Path) -> None:
    found = extract(network, store, np.array([7, 5, 6, 4]), SPEC, tmp_path / "b")
    scans = scans_of(store, found, [0, 5])
    assert scans.patients == ("b", "c")
    assert scans.lengths.tolist() == [1, 3]
    assert scans.ids.tolist() == ["b/0", "c/0", "c/1", "c/2"]
    assert scans.labels.shape == (4, 2)
    np.testing.assert_allclose(scans.features, expected(network, store)[0][4:], rtol=1e-5, atol=1e-6)
    part = extract(network, store, np.array([4, 5]), SPEC, tmp_path / "part")
    with pytest.raises(DataError, match="a part of series series-c only"):
        scans_of(store, part, [0])


@pytest.mark.parametrize(
    ("rows", "variants", "error", "text"),
    [
        ([0, 0], ("none",), DataError, "different rows"),
        ([8], ("none",), DataError, "table of 8"),
        ([0], ("none", "none"), UsageError, "different variants"),
        ([0], ("vflip",), UsageError, "different variants"),
    ],
)
def test_refusals(
    network: SliceClassifier, store: SliceStore, tmp_path: Path, rows: list, variants: tuple, error: type, text: str
) -> None:
    with pytest.raises(error, match=text):
        extract(network, store, np.array(rows), SPEC, tmp_path, Extraction(variants))


def test_damaged_set(network: SliceClassifier, store: SliceStore, tmp_path: Path) -> None:
    extract(network, store, np.arange(8), SPEC, tmp_path)
    np.save(tmp_path / "logits_none.npy", np.zeros((3, 6), np.float32))
    with pytest.raises(DataError, match=r"expected shape \(8, 6\), found \(3, 6\)"):
        open_features(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(DataError, match="expected a finished set"):
        open_features(tmp_path)
