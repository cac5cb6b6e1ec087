"""Calibration methods against scikit-learn and scipy, and what cross-fitting must not see."""

import numpy as np
import pytest
from tests.evaluate.statistics_data import binary

from ichscan.errors import UsageError
from ichscan.evaluate.calibration import (
    METHODS,
    Affine,
    calibrated,
    cross_fit,
    fit,
    fit_isotonic,
    fit_platt,
    fit_temperature,
    logit,
)
from ichscan.evaluate.groups import GROUPS, cross_groups
from ichscan.evaluate.reliability import expected_calibration_error

pytest.importorskip("scipy", reason="scipy comes with the extra `train`")


def _drawn(scale: float, offset: float, n: int = 40_000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 2, n)
    return logits, (rng.random(n) < calibrated(logits, scale, offset)).astype(np.uint8)


def test_platt_recovers_the_scale_and_offset() -> None:
    logits, labels = _drawn(0.7, -0.5)
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


def test_temperature_recovers_the_scale_and_is_the_least_log_loss() -> None:
    logits, labels = _drawn(0.4, 0.0)
    scale = fit_temperature(logits, labels)
    assert scale == pytest.approx(0.4, abs=0.02)
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")
    best = metrics.log_loss(labels, calibrated(logits, scale, 0.0))
    for other in (0.95 * scale, 1.05 * scale):
        assert metrics.log_loss(labels, calibrated(logits, other, 0.0)) > best


def test_temperature_is_bounded_when_separable() -> None:
    assert fit_temperature(np.array([-1.0, 1.0]), np.array([0, 1], np.uint8)) == pytest.approx(20, rel=0.01)
    assert fit_temperature(np.array([-1.0, 1.0]), np.array([1, 0], np.uint8)) == pytest.approx(1 / 20, rel=0.01)


def test_isotonic_equals_scikit_learn() -> None:
    isotonic = pytest.importorskip("sklearn.isotonic", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(2)
    p = rng.integers(0, 30, 200) / 30  # ties
    labels = (rng.random(200) < p**2).astype(np.uint8)
    theirs = isotonic.IsotonicRegression(out_of_bounds="clip").fit(p, labels)
    asked = np.linspace(-0.1, 1.1, 57)
    assert fit_isotonic(p, labels)(asked) == pytest.approx(theirs.predict(asked))


@pytest.mark.parametrize("method", METHODS)
def test_a_method_keeps_the_order_and_stays_within_bounds(method: str) -> None:
    rng = np.random.default_rng(3)
    p = rng.random(300)
    labels = (rng.random(300) < p**2).astype(np.uint8)
    asked = np.linspace(0, 1, 40)
    found = fit(method, p, labels)(asked)
    assert ((found >= 0) & (found <= 1)).all()
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_cross_fitting_does_not_see_its_own_group(method: str) -> None:
    rng = np.random.default_rng(4)
    p, groups = rng.random(120), np.arange(120) % 3
    labels = (rng.random(120) < p).astype(np.uint8)
    found = cross_fit(method, p, labels, groups)
    turned = np.where(groups == 1, 1 - labels, labels).astype(np.uint8)
    other = cross_fit(method, p, turned, groups)
    assert (found[groups == 1] == other[groups == 1]).all()
    assert (found[groups != 1] != other[groups != 1]).any()
    assert found[groups == 2] == pytest.approx(fit(method, p[groups != 2], labels[groups != 2])(p[groups == 2]))


def test_unknown_method_is_refused() -> None:
    with pytest.raises(UsageError, match="expected a method of temperature, platt, isotonic, found 'beta'"):
        fit("beta", np.array([0.5]), np.array([1], np.uint8))


def test_logits_and_back() -> None:
    p = np.array([0.0, 1e-4, 0.5, 1.0])
    assert Affine(1.0, 0.0)(p) == pytest.approx(np.clip(p, 1e-5, 1 - 1e-5))
    assert np.isfinite(logit(p)).all()


def test_groups_are_the_folds_or_else_whole_patients_dealt_evenly() -> None:
    rng = np.random.default_rng(5)
    patients = np.repeat(np.arange(23) * 3, 4)
    labels = np.isin(patients, [0, 9, 18, 27, 36, 45]).astype(np.uint8)
    with_folds = binary(rng.random(92), labels, patients, folds=2)
    assert (cross_groups(with_folds) == with_folds.fold).all()
    groups = cross_groups(binary(rng.random(92), labels, patients))
    for patient in np.unique(patients):
        assert len(np.unique(groups[patients == patient])) == 1
    assert sorted(np.unique(groups)) == list(range(GROUPS))
    assert all(labels[groups == g].any() for g in range(GROUPS))
    sizes = [len(np.unique(patients[groups == g])) for g in range(GROUPS)]
    assert max(sizes) - min(sizes) <= 1
    again = cross_groups(binary(rng.random(92), labels, patients))
    assert (groups == again).all()
