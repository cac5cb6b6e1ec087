"""Measures against scikit-learn, published examples and simulated coverage."""

import numpy as np
import pytest

from ichscan.evaluate.calibration import calibrated, fit_platt
from ichscan.evaluate.curves import bootstrap_auc
from ichscan.evaluate.intervals import wilson
from ichscan.evaluate.metrics import auc, decide, exact_match, macro_f1, weighted_log_loss
from ichscan.evaluate.reliability import expected_calibration_error
from ichscan.evaluate.thresholds import mean_f1_threshold, sensitivity_threshold, specificity_threshold


def test_auc_equals_scikit_learn_with_ties() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, labels = rng.integers(0, 8, 60) / 8, (rng.random(60) < 0.3).astype(np.uint8)
        if 0 < labels.sum() < 60:
            assert auc(scores, labels) == pytest.approx(metrics.roc_auc_score(labels, scores))


def test_auc_of_one_class_is_not_estimable() -> None:
    assert np.isnan(auc(np.array([0.1, 0.2]), np.array([0, 0], np.uint8)))


def test_wilson_published_example() -> None:
    """Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_weighted_log_loss_by_hand() -> None:
    p = np.full((1, 6), 0.5)
    assert weighted_log_loss(p, np.zeros((1, 6), np.uint8)) == pytest.approx(np.log(2))
    sure = np.zeros((1, 6))
    wrong_any = np.array([[0, 0, 0, 0, 0, 1]], np.uint8)
    assert weighted_log_loss(sure, wrong_any) == pytest.approx(2 * -np.log(1e-5) / 7, rel=1e-4)


def test_bootstrap_covers_the_true_auc() -> None:
    rng = np.random.default_rng(3)
    inside = 0
    for trial in range(40):
        labels = np.repeat(rng.integers(0, 2, 60), 3).astype(np.uint8)
        scores = rng.normal(labels.astype(float), 1.0)
        low, high = bootstrap_auc(scores, labels, np.repeat(np.arange(60), 3).astype(str), 200, trial)
        inside += low <= 0.7602 <= high  # P(N(1,1) > N(0,1)) = Phi(1/sqrt 2)
    assert inside >= 33


def test_platt_recovers_the_scale_and_offset() -> None:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, 40_000)
    labels = (rng.random(40_000) < calibrated(logits, 0.7, -0.5)).astype(np.uint8)
    scale, offset = fit_platt(logits, labels)
    assert scale == pytest.approx(0.7, abs=0.03)
    assert offset == pytest.approx(-0.5, abs=0.05)
    assert expected_calibration_error(calibrated(logits, scale, offset), labels) < 0.01


def test_platt_is_finite_when_separable_or_empty() -> None:
    logits = np.array([-2.0, -1, 1, 2])
    for labels in ([0, 0, 1, 1], [0, 0, 0, 0], [1, 0, 1, 0]):
        scale, offset = fit_platt(logits, np.array(labels, np.uint8))
        assert np.isfinite([scale, offset]).all()
        assert scale > 0


def test_sensitivity_threshold_keeps_what_it_promises() -> None:
    rng = np.random.default_rng(2)
    for _ in range(50):
        labels = (rng.random(80) < 0.3).astype(np.uint8)
        labels[0] = 1
        p = rng.random(80)
        for wanted in (1.0, 0.9, 0.5):
            t = sensitivity_threshold(p, labels, wanted)
            assert decide(p, labels, t).sensitivity >= wanted - 1e-9


def test_specificity_threshold_keeps_what_it_promises_and_no_lower_one_does() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        labels = (rng.random(80) < 0.3).astype(np.uint8)
        labels[0] = 0
        p = rng.random(80)
        for wanted in (1.0, 0.85, 0.5):
            t = specificity_threshold(p, labels, wanted)
            assert decide(p, labels, t).specificity >= wanted - 1e-9
            lower = p[p < t].max()
            assert decide(p, labels, lower).specificity < wanted or labels[p == lower].all()


def test_mean_f1_threshold_finds_the_gap() -> None:
    labels = np.array([0] * 50 + [1] * 10 + [0] * 50 + [1] * 10, np.uint8)
    p = np.where(labels == 1, 0.8, 0.2)
    threshold, f1 = mean_f1_threshold(p, labels, np.repeat([0, 1], 60))
    assert f1 == 1
    assert 0.4 < threshold < 0.6


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
