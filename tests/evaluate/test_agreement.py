"""Kappa against scikit-learn, published examples, and simulated coverage."""

import numpy as np
import pytest

from ichscan.evaluate.agreement import cohen_kappa, fleiss_kappa

pytest.importorskip("scipy", reason="scipy comes with the extra `train`")

FLEISS_1971 = [
    (0, 0, 0, 6, 0), (0, 3, 0, 0, 3), (0, 1, 4, 0, 1), (0, 0, 0, 0, 6), (0, 3, 0, 3, 0), (2, 0, 4, 0, 0),
    (0, 0, 4, 0, 2), (2, 0, 3, 1, 0), (2, 0, 0, 4, 0), (0, 0, 0, 0, 6), (1, 0, 0, 5, 0), (1, 1, 0, 4, 0),
    (0, 3, 3, 0, 0), (1, 0, 0, 5, 0), (0, 2, 0, 3, 1), (0, 0, 5, 0, 1), (3, 0, 0, 1, 2), (5, 1, 0, 0, 0),
    (0, 2, 0, 4, 0), (1, 0, 2, 0, 3), (0, 0, 0, 0, 6), (0, 1, 0, 5, 0), (0, 2, 0, 1, 3), (2, 0, 0, 4, 0),
    (1, 0, 0, 4, 1), (0, 5, 0, 1, 0), (4, 0, 0, 0, 2), (0, 2, 0, 4, 0), (1, 0, 5, 0, 0), (0, 0, 0, 0, 6),
]  # fmt: skip
"""Fleiss 1971, table 1: 30 patients, 6 psychiatrists, 5 diagnoses."""


def _reads(table: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    cells = [(a, b) for a, row in enumerate(table) for b, count in enumerate(row) for _ in range(count)]
    return np.array([a for a, _ in cells]), np.array([b for _, b in cells])


def test_cohen_published_example() -> None:
    """R package statpsych, ci.kappa (Fleiss & Paik 2003): 31, 12, 4, 58 gives .6757, .5317 to .8196."""
    found = cohen_kappa(*_reads([[31, 12], [4, 58]]))
    assert found.kappa == pytest.approx(0.6756757, abs=1e-6)
    assert (found.low, found.high) == pytest.approx((0.5317210, 0.8196303), abs=0.01)
    assert found.percent == pytest.approx(89 / 105)
    assert (found.rows, found.patients) == (105, 105)


def test_cohen_equals_scikit_learn() -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")
    rng = np.random.default_rng(0)
    for names in (np.array(["no", "yes"]), np.array(["none", "epidural", "subdural"])):
        first = rng.choice(names, 80)
        second = np.where(rng.random(80) < 0.6, first, rng.choice(names, 80))
        assert cohen_kappa(first, second).kappa == pytest.approx(metrics.cohen_kappa_score(first, second))


def test_fleiss_published_example() -> None:
    """Fleiss 1971: kappa .430; the shares of agreement .5556 and of chance .2201."""
    found = fleiss_kappa(np.array(FLEISS_1971))
    assert found.kappa == pytest.approx(0.430, abs=5e-4)
    assert found.percent == pytest.approx(0.5556, abs=5e-5)
    assert found.low < found.kappa < found.high


def test_two_readers_by_fleiss_are_scotts_pi() -> None:
    """Scott 1955: chance from the mean of both readers' shares."""
    first, second = _reads([[20, 5], [10, 15]])
    counts = np.stack([(first == c).astype(int) + (second == c) for c in (0, 1)], axis=1)
    chance = ((20 + 5 + 20 + 10) / 100) ** 2 + ((10 + 15 + 5 + 15) / 100) ** 2
    assert fleiss_kappa(counts).kappa == pytest.approx((0.7 - chance) / (1 - chance))


def test_full_agreement_and_none_to_correct() -> None:
    same = np.array([0, 1, 1, 0])
    found = cohen_kappa(same, same)
    assert (found.kappa, found.percent) == (1, 1)
    always = cohen_kappa(np.ones(4), np.ones(4))
    assert np.isnan(always.kappa)
    assert always.percent == 1
    assert cohen_kappa(np.array([0, 1]), np.array([1, 0])).kappa == pytest.approx(-1)


def test_no_rows_and_one_patient() -> None:
    assert np.isnan(cohen_kappa(np.empty(0), np.empty(0)).kappa)
    assert np.isnan(fleiss_kappa(np.empty((0, 3), int)).kappa)
    one = cohen_kappa(np.array([0, 1, 1]), np.array([0, 1, 0]), np.zeros(3, int))
    assert one.kappa == pytest.approx(0.4)
    assert np.isnan([one.low, one.high]).all()


def test_uneven_numbers_of_readers_are_refused() -> None:
    for counts in ([[2, 1], [2, 2]], [[1, 0], [0, 1]]):
        with pytest.raises(ValueError, match="expected the same number of readers, 2 or more"):
            fleiss_kappa(np.array(counts))


def test_kappa_is_covered_for_rows_in_patients_and_rows_alone_are_too_narrow() -> None:
    """Readers agree on all or none of a patient's rows; kappa of the population is .6."""
    rng = np.random.default_rng(1)
    cohen = rows = fleiss = 0
    for _ in range(200):
        truth = rng.random(80) < 0.5
        copied = rng.random(80) < 0.6
        first = np.repeat(truth, 5)
        second = np.repeat(np.where(copied, truth, rng.random(80) < 0.5), 5)
        patients = np.repeat(np.arange(80), 5)
        found, alone = cohen_kappa(first, second, patients), cohen_kappa(first, second)
        cohen += found.low <= 0.6 <= found.high
        rows += alone.low <= 0.6 <= alone.high
        counts = np.stack([2 - first.astype(int) - second, first.astype(int) + second], axis=1)
        several = fleiss_kappa(counts, patients)
        fleiss += several.low <= 0.6 <= several.high
    assert 180 <= cohen <= 199
    assert 180 <= fleiss <= 199
    assert rows < 150
