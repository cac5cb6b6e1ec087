"""Coverage of conformal answers: the promise on simulated patients, and small cases by hand."""

import numpy as np
import pytest

from ichscan.evaluate.conformal import Band, answers, coverage, cross_answers, fit_band


def test_band_by_hand() -> None:
    """9 rows of a class and alpha .2: the 8th smallest score."""
    p = np.concatenate([np.arange(1, 10) / 100, 1 - np.arange(1, 10) / 100])
    y = np.repeat([0, 1], 9).astype(np.uint8)
    band = fit_band(p, y, 0.2)
    assert (band.low, band.high) == pytest.approx((0.92, 0.08))


def test_a_class_with_too_few_rows_is_never_ruled_out() -> None:
    p, y = np.array([0.2, 0.3, 0.9]), np.array([0, 0, 1], np.uint8)
    assert fit_band(p, y, 0.1) == Band(0.0, 1.0)
    positive, negative = answers(np.array([0.0, 0.5, 1.0]), fit_band(p, y, 0.1))
    assert positive.all()
    assert negative.all()


def test_answers_and_counts() -> None:
    positive, negative = answers(np.array([0.1, 0.5, 0.9]), Band(0.4, 0.6))
    assert (positive.tolist(), negative.tolist()) == ([False, True, True], [True, True, False])
    found = coverage(positive, negative, np.array([1, 0, 1], np.uint8))
    assert (found.positives, found.negatives, found.covered_positives, found.covered_negatives) == (2, 1, 1, 1)
    assert (found.sure_positive, found.sure_negative, found.wrong_positive, found.wrong_negative) == (1, 1, 0, 1)
    assert (found.both, found.neither, found.abstained) == (1, 0, 1)
    neither = coverage(*answers(np.array([0.5]), Band(0.6, 0.4)), np.array([1], np.uint8))
    assert (neither.neither, neither.abstained, neither.covered_positives) == (1, 1, 0)


@pytest.mark.parametrize("alpha", [0.1, 0.2])
def test_each_class_keeps_the_stated_coverage(alpha: float) -> None:
    """On new rows, over many calibration sets: at least 1 - alpha, and little more (1 / (n + 1))."""
    rng = np.random.default_rng(0)
    covered = np.zeros(2)
    for _ in range(400):
        y = np.repeat([0, 1], [60, 25]).astype(np.uint8)
        p = 1 / (1 + np.exp(-rng.normal(2.0 * y - 1)))
        truth = np.repeat([0, 1], 50)
        positive, negative = answers(1 / (1 + np.exp(-rng.normal(2.0 * truth - 1))), fit_band(p, y, alpha))
        covered += [negative[:50].mean(), positive[50:].mean()]
    for share, rows in zip(covered / 400, (60, 25), strict=True):
        assert 1 - alpha - 0.012 <= share <= 1 - alpha + 1 / (rows + 1) + 0.012


def test_cross_answers_do_not_see_their_own_group() -> None:
    rng = np.random.default_rng(1)
    y, groups = (rng.random(90) < 0.4).astype(np.uint8), np.arange(90) % 3
    p = rng.random(90)
    positive, negative = cross_answers(p, y, groups, 0.2)
    rest = groups != 1
    expected = answers(p[~rest], fit_band(p[rest], y[rest], 0.2))
    assert (positive[~rest] == expected[0]).all()
    assert (negative[~rest] == expected[1]).all()
