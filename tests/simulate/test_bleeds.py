"""What holds for every type: repeatable, inside the skull, as dense as blood; and what happens without anatomy."""

import dataclasses

import numpy as np
import pytest
from tests.simulate.phantom import Phantom, phantom

from ichscan.errors import NotAnalysableError, UsageError
from ichscan.labels import TYPES
from ichscan.simulate import BLEEDS, Head, Simulated, apply, draw, prepare, simulate

SEEDS = (0, 1, 2)


def _made(head: Head, kind: str, seed: int) -> Simulated:
    rng = np.random.default_rng(seed)
    for _ in range(8):
        try:
            return apply(head, draw(head, kind, rng))
        except NotAnalysableError:
            continue
    raise AssertionError(f"no {kind} bleed in eight draws")


def test_every_type_is_covered() -> None:
    assert BLEEDS == TYPES


@pytest.mark.parametrize("kind", BLEEDS)
def test_same_seed_same_voxels(scan: Phantom, kind: str) -> None:
    first, second = (
        simulate(scan.hu, scan.spacing_mm, scan.positions_mm, kind, np.random.default_rng(5)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.hu, second.hu)
    np.testing.assert_array_equal(first.mask, second.mask)
    other = simulate(scan.hu, scan.spacing_mm, scan.positions_mm, kind, np.random.default_rng(6))
    assert (first.mask != other.mask).any()


@pytest.mark.parametrize("kind", BLEEDS)
def test_applying_is_free_of_chance(head: Head, kind: str) -> None:
    parameters = draw(head, kind, np.random.default_rng(1))
    assert dataclasses.is_dataclass(parameters)
    np.testing.assert_array_equal(apply(head, parameters).hu, apply(head, parameters).hu)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", BLEEDS)
def test_blood_is_inside_the_skull_and_nothing_else_changes(head: Head, scan: Phantom, kind: str, seed: int) -> None:
    made = _made(head, kind, seed)
    assert made.hu.dtype == np.int16
    assert made.mask.shape == made.hu.shape == scan.hu.shape
    assert not (made.mask & ~head.inside).any()
    changed = made.hu != scan.hu
    assert not (changed & ~head.inside).any()
    # Blood is brighter than what was there; where nothing near is blood, only oedema may change a voxel.
    assert (made.hu[made.mask].astype(int) - scan.hu[made.mask]).mean() > 8
    if kind != "intraparenchymal":
        assert (changed & ~made.mask).sum() < 2.0 * made.mask.sum() + 400


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", BLEEDS)
def test_density_is_that_of_blood(head: Head, kind: str, seed: int) -> None:
    made = _made(head, kind, seed)
    assert 32.0 < made.hu[made.mask].mean() < 80.0
    assert np.quantile(made.hu[made.mask], 0.99) < 100.0


@pytest.mark.parametrize("kind", BLEEDS)
def test_the_noise_of_the_scan_stays(head: Head, scan: Phantom, kind: str) -> None:
    made = _made(head, kind, 3)
    i = int(made.mask.sum(axis=(1, 2)).argmax())
    step = np.diff(made.hu[i].astype(float), axis=1) - np.diff(scan.hu[i].astype(float), axis=1)
    core = made.mask[i][:, 1:] & made.mask[i][:, :-1]
    # Neighbouring voxels of the blood get nearly the same increment; a sulcus is little more than its edges.
    assert np.median(np.abs(step[core])) < (12.0 if kind == "subarachnoid" else 6.0)


@pytest.mark.parametrize("kind", ["epidural", "intraparenchymal", "subdural"])
@pytest.mark.parametrize("seed", SEEDS)
def test_slices_of_a_bleed_are_consecutive(head: Head, kind: str, seed: int) -> None:
    made = _made(head, kind, seed)
    index = np.flatnonzero(made.mask.any(axis=(1, 2)))
    assert (np.diff(index) == 1).all()
    for above, below in zip(made.mask[index[1:]], made.mask[index[:-1]], strict=True):
        rows, cols = (np.abs(np.nonzero(above)[a].mean() - np.nonzero(below)[a].mean()) for a in (0, 1))
        assert max(rows, cols) < 25


@pytest.mark.parametrize("kind", BLEEDS)
def test_the_healthy_head_is_left_alone(head: Head, scan: Phantom, kind: str) -> None:
    before = scan.hu.copy()
    _made(head, kind, 1)
    np.testing.assert_array_equal(scan.hu, before)


def test_unknown_kind_names_the_known_ones(head: Head) -> None:
    with pytest.raises(UsageError, match="epidural, intraparenchymal"):
        draw(head, "bruise", np.random.default_rng(0))


def test_air_is_no_head() -> None:
    air = np.full((5, 60, 60), -1000, dtype=np.int16)
    with pytest.raises(NotAnalysableError, match="150 ml"):
        prepare(air, (3.0, 3.0), np.arange(5) * 5.0)


def test_no_ventricles_is_said() -> None:
    scan = phantom(ventricles=False)
    with pytest.raises(NotAnalysableError, match="ventricle"):
        simulate(scan.hu, scan.spacing_mm, scan.positions_mm, "intraventricular", np.random.default_rng(0))
