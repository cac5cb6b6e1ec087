"""Comparisons: McNemar's published example, exact tests of scipy, level and power on simulated models."""

import numpy as np
import pytest
from tests.evaluate.statistics_data import binary

from ichscan.errors import DataError
from ichscan.evaluate.compare import compare, mcnemar
from ichscan.evaluate.estimate import NOT_ESTIMABLE
from ichscan.evaluate.metrics import auc
from ichscan.evaluate.resampling import Resamples

stats = pytest.importorskip("scipy.stats", reason="scipy comes with the extra `train`")


def _pairs(first_only: int, second_only: int, both: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first = np.repeat([True, False, True], [first_only, second_only, both])
    second = np.repeat([False, True, True], [first_only, second_only, both])
    return first, second, np.ones(len(first), np.uint8)


def test_mcnemar_published_example() -> None:
    """Fagerland, Lydersen & Laake 2013 (doi 10.1186/1471-2288-13-91), table 1: 1 and 7 of 21 pairs."""
    first, second, labels = _pairs(1, 7, 13)
    found = mcnemar(first, second, labels, np.arange(21))
    assert (found.first_only, found.second_only) == (1, 7)
    assert found.exact == pytest.approx(0.0703, abs=5e-5)
    assert found.mid_p == pytest.approx(0.0391, abs=5e-5)
    # each patient one row: McNemar's own statistic (b - c)^2 / (b + c), but for (patients - 1) / patients
    assert found.clustered == pytest.approx(stats.chi2.sf(20 / 21 * 36 / 8, 1))


def test_mcnemar_equals_the_binomial_test() -> None:
    for b, c in ((0, 5), (12, 3), (4, 4), (0, 0)):
        first, second, labels = _pairs(b, c, 6)
        found = mcnemar(first, second, labels, np.arange(len(labels)))
        expected = stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
        assert found.exact == pytest.approx(expected)
        assert found.mid_p <= found.exact
    assert mcnemar(*_pairs(0, 0, 6), np.arange(6)).clustered == 1


def test_clustered_mcnemar_equals_obuchowskis_formula() -> None:
    """Obuchowski 1998: (p1 - p2)^2 / (var1 + var2 - 2 cov), with variances between patients about the pooled share."""
    rng = np.random.default_rng(3)
    patients, labels = rng.integers(0, 15, 90), np.ones(90, np.uint8)
    first, second = rng.random(90) < 0.8, rng.random(90) < 0.6
    sizes, x, y = (np.bincount(patients, w, 15) for w in (np.ones(90), first, second))
    pooled = (x.sum() + y.sum()) / 2 / 90
    a, b = x - sizes * pooled, y - sizes * pooled
    variance = 15 / 14 * ((a**2).sum() + (b**2).sum() - 2 * (a * b).sum()) / 90**2
    statistic = (x.sum() - y.sum()) ** 2 / 90**2 / variance
    assert mcnemar(first, second, labels, patients).clustered == pytest.approx(stats.chi2.sf(statistic, 1))


def test_negatives_count_as_right_when_left_alone() -> None:
    first, second = np.array([False, True, True]), np.array([True, False, True])
    found = mcnemar(first, second, np.array([0, 0, 1], np.uint8), np.arange(3))
    assert (found.first_only, found.second_only) == (1, 1)


def test_clustered_mcnemar_keeps_its_level_where_mcnemar_does_not() -> None:
    """Whether a model is right is alike within a patient."""
    rng = np.random.default_rng(0)
    clusters = rows = 0
    for _ in range(300):
        patients = np.repeat(np.arange(60), 8)
        own = rng.beta(2, 1, (2, 60))[:, patients]
        first, second = rng.random((2, 480)) < own
        found = mcnemar(first, second, np.ones(480, np.uint8), patients)
        clusters += found.clustered < 0.05
        rows += found.mid_p < 0.05
    assert 5 <= clusters <= 27
    assert rows > 45


def _two(rng: np.random.Generator, patients: int, gap: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    patient = np.repeat(np.arange(patients), 6)
    y = ((patient % 2 == 0) & (rng.random(len(patient)) < 0.6)).astype(np.uint8)
    shared = rng.normal(size=patients)[patient]
    logits = [shared + rng.normal(size=len(patient)) + (2 + extra) * y - 1 for extra in (gap, 0.0)]
    return 1 / (1 + np.exp(-logits[0])), 1 / (1 + np.exp(-logits[1])), y, patient


def test_a_better_model_is_found_better_and_values_are_those_of_each() -> None:
    one, other, y, patient = _two(np.random.default_rng(1), 120, 2.0)
    resamples = Resamples.of(patient, 300, 0)
    found = compare(binary(one, y, patient), binary(other, y, patient), (0.5, 0.5), resamples)
    assert found["auc"]["one"] == pytest.approx(auc(one, y))
    assert found["auc"]["difference"] == pytest.approx(auc(one, y) - auc(other, y))
    assert found["auc"]["low"] > 0
    assert found["auc"]["delong"]["p_value"] < 1e-4
    assert found["sensitivity"]["low"] > 0
    assert found["brier"]["high"] < 0
    assert found["mcnemar"]["first_only"] > found["mcnemar"]["second_only"]
    # the bootstrap and Obuchowski's variance tell of the same uncertainty
    width = found["auc"]["high"] - found["auc"]["low"]
    assert width == pytest.approx(found["auc"]["delong"]["high"] - found["auc"]["delong"]["low"], rel=0.25)
    turned = compare(binary(other, y, patient), binary(one, y, patient), (0.5, 0.5), resamples)
    assert turned["auc"]["difference"] == -found["auc"]["difference"]
    assert turned["auc"]["high"] == pytest.approx(-found["auc"]["low"])


def test_difference_is_covered_for_rows_in_patients() -> None:
    """Models that differ in luck only: no difference lies within 95 of 100 intervals."""
    rng = np.random.default_rng(2)
    inside = dict.fromkeys(("auc", "brier", "log_loss", "sensitivity"), 0)
    for trial in range(100):
        one, other, y, patient = _two(rng, 60, 0.0)
        found = compare(
            binary(one, y, patient), binary(other, y, patient), (0.5, 0.5), Resamples.of(patient, 150, trial)
        )
        for name in inside:
            inside[name] += found[name]["low"] <= 0 <= found[name]["high"]
    assert all(86 <= count <= 100 for count in inside.values()), inside


def test_without_thresholds_no_decisions_and_with_one_class_no_ranking() -> None:
    p, y = np.array([0.1, 0.7, 0.3]), np.zeros(3, np.uint8)
    resamples = Resamples.of(np.arange(3), 20, 0)
    found = compare(binary(p, y), binary(1 - p, y), (0.5, float("nan")), resamples)
    assert found["auc"] == found["average_precision"] == NOT_ESTIMABLE
    assert "sensitivity" not in found
    found = compare(binary(p, y), binary(1 - p, y), (0.5, 0.5), resamples)
    assert found["sensitivity"] == NOT_ESTIMABLE
    assert found["specificity"]["difference"] == pytest.approx(1 / 3)


def test_other_rows_are_refused() -> None:
    p = np.array([0.1, 0.7, 0.3])
    one = binary(p, np.array([0, 1, 0]))
    resamples = Resamples.of(np.arange(3), 5, 0)
    for other in (binary(p, np.array([0, 1, 1])), binary(p[:2], np.array([0, 1]))):
        with pytest.raises(DataError, match="expected two predictions of the same rows"):
            compare(one, other, (0.5, 0.5), resamples)
