"""Feature selection: each method against its definition, and stored without pickle."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="training needs the extra `train`")

from ichscan.errors import DataError, UsageError
from ichscan.train import select
from ichscan.train.select import columns_by_weight, fit_selector, load_selector
from ichscan.train.workbench_sequence_tables import SELECTIONS, Select

RNG = np.random.default_rng(0)
FEATURES = (RNG.normal(size=(300, 10)) * np.arange(1, 11) + 5).astype(np.float32)
LOGITS = RNG.normal(size=(300, 6)).astype(np.float32)
WEIGHT = RNG.normal(size=(6, 10)).astype(np.float32)


def test_largest_standard_deviation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "_CHUNK", 7)
    np.testing.assert_allclose(
        select.standard_deviations(FEATURES, np.arange(300)), FEATURES.astype(np.float64).std(axis=0)
    )
    chosen = fit_selector(Select("std", 3), FEATURES)
    assert chosen.columns.tolist() == [9, 8, 7]
    assert np.array_equal(chosen.transform(FEATURES, LOGITS), FEATURES[:, [9, 8, 7]])


def test_weights_take_turns_by_class() -> None:
    """Two classes; the second wants what the first already took, and takes its next."""
    weight = np.array([[0.1, -9, 3, 0.5], [0.2, -8, 0.3, 7]], np.float32)
    assert columns_by_weight(weight, 3, largest=True).tolist() == [1, 3, 2]
    assert columns_by_weight(weight, 3, largest=False).tolist() == [0, 2, 3]
    assert sorted(columns_by_weight(weight, 4, largest=True).tolist()) == [0, 1, 2, 3]


def test_pca_is_the_singular_value_decomposition() -> None:
    chosen = fit_selector(Select("pca", 4), FEATURES)
    x = FEATURES.astype(np.float64)
    _, s, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    out = chosen.transform(FEATURES, LOGITS)
    expected = (x - x.mean(axis=0)) @ v[:4].T
    np.testing.assert_allclose(np.abs(out), np.abs(expected), rtol=1e-4, atol=1e-4)
    assert chosen.facts["explained_variance"] == pytest.approx((s[:4] ** 2).sum() / (s**2).sum())
    assert chosen.facts["vectors"] == 300


def test_pca_of_a_subset_is_reproducible() -> None:
    first, second = (fit_selector(Select("pca", 2, 50, 3), FEATURES) for _ in range(2))
    assert first.facts == {**second.facts}
    assert first.facts["vectors"] == 50
    assert np.array_equal(first.components, second.components)
    assert not np.array_equal(first.mean, fit_selector(Select("pca", 2, 50, 4), FEATURES).mean)


@pytest.mark.parametrize("method", SELECTIONS)
def test_saved_and_loaded(method: str, tmp_path: Path) -> None:
    chosen = fit_selector(Select(method, 4), FEATURES, weight=WEIGHT)
    chosen.save(tmp_path / "a" / "selector.npz")
    again = load_selector(tmp_path / "a" / "selector.npz")
    assert (again.method, again.width, again.facts) == (chosen.method, chosen.width, chosen.facts)
    assert np.array_equal(again.transform(FEATURES, LOGITS), chosen.transform(FEATURES, LOGITS))
    width = {"all": 10, "predictions": 6}.get(method, 4)
    assert chosen.transform(FEATURES, LOGITS).shape == (300, width)


def test_predictions_are_probabilities() -> None:
    out = fit_selector(Select("predictions"), FEATURES).transform(FEATURES, LOGITS)
    np.testing.assert_allclose(out, 1 / (1 + np.exp(-LOGITS)), rtol=1e-6)


@pytest.mark.parametrize(
    ("method", "count", "weight", "text"),
    [
        ("std", 11, None, "at most the 10"),
        ("weights_largest", 3, None, "found None"),
        ("weights_smallest", 3, WEIGHT[:, :4], r"found \(6, 4\)"),
    ],
)
def test_refusals(method: str, count: int, weight: np.ndarray | None, text: str) -> None:
    with pytest.raises(UsageError, match=text):
        fit_selector(Select(method, count), FEATURES, weight=weight)


def test_pca_needs_as_many_vectors_as_components() -> None:
    with pytest.raises(UsageError, match="8 components need as many vectors, found 5"):
        fit_selector(Select("pca", 8), FEATURES[:5])


def test_another_width_and_another_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fitted on width 10"):
        fit_selector(Select("std", 3), FEATURES).transform(FEATURES[:, :4], LOGITS)
    (tmp_path / "x.npz").write_bytes(b"nothing")
    with pytest.raises(DataError, match="expected a selector"):
        load_selector(tmp_path / "x.npz")


def test_only_training_slices_are_seen() -> None:
    features = FEATURES.copy()
    features[::2, 0] = 1e6 * RNG.normal(size=150)
    rows = np.arange(1, 300, 2)
    assert fit_selector(Select("std", 1), features).columns.tolist() == [0]
    assert fit_selector(Select("std", 1), features, rows=rows).columns.tolist() == [9]
    chosen = fit_selector(Select("pca", 2), features, rows=rows)
    np.testing.assert_allclose(chosen.mean, features[rows].mean(axis=0), rtol=1e-5)
    assert chosen.facts["of"] == 150
    assert len(fit_selector(Select("std"), features).columns) == 10
