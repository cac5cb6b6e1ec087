"""Bagging and the two-stage rule, by hand."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")

from ichscan.errors import DataError, UsageError
from ichscan.labels import LABELS
from ichscan.train.bagging import Probabilities, bag
from ichscan.train.two_stage import FOUR_TYPES, detect_then_type, typing_rows


def made(ids: str, values: list[float], source: str = "") -> Probabilities:
    return Probabilities(np.array(list(ids)), np.array(values)[:, None], source)


def test_mean_by_id_in_the_order_of_the_first() -> None:
    out = bag([made("bca", [0.1, 0.2, 0.3]), made("abc", [0.5, 0.7, 0.0])])
    assert out.ids.tolist() == ["b", "c", "a"]
    np.testing.assert_allclose(out.values[:, 0], [0.4, 0.1, 0.4])


def test_clipped() -> None:
    assert bag([made("ab", [0.0, 1.0])]).values[:, 0].tolist() == [1e-5, 1 - 1e-5]


def test_different_ids_are_named() -> None:
    with pytest.raises(DataError, match=r"epoch 2 does not predict the ids of epoch 1: 1 missing, 1 more, .*'b', 'c'"):
        bag([made("ab", [0, 0], "epoch 1"), made("ac", [0, 0], "epoch 2")])
    with pytest.raises(DataError, match="at least one"):
        bag([])
    with pytest.raises(DataError, match="2 labels"):
        bag([made("a", [0]), Probabilities(np.array(["a"]), np.zeros((1, 2)), "wide")])


@pytest.mark.parametrize("value", [1.1, -0.1, float("nan")])
def test_values_that_are_no_probabilities_are_refused(value: float) -> None:
    with pytest.raises(DataError, match=r"expected probabilities in \[0, 1\].*for b \(1 such rows\)"):
        made("ab", [0.5, value])


def test_repeated_ids_and_short_values_are_refused() -> None:
    with pytest.raises(DataError, match="not unique"):
        made("aa", [0, 0])
    with pytest.raises(DataError, match="2 ids"):
        made("ab", [0])


def test_product_and_gate() -> None:
    detector = np.array([0.2, 0.9])
    typing = np.array([[0.5, 0.1, 0, 0, 1.0], [0.5, 0.1, 0, 0, 1.0]])
    np.testing.assert_allclose(
        detect_then_type(detector, typing), [[0.1, 0.02, 0, 0, 0.2, 0.2], [0.45, 0.09, 0, 0, 0.9, 0.9]]
    )
    gated = detect_then_type(detector, typing, rule="gate", threshold=0.5)
    np.testing.assert_allclose(gated, [[0.1, 0.02, 0, 0, 0.2, 0.2], [0.5, 0.1, 0, 0, 1.0, 0.9]])


def test_four_classes_leave_epidural_at_zero() -> None:
    out = detect_then_type(np.array([0.5]), np.array([[0.2, 0.4, 0.6, 0.8]]), FOUR_TYPES)
    np.testing.assert_allclose(out, [[0, 0.1, 0.2, 0.3, 0.4, 0.5]])
    assert LABELS[0] == "epidural"


def test_rows_that_teach_the_types() -> None:
    labels = np.array(
        [[0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 1], [0, 1, 0, 0, 0, 1], [1, 1, 0, 0, 0, 1], [0, 1, 255, 0, 0, 1]],
        np.uint8,
    )
    assert typing_rows(labels).tolist() == [False, True, True, True, False]
    assert typing_rows(labels, FOUR_TYPES).tolist() == [False, False, True, False, False]


def test_two_stage_refusals() -> None:
    with pytest.raises(UsageError, match="rule"):
        detect_then_type(np.zeros(1), np.zeros((1, 5)), rule="max")
    with pytest.raises(UsageError, match="different ones of"):
        detect_then_type(np.zeros(1), np.zeros((1, 1)), ["any"])
    with pytest.raises(DataError, match="found"):
        detect_then_type(np.zeros(2), np.zeros((1, 5)))
    with pytest.raises(DataError, match="typing holds values outside"):
        detect_then_type(np.zeros(1), np.full((1, 5), np.nan))
