"""Intervals in closed form: published examples, identities, and simulated coverage."""

import numpy as np
import pytest

from ichscan.evaluate.intervals import (
    clustered_f1,
    clustered_wilson,
    counts_by_patient,
    decisions_of,
    likelihood_ratios,
    mean_of_two,
    predictive_values,
    wilson,
)
from ichscan.evaluate.metrics import Decisions

pytest.importorskip("scipy", reason="scipy comes with the extra `train`")


def _counts(tp: int, fp: int, tn: int, fn: int) -> np.ndarray:
    """One row per patient."""
    rows = [(1, 0, 0, 0)] * tp + [(0, 1, 0, 0)] * fp + [(0, 0, 1, 0)] * tn + [(0, 0, 0, 1)] * fn
    return np.array(rows, np.float64).reshape(-1, 4)


def test_wilson_published_example() -> None:
    """Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_wilson_equals_scipy() -> None:
    from scipy.stats import binomtest

    for successes, trials in ((1, 7), (7, 7), (40, 90), (0, 3)):
        expected = binomtest(successes, trials).proportion_ci(method="wilson")
        assert wilson(successes, trials) == pytest.approx((expected.low, expected.high), abs=1e-6)


def test_one_row_per_patient_is_wilson() -> None:
    trials = np.array([1.0, 1, 0, 1, 1, 1])
    assert clustered_wilson(np.array([1.0, 0, 0, 1, 1, 1]), trials) == wilson(4, 5)
    assert clustered_wilson(np.empty(0), np.empty(0)) == (0.0, 1.0)
    assert clustered_wilson(np.zeros(3), np.zeros(3)) == (0.0, 1.0)


def test_copies_of_a_row_add_no_certainty() -> None:
    """Ten equal rows in each of 40 patients: as many rows count as there are patients."""
    once = np.repeat([1.0, 0.0], [12, 28])
    low, high = clustered_wilson(10 * once, np.full(40, 10.0))
    single = wilson(12, 40)
    assert high - low == pytest.approx(single[1] - single[0], rel=0.06)  # Student's quantile, and 39 for 40
    assert high - low > single[1] - single[0]
    assert clustered_wilson(np.full(40, 10.0), np.full(40, 10.0))[0] == pytest.approx(wilson(40, 40)[0], abs=0.01)


def test_one_patient_tells_nearly_nothing() -> None:
    low, high = clustered_wilson(np.array([50.0]), np.array([60.0]))
    assert (low, high) == pytest.approx((0.0, 1.0), abs=0.03)


def _proportions(rng: np.random.Generator, patients: int, alike: float) -> tuple[np.ndarray, np.ndarray]:
    trials = rng.integers(1, 20, patients).astype(np.float64)
    own = rng.beta(0.8 * alike, 0.2 * alike, patients)
    return rng.binomial(trials.astype(int), own).astype(np.float64), trials


@pytest.mark.parametrize(("patients", "alike"), [(12, 3.0), (40, 3.0), (60, 30.0)])
def test_rate_of_rows_in_patients_is_covered_where_wilson_is_too_narrow(patients: int, alike: float) -> None:
    rng = np.random.default_rng(0)
    inside = plain = 0
    for _ in range(400):
        s, t = _proportions(rng, patients, alike)
        low, high = clustered_wilson(s, t)
        inside += low <= 0.8 <= high
        narrow = wilson(int(s.sum()), int(t.sum()))
        plain += narrow[0] <= 0.8 <= narrow[1]
    assert inside >= 364  # 91 of 100 at least
    assert plain < inside
    if alike < 10:
        assert plain < 320


def test_counts_by_patient_add_up() -> None:
    rng = np.random.default_rng(1)
    positive, labels, patients = rng.random(90) < 0.5, (rng.random(90) < 0.4).astype(np.uint8), rng.integers(0, 9, 90)
    counts = counts_by_patient(positive, labels, patients)
    assert counts.shape == (9, 4)
    assert counts[3, 0] == (positive & (labels == 1) & (patients == 3)).sum()
    truth = labels == 1
    expected = Decisions(
        int((positive & truth).sum()), int((positive & ~truth).sum()), int((~positive & ~truth).sum()),
        int((~positive & truth).sum()),
    )  # fmt: skip
    assert decisions_of(counts) == expected
    assert counts_by_patient(positive[:0], labels[:0], patients[:0]).shape == (0, 4)


def test_likelihood_ratios_published_examples() -> None:
    """Simel, Rennie & Bossuyt 2008 (doi 10.1007/s11606-008-0660-1), table 5: two examiners of one finding."""
    (plus, minus), (plus2, minus2) = (
        likelihood_ratios(_counts(20, 15, 55, 10)),
        likelihood_ratios(_counts(15, 5, 52, 8)),
    )
    assert plus == pytest.approx((3.1, 1.9, 5.2), abs=0.05)
    assert minus == pytest.approx((0.42, 0.25, 0.71), abs=0.005)
    assert plus2 == pytest.approx((7.4, 3.0, 18), abs=0.5)
    assert minus2 == pytest.approx((0.38, 0.22, 0.67), abs=0.005)


def test_likelihood_ratios_of_independent_rows_have_simels_variance() -> None:
    """var(log LR+) = 1/tp - 1/positives + 1/fp - 1/negatives."""
    (plus, low, high), _ = likelihood_ratios(_counts(20, 15, 55, 10))
    spread = 1.959964 * np.sqrt(1 / 20 - 1 / 30 + 1 / 15 - 1 / 70)
    assert (low, high) == pytest.approx((plus * np.exp(-spread), plus * np.exp(spread)))


def test_likelihood_ratios_with_an_empty_cell_keep_their_value_within() -> None:
    for cells in ((4, 5, 57, 0), (30, 0, 36, 5), (0, 3, 30, 5), (5, 30, 0, 2), (4, 0, 20, 0)):
        found = Decisions(*cells)
        for (value, low, high), expected in zip(
            likelihood_ratios(_counts(*cells)), (found.lr_positive, found.lr_negative), strict=True
        ):
            assert value == expected
            assert 0 <= low <= value <= high
            assert low < high
    few_patients = np.array([[21.0, 0, 71, 0], [0, 2, 52, 0]]), np.array([[55.0, 0, 38, 0], [12, 0, 69, 1]])
    for counts in few_patients:  # an empty cell, and many rows of each patient
        for value, low, high in likelihood_ratios(counts):
            assert low <= value <= high
    assert np.isnan(np.array(likelihood_ratios(_counts(0, 3, 4, 0)))).all()
    assert np.isnan(np.array(likelihood_ratios(np.empty((0, 4))))).all()


def test_likelihood_ratio_is_covered_for_rows_in_patients() -> None:
    """Sensitivity .8, specificity .9 on average, both differing between patients; LR+ = 8."""
    rng = np.random.default_rng(2)
    inside = plain = 0
    for _ in range(300):
        positives, negatives = rng.integers(0, 12, 60), rng.integers(4, 20, 60)
        tp = rng.binomial(positives, rng.beta(2.4, 0.6, 60))
        tn = rng.binomial(negatives, rng.beta(4.5, 0.5, 60))
        counts = np.stack([tp, negatives - tn, tn, positives - tp], axis=1).astype(np.float64)
        _, low, high = likelihood_ratios(counts)[0]
        inside += low <= 8 <= high
        cells = counts.sum(axis=0)
        spread = 1.959964 * np.sqrt(1 / cells[0] - 1 / positives.sum() + 1 / cells[1] - 1 / negatives.sum())
        value = cells[0] / positives.sum() / (cells[1] / negatives.sum())
        plain += value * np.exp(-spread) <= 8 <= value * np.exp(spread)
    assert 270 <= inside <= 297
    assert plain < 240


def test_predictive_values_are_bayes_and_those_of_the_data_at_its_own_prevalence() -> None:
    found = Decisions(45, 10, 90, 5)
    ppv, npv = predictive_values(found.lr_positive, found.lr_negative, 50 / 150)
    assert (ppv, npv) == pytest.approx((found.ppv, found.npv))
    ppv, npv = predictive_values(found.lr_positive, found.lr_negative, 0.02)
    assert ppv == pytest.approx(0.9 * 0.02 / (0.9 * 0.02 + 0.1 * 0.98))
    assert npv == pytest.approx(0.9 * 0.98 / (0.9 * 0.98 + 0.1 * 0.02))
    assert predictive_values(float("inf"), 0.0, 0.1) == (1.0, 1.0)
    assert predictive_values(1.0, float("inf"), 0.1)[1] == 0.0


def test_f1_is_covered_for_rows_in_patients() -> None:
    """F1 of the population by its expected counts: 2 tp / (2 tp + fp + fn)."""
    rng = np.random.default_rng(3)
    inside = 0
    tp, fp, fn = 5.5 * 0.8, 11.5 * 0.1, 5.5 * 0.2
    truth = 2 * tp / (2 * tp + fp + fn)
    for _ in range(300):
        positives, negatives = rng.integers(0, 12, 50), rng.integers(4, 20, 50)
        found = rng.binomial(positives, rng.beta(2.4, 0.6, 50))
        alarms = rng.binomial(negatives, rng.beta(0.5, 4.5, 50))
        counts = np.stack([found, alarms, negatives - alarms, positives - found], axis=1).astype(np.float64)
        low, high = clustered_f1(counts)
        assert low <= decisions_of(counts).f1 <= high
        inside += low <= truth <= high
    assert inside >= 273


def test_mean_of_two_is_covered_and_does_not_vanish_at_one() -> None:
    rng = np.random.default_rng(4)
    inside = 0
    for _ in range(400):
        a, b = int(rng.binomial(30, 0.95)), int(rng.binomial(60, 0.8))
        low, high = mean_of_two((a / 30, *wilson(a, 30)), (b / 60, *wilson(b, 60)))
        inside += low <= 0.875 <= high
    assert inside >= 372
    low, high = mean_of_two((1.0, *wilson(5, 5)), (1.0, *wilson(9, 9)))
    assert low < 0.85
    assert high == 1
