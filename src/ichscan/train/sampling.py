"""Which slices an epoch sees.

Bleeds are 1 slice in 8 and some types 1 in 140. An epoch draws positives balanced over the types (Shah 2025: balanced
mini-batches), simulated bleeds evenly over the types, and healthy slices by the measured distribution of bleeds over
slice position (Hoseyni 2024: levers driven by position), mixed with a uniform share so that none is never seen.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ichscan.labels import ANY, TYPES


@dataclass(frozen=True, slots=True)
class Mix:
    """Number of draws per epoch from each group."""

    positive: int
    healthy: int
    simulated: int


def draw_epoch(
    labels: NDArray[np.uint8],
    simulated: NDArray[np.bool_],
    position: NDArray[np.float64],
    mix: Mix,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Indices of one epoch, shuffled.

    Args:
        labels: uint8 (n, 6).
        simulated: bool (n,).
        position: float64 (n,), relative height in the scan, 0 = lowest slice, 1 = highest.
        mix: draws per group; a group that does not exist is left out.
        rng: the epoch's generator.
    """
    real = ~simulated
    picks = [
        _balanced(labels, real, mix.positive, rng),
        _balanced(labels, simulated, mix.simulated, rng),
        _healthy(labels, real, position, mix.healthy, rng),
    ]
    return rng.permutation(np.concatenate(picks))


def _balanced(
    labels: NDArray[np.uint8], group: NDArray[np.bool_], count: int, rng: np.random.Generator
) -> NDArray[np.intp]:
    """Half of the draws even over the types (square root of their number), so that rare types are not drowned."""
    pools = [np.flatnonzero(group & (labels[:, c] == 1)) for c in range(len(TYPES))]
    pools = [pool for pool in pools if len(pool)]
    if not pools or count == 0:
        return np.zeros(0, np.intp)
    weight = np.sqrt([len(pool) for pool in pools])
    chosen = rng.choice(len(pools), count, p=weight / weight.sum())
    return np.array([rng.choice(pools[k]) for k in chosen], np.intp)


def _healthy(
    labels: NDArray[np.uint8],
    real: NDArray[np.bool_],
    position: NDArray[np.float64],
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    pool = np.flatnonzero(real & (labels[:, ANY] == 0))
    if len(pool) == 0 or count == 0:
        return np.zeros(0, np.intp)
    edges = np.linspace(0, 1, 11)
    density, _ = np.histogram(position[real & (labels[:, ANY] == 1)], edges)
    density = density / max(density.sum(), 1) * 10
    bins = np.clip(np.digitize(position[pool], edges) - 1, 0, 9)
    weight = 0.5 + 0.5 * density[bins]
    return rng.choice(pool, count, replace=count > len(pool), p=weight / weight.sum()).astype(np.intp)
