"""Variance and tests of areas against scipy, the definition, and simulated coverage."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.evaluate.statistics_data import clustered

from ichscan.evaluate.delong import area, paired
from ichscan.evaluate.metrics import auc

stats = pytest.importorskip("scipy.stats", reason="scipy comes with the extra `train`")
TRUTH = float(stats.norm.cdf(1.5 / np.sqrt(2)))


def _by_definition(scores: NDArray[np.float64], labels: NDArray[np.uint8]) -> tuple[NDArray, NDArray]:
    """DeLong's components from all pairs: psi = 1, 1/2 or 0."""
    above = scores[labels == 1][:, None] - scores[labels == 0][None]
    psi = (above > 0) + 0.5 * (above == 0)
    return psi.mean(axis=1), psi.mean(axis=0)


def test_variance_is_the_one_scipy_takes_for_the_brunner_munzel_test() -> None:
    """Its statistic is (area - 1/2) / sqrt(DeLong's variance)."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        labels = (np.arange(50) < 18).astype(np.uint8)
        scores = rng.integers(0, 12, 50) + 2.0 * labels
        found = area(scores, labels)
        statistic = stats.brunnermunzel(scores[labels == 0], scores[labels == 1]).statistic
        assert abs(found.auc - 0.5) / np.sqrt(found.variance) == pytest.approx(abs(statistic), rel=1e-9)
        assert found.auc == pytest.approx(auc(scores, labels))


def test_paired_test_equals_the_definition_with_ties() -> None:
    rng = np.random.default_rng(1)
    labels = (np.arange(60) < 25).astype(np.uint8)
    one, other = rng.integers(0, 9, 60) + 2.0 * labels, rng.integers(0, 9, 60) + 1.0 * labels
    (a10, a01), (b10, b01) = _by_definition(one, labels), _by_definition(other, labels)
    variance = np.var(a10 - b10, ddof=1) / 25 + np.var(a01 - b01, ddof=1) / 35
    found = paired(one, other, labels)
    z = (a10.mean() - b10.mean()) / np.sqrt(variance)
    assert found.difference == pytest.approx(a10.mean() - b10.mean())
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert (found.high - found.low) / 2 == pytest.approx(1.959964 * np.sqrt(variance))


def test_clustered_variance_equals_obuchowskis_formula() -> None:
    """Obuchowski 1997, written out patient by patient."""
    rng = np.random.default_rng(2)
    scores, labels, patients = clustered(rng, 30, 6)
    v10, v01 = _by_definition(scores, labels)
    theta, m, n = v10.mean(), int(labels.sum()), int((labels == 0).sum())
    s10 = s01 = s11 = 0.0
    sick = {int(p) for p in patients[labels == 1]}
    well = {int(p) for p in patients[labels == 0]}
    for patient in range(30):
        x = v10[patients[labels == 1] == patient]
        y = v01[patients[labels == 0] == patient]
        gap10, gap01 = x.sum() - len(x) * theta, y.sum() - len(y) * theta
        s10, s01, s11 = s10 + gap10**2, s01 + gap01**2, s11 + gap10 * gap01
    s10 *= len(sick) / ((len(sick) - 1) * m)
    s01 *= len(well) / ((len(well) - 1) * n)
    s11 *= 30 / 29
    assert area(scores, labels, patients).variance == pytest.approx(s10 / m + s01 / n + 2 * s11 / (m * n))


def test_patients_with_one_row_each_give_delong() -> None:
    rng = np.random.default_rng(3)
    scores, labels, _ = clustered(rng, 60, 1)
    one, other = area(scores, labels), area(scores, labels, rng.permutation(60))
    assert one.method == other.method == "DeLong 1988"
    assert (one.low, one.high, one.variance) == pytest.approx((other.low, other.high, other.variance))


def test_newcombe_where_the_variance_says_nothing() -> None:
    """The bound solves |theta - auc| = z * sqrt(variance of Hanley & McNeil 1982 at theta)."""
    labels = np.array([0] * 12 + [1] * 12, np.uint8)
    found = area(labels.astype(float), labels)
    assert (found.auc, found.high, found.method) == (1.0, 1.0, "Newcombe 2006")
    t = found.low
    q1, q2 = t / (2 - t), 2 * t * t / (1 + t)
    variance = (t * (1 - t) + 11 * (q1 - t * t) + 11 * (q2 - t * t)) / 144
    assert 1 - t == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-6)
    turned = area(1.0 - labels, labels)
    assert (turned.low, turned.high) == pytest.approx((0.0, 1 - found.low))


def test_one_class_is_not_estimable_and_one_patient_of_a_class_still_has_an_interval() -> None:
    for labels in (np.zeros(4, np.uint8), np.ones(4, np.uint8), np.empty(0, np.uint8)):
        scores = np.linspace(0, 1, len(labels))
        assert np.isnan(
            [area(scores, labels).auc, area(scores, labels).low, paired(scores, scores, labels).p_value]
        ).all()
    found = area(np.array([0.2, 0.3, 0.9]), np.array([0, 0, 1], np.uint8), np.array([1, 2, 3]))
    assert found.auc == 1
    assert 0 <= found.low < 0.6
    assert np.isnan(found.variance)


def test_equal_models_do_not_differ() -> None:
    scores, labels, patients = clustered(np.random.default_rng(4), 30, 4)
    found = paired(scores, 2 * scores + 1, labels, patients)
    assert (found.difference, found.p_value) == (0, 1)


def test_areas_of_0_and_1_do_not_differ_for_certain() -> None:
    scores, labels = np.array([0.9, 0.8, 0.1, 0.2]), np.array([1, 1, 0, 0], np.uint8)
    found = paired(scores, 1 - scores, labels)
    assert found.difference == 1
    assert np.isnan([found.low, found.high, found.p_value]).all()


def test_interval_stays_within_bounds_and_holds_the_area() -> None:
    rng = np.random.default_rng(5)
    for shift in (-3.0, 0.0, 2.0, 4.0):
        for _ in range(10):
            scores, labels, patients = clustered(rng, 24, 3, shift)
            if 0 < labels.sum() < len(labels):
                found = area(scores, labels, patients)
                assert 0 <= found.low <= found.auc <= found.high <= 1


def test_delong_covers_independent_rows() -> None:
    rng = np.random.default_rng(6)
    inside = 0
    for _ in range(300):
        labels = (np.arange(80) < 30).astype(np.uint8)
        found = area(rng.normal(1.5 * labels), labels)
        inside += found.low <= TRUTH <= found.high
    assert 274 <= inside <= 297  # 95 % of 300, three standard errors and a little


def test_obuchowski_covers_rows_in_patients_where_delong_does_not() -> None:
    rng = np.random.default_rng(7)
    clusters = rows = 0
    for _ in range(300):
        scores, labels, patients = clustered(rng, 60, 10)
        by_patient, by_row = area(scores, labels, patients), area(scores, labels)
        clusters += by_patient.low <= TRUTH <= by_patient.high
        rows += by_row.low <= TRUTH <= by_row.high
    assert 272 <= clusters <= 298
    assert rows < 255


@pytest.mark.parametrize("positives", [3, 6])
def test_newcombe_covers_where_few_patients_are_positive(positives: int) -> None:
    rng = np.random.default_rng(8)
    inside = 0
    for _ in range(300):
        labels = (np.arange(50) < positives).astype(np.uint8)
        found = area(rng.normal(1.5 * labels), labels)
        assert found.method == "Newcombe 2006"
        inside += found.low <= TRUTH <= found.high
    assert inside >= 278


def test_paired_test_keeps_its_level_for_rows_in_patients() -> None:
    """Two equally good models: p < .05 in about 5 of 100; as if rows were independent, far more often."""
    rng = np.random.default_rng(9)
    clusters = rows = 0
    for _ in range(300):
        one, labels, patients = clustered(rng, 60, 8)
        two = np.sqrt(0.5) * rng.normal(size=60)[patients] + np.sqrt(0.5) * rng.normal(size=480) + 1.5 * labels
        clusters += paired(one, two, labels, patients).p_value < 0.05
        rows += paired(one, two, labels).p_value < 0.05
    assert 4 <= clusters <= 28
    assert rows > 45
