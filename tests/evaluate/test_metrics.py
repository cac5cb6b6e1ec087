"""Measures against scikit-learn and by hand."""

import numpy as np
import pytest

from ichscan.evaluate.metrics import (
    Decisions,
    auc,
    decide,
    exact_match,
    log_losses,
    macro_f1,
    shares,
    squared_errors,
    weighted_log_loss,
    weighted_log_losses,
)


def test_auc_equals_scikit_learn_with_ties() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, labels = rng.integers(0, 8, 60) / 8, (rng.random(60) < 0.3).astype(np.uint8)
        if 0 < labels.sum() < 60:
            assert auc(scores, labels) == pytest.approx(metrics.roc_auc_score(labels, scores))


def test_auc_of_one_class_is_not_estimable() -> None:
    assert np.isnan(auc(np.array([0.1, 0.2]), np.array([0, 0], np.uint8)))


def test_weighted_log_loss_by_hand() -> None:
    p = np.full((1, 6), 0.5)
    assert weighted_log_loss(p, np.zeros((1, 6), np.uint8)) == pytest.approx(np.log(2))
    sure = np.zeros((1, 6))
    wrong_any = np.array([[0, 0, 0, 0, 0, 1]], np.uint8)
    assert weighted_log_loss(sure, wrong_any) == pytest.approx(2 * -np.log(1e-5) / 7, rel=1e-4)


def test_exact_match_and_macro_f1_equal_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(1)
    labels, decisions = rng.integers(0, 2, (50, 5)).astype(np.uint8), rng.random((50, 5)) < 0.5
    assert exact_match(decisions, labels) == pytest.approx(metrics.accuracy_score(labels, decisions))
    assert macro_f1(decisions, labels) == pytest.approx(metrics.f1_score(labels, decisions, average="macro"))
    empty = np.zeros((3, 2), np.uint8)
    assert np.isnan(macro_f1(np.zeros((3, 2), bool), empty))
    assert exact_match(np.zeros((3, 2), bool), empty) == 1.0
    assert np.isnan(exact_match(np.zeros((0, 2), bool), empty[:0]))


def test_decisions_equal_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(4)
    labels, p = (rng.random(200) < 0.3).astype(np.uint8), rng.random(200)
    found, said = decide(p, labels, 0.6), p >= 0.6
    plus, minus = metrics.class_likelihood_ratios(labels, said)
    for ours, theirs in (
        (found.sensitivity, metrics.recall_score(labels, said)),
        (found.specificity, metrics.recall_score(labels, said, pos_label=0)),
        (found.ppv, metrics.precision_score(labels, said)),
        (found.npv, metrics.precision_score(labels, said, pos_label=0)),
        (found.f1, metrics.f1_score(labels, said)),
        (found.accuracy, metrics.accuracy_score(labels, said)),
        (found.balanced_accuracy, metrics.balanced_accuracy_score(labels, said)),
        (found.lr_positive, plus),
        (found.lr_negative, minus),
    ):
        assert ours == pytest.approx(theirs)


def test_rates_without_denominator_are_not_estimable() -> None:
    nothing = Decisions(0, 0, 0, 0)
    names = ("sensitivity", "specificity", "ppv", "npv", "f1", "accuracy", "balanced_accuracy", "lr_positive")
    assert all(np.isnan(getattr(nothing, name)) for name in (*names, "lr_negative"))
    no_positives = Decisions(0, 2, 5, 0)
    assert np.isnan([no_positives.sensitivity, no_positives.balanced_accuracy, no_positives.lr_positive]).all()
    assert no_positives.npv == 1
    assert Decisions(3, 0, 5, 1).lr_positive == float("inf")
    assert Decisions(0, 5, 0, 1).lr_negative == float("inf")
    assert np.isnan(Decisions(0, 0, 5, 1).lr_positive)


def test_probability_scores_equal_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(5)
    labels, p = (rng.random(100) < 0.3).astype(np.uint8), rng.uniform(0.01, 0.99, 100)
    assert squared_errors(p, labels).mean() == pytest.approx(metrics.brier_score_loss(labels, p))
    assert log_losses(p, labels).mean() == pytest.approx(metrics.log_loss(labels, p))
    assert log_losses(np.array([0.0]), np.array([1], np.uint8))[0] == pytest.approx(-np.log(1e-5))


def test_weighted_log_loss_is_scikit_learns_with_weights() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(6)
    labels, p = rng.integers(0, 2, (40, 6)).astype(np.uint8), rng.uniform(0.01, 0.99, (40, 6))
    weights = np.tile([1, 1, 1, 1, 1, 2], 40)
    expected = metrics.log_loss(labels.ravel(), p.ravel(), sample_weight=weights)
    assert weighted_log_loss(p, labels) == pytest.approx(expected)
    assert weighted_log_losses(p, labels).shape == (40,)
    assert np.isnan(weighted_log_loss(p[:0], labels[:0]))


def test_shares_without_denominator_are_nan() -> None:
    assert shares(np.array([1.0, 2.0]), np.array([4.0, 0.0])) == pytest.approx([0.25, np.nan], nan_ok=True)
    assert float(shares(np.float64(1), np.float64(2))) == 0.5
