"""Draws of patients as weights."""

import numpy as np
import pytest

from ichscan.evaluate.resampling import Resamples, bootstrap_mean, percentiles


def test_a_draw_takes_as_many_patients_as_there_are() -> None:
    resamples = Resamples.of(np.array(["b", "a", "b", "c"]), 50, 1)
    assert resamples.patients.tolist() == ["a", "b", "c"]
    assert resamples.weights.shape == (3, 50)
    assert (resamples.weights.sum(axis=0) == 3).all()
    assert len(np.unique(resamples.weights, axis=1).T) > 3


def test_the_same_seed_gives_the_same_draws_and_another_others() -> None:
    patients = np.arange(20)
    one, same, other = (Resamples.of(patients, 10, seed).weights for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_sums_are_those_of_copied_rows() -> None:
    rng = np.random.default_rng(0)
    patients = rng.integers(0, 6, 40)
    values = rng.normal(size=(40, 2))
    resamples = Resamples.of(patients, 8, 3)
    sums = resamples.sums(values, patients)
    for draw in range(8):
        copies = resamples.weights[resamples.index(patients), draw].astype(int)
        assert sums[draw] == pytest.approx(np.repeat(values, copies, axis=0).sum(axis=0))
    assert resamples.sums(values[:, 0], patients) == pytest.approx(sums[:, 0])


def test_patients_that_are_never_drawn_are_refused() -> None:
    resamples = Resamples.of(np.array([1, 3]), 4, 0)
    for unknown in (0, 2, 9):
        with pytest.raises(ValueError, match="expected rows of patients that are drawn"):
            resamples.index(np.array([1, unknown]))
    with pytest.raises(ValueError, match="expected rows of patients that are drawn"):
        Resamples.of(np.empty(0, np.int64), 4, 0).index(np.array([1]))


def test_draws_without_value_are_left_out() -> None:
    assert percentiles(np.array([np.nan, 1.0, 1.0])) == (1.0, 1.0)
    assert np.isnan(percentiles(np.array([np.nan]))).all()
    assert np.isnan(percentiles(np.empty(0))).all()


def test_bootstrap_of_a_mean_covers_it_when_rows_of_a_patient_are_alike() -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(100):
        values = np.repeat(rng.normal(3, 1, 50), 8) + rng.normal(0, 0.5, 400)
        low, high = bootstrap_mean(values, np.repeat(np.arange(50), 8), 200, trial)
        inside += low <= 3 <= high
    assert 86 <= inside <= 99
