"""Epochs of the workbench: all slices, P1's levers, P3's balanced batches."""

import numpy as np
import pytest

from ichscan.errors import DataError
from ichscan.train.slice_sampling import draw, epoch_length, hemorrhage_density
from ichscan.train.workbench_tables import Sampling

N = 200
POSITION = np.tile(np.linspace(0, 1, 20), 10)
TARGETS = np.zeros((N, 2), np.uint8)
TARGETS[(POSITION > 0.45) & (POSITION < 0.75), 1] = 1
TARGETS[:3, 0] = 1
TARGETS[:3, 1] = 0


def test_an_epoch_is_every_slice_once_and_the_same_for_the_same_seed() -> None:
    one = draw(Sampling(), TARGETS, POSITION, 8, seed=1, epoch=0)
    assert sorted(one.chosen) == list(range(N))
    assert one.augment.all()
    assert np.array_equal(one.chosen, draw(Sampling(), TARGETS, POSITION, 8, 1, 0).chosen)
    assert not np.array_equal(one.chosen, draw(Sampling(), TARGETS, POSITION, 8, 1, 1).chosen)


def test_short_epochs_walk_through_all_slices_before_any_comes_again() -> None:
    config = Sampling(epoch=70)
    seen = np.concatenate([draw(config, TARGETS, POSITION, 8, 1, e).chosen for e in range(20)])
    assert epoch_length(config, TARGETS) == 70
    for start in range(0, 1400, N):
        assert len(set(seen[start : start + N])) == N


def test_density_is_the_share_of_bleeds_by_tenth_of_the_scan() -> None:
    density = hemorrhage_density(TARGETS[:, 1] == 1, POSITION)
    inside = density[(POSITION > 0.5) & (POSITION < 0.7)]
    assert inside.min() > 2
    assert np.allclose(density[POSITION < 0.3], 0.05)
    assert np.array_equal(hemorrhage_density(np.zeros(3, bool), np.zeros(3)), np.ones(3))


def test_levers_count_and_favour_where_bleeds_are() -> None:
    positives = int(TARGETS.max(axis=1).sum())
    config = Sampling(kind="levers", undersample=0.25, bootstrap=0.5, augmented=3.3)
    found = draw(config, TARGETS, POSITION, 8, 3, 0)
    healthy = found.chosen[TARGETS[found.chosen].max(axis=1) == 0]
    assert len(healthy) == round(0.25 * (N - positives)) == len(set(healthy))
    assert len(found.chosen) == epoch_length(config, TARGETS)
    for epoch in (20, 10_000):
        short = Sampling(kind="levers", epoch=epoch)
        assert len(draw(short, TARGETS, POSITION, 8, 3, 0).chosen) == epoch_length(short, TARGETS) == min(epoch, N)
    assert found.augment.sum() == round(3.3 * positives)
    assert not found.augment[TARGETS[found.chosen].max(axis=1) == 0].any()
    even = draw(Sampling(kind="levers", undersample=0.25, by_position=False), TARGETS, POSITION, 8, 3, 0)
    near = [np.mean(np.abs(POSITION[d.chosen[TARGETS[d.chosen].max(axis=1) == 0]] - 0.6)) for d in (found, even)]
    assert near[0] < near[1]


def test_levers_without_bleeds_say_so() -> None:
    with pytest.raises(DataError, match="none with hemorrhage"):
        draw(Sampling(kind="levers", augmented=1), np.zeros((4, 1), np.uint8), np.zeros(4), 8, 0, 0)


def test_balanced_batches_hold_as_many_of_each_class() -> None:
    found = draw(Sampling(kind="balanced", healthy=True, epoch=90), TARGETS, POSITION, 9, 0, 0)
    for start in range(0, 90, 9):
        batch = TARGETS[found.chosen[start : start + 9]]
        assert [batch[:, 0].sum(), batch[:, 1].sum(), (batch.max(axis=1) == 0).sum()] == [3, 3, 3]
    with pytest.raises(DataError, match="no slice for class 1"):
        draw(Sampling(kind="balanced"), TARGETS[:3], POSITION[:3], 9, 0, 0)


def test_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(DataError, match="none are left"):
        draw(Sampling(), TARGETS[:0], POSITION[:0], 8, 0, 0)
