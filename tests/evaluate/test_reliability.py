"""Calibration errors by hand and against scikit-learn's bins; recalibration against scikit-learn and by coverage."""

import numpy as np
import pytest

from ichscan.evaluate.calibration import calibrated, logit
from ichscan.evaluate.reliability import expected_calibration_error, recalibration, reliability


def test_error_by_hand() -> None:
    p = np.array([0.05, 0.15, 0.15, 0.95])
    y = np.array([0, 0, 1, 1], np.uint8)
    expected = (1 * 0.05 + 2 * abs(0.15 - 0.5) + 1 * 0.05) / 4
    assert expected_calibration_error(p, y, adaptive=False) == pytest.approx(expected)
    assert expected_calibration_error(p, y, 2, adaptive=True) == pytest.approx((2 * 0.1 + 2 * 0.45) / 4)


def test_bins_equal_scikit_learn() -> None:
    calibration = pytest.importorskip("sklearn.calibration", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(0)
    p = rng.random(500)
    y = (rng.random(500) < p).astype(np.uint8)
    for adaptive, strategy in ((False, "uniform"), (True, "quantile")):
        frequency, mean = calibration.calibration_curve(y, p, n_bins=10, strategy=strategy)
        bins = reliability(p, y, adaptive=adaptive)
        assert bins.frequency == pytest.approx(frequency)
        assert bins.mean == pytest.approx(mean)
        assert bins.count.sum() == 500


def test_probability_one_is_in_the_last_bin_and_no_rows_have_no_error() -> None:
    bins = reliability(np.array([0.0, 1.0]), np.array([0, 1], np.uint8), adaptive=False)
    assert bins.count.tolist() == [1, 1]
    assert bins.expected_error == 0
    assert np.isnan(expected_calibration_error(np.empty(0), np.empty(0, np.uint8)))


def test_slope_and_intercepts_equal_scikit_learn() -> None:
    linear = pytest.importorskip("sklearn.linear_model", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(1)
    p = calibrated(rng.normal(0, 2, 400), 1.0, 0.0)
    y = (rng.random(400) < calibrated(logit(p), 0.6, 0.4)).astype(np.uint8)
    found = recalibration(p, y, np.arange(400))
    model = linear.LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(logit(p)[:, None], y)
    assert found.slope[0] == pytest.approx(model.coef_[0, 0], abs=1e-4)
    assert found.intercept[0] == pytest.approx(model.intercept_[0], abs=1e-4)
    # with the slope held at 1 the expected number of positives is the observed one
    assert calibrated(logit(p), 1.0, found.in_the_large[0]).sum() == pytest.approx(y.sum())


def test_interval_of_independent_rows_is_that_of_the_information_matrix() -> None:
    """For a model that holds, the sandwich and the inverse Fisher information agree in large samples."""
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1.5, 20_000)
    y = (rng.random(20_000) < calibrated(x, 1.0, 0.0)).astype(np.uint8)
    found = recalibration(calibrated(x, 1.0, 0.0), y, np.arange(20_000))
    design = np.stack([x, np.ones_like(x)], axis=1)
    fitted = calibrated(x, found.slope[0], found.intercept[0])
    information = (design * (fitted * (1 - fitted))[:, None]).T @ design
    errors = 1.959964 * np.sqrt(np.diag(np.linalg.inv(information)))
    assert (found.slope[2] - found.slope[1]) / 2 == pytest.approx(errors[0], rel=0.05)
    assert (found.intercept[2] - found.intercept[1]) / 2 == pytest.approx(errors[1], rel=0.05)


def test_slope_is_covered_for_rows_in_patients() -> None:
    """A patient's rows share their truth: as if independent, the interval is far too narrow."""
    rng = np.random.default_rng(3)
    inside = plain = level = 0
    for _ in range(200):
        x = np.repeat(rng.normal(0, 1.5, 150), 6)
        y = np.repeat(rng.random(150) < calibrated(x[::6], 0.8, 0.0), 6).astype(np.uint8)
        p = calibrated(x, 1.0, 0.0)
        found, rows = recalibration(p, y, np.repeat(np.arange(150), 6)), recalibration(p, y, np.arange(900))
        inside += found.slope[1] <= 0.8 <= found.slope[2]
        plain += rows.slope[1] <= 0.8 <= rows.slope[2]
        level += found.intercept[1] <= 0 <= found.intercept[2]
    assert 178 <= inside <= 199
    assert 178 <= level <= 199
    assert plain < 150


@pytest.mark.parametrize(
    ("p", "y"),
    [
        ([0.2, 0.3], [0, 0]),
        ([], []),
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]),  # separated: no finite slope
    ],
)
def test_not_estimable(p: list[float], y: list[int]) -> None:
    found = recalibration(np.array(p), np.array(y, np.uint8), np.arange(len(y)))
    assert np.isnan(found.slope).all()
    assert np.isnan(found.intercept).all()


def test_constant_probabilities_have_no_slope_but_an_intercept() -> None:
    found = recalibration(np.full(8, 0.5), np.array([0, 0, 0, 0, 0, 0, 1, 1], np.uint8), np.arange(8))
    assert np.isnan(found.slope).all()
    assert found.in_the_large[0] == pytest.approx(np.log(0.25 / 0.75))
