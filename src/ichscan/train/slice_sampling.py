"""Which slices an epoch of the workbench sees: all, P1's levers, or P3's balanced mini-batches.

P1 section II-B-2: the distribution of hemorrhage over slice position is measured, and undersampling, bootstrap and
augmentation act by it. Read here as: healthy slices stay where bleeds are frequent, since those are the hard ones, and
hemorrhagic slices are repeated and augmented where bleeds are frequent.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError
from ichscan.train.workbench_tables import Sampling

BINS: Final = 10
FLOOR: Final = 0.05
"""Share of the mean density that a position without bleeds still has, so that no slice is impossible."""


class Draw(NamedTuple):
    """An epoch.

    Attributes:
        chosen: intp (m,), which of the given slices.
        augment: bool (m,), whether it is augmented.
    """

    chosen: NDArray[np.intp]
    augment: NDArray[np.bool_]


def hemorrhage_density(positive: NDArray[np.bool_], position: NDArray[np.float64]) -> NDArray[np.float64]:
    """How frequent hemorrhage is at the position of each slice, relative to its mean over positions.

    Args:
        positive: bool (n,), slices with hemorrhage.
        position: float64 (n,), relative height in the scan: 0 = lowest slice, 1 = highest.

    Returns:
        float64 (n,): share of positives among the slices of its tenth of the scan, over the mean of these shares.
    """
    bins = np.clip((position * BINS).astype(np.intp), 0, BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    share = np.bincount(bins, weights=positive, minlength=BINS) / np.maximum(count, 1)
    mean = share[count > 0].mean()
    return np.maximum(share / mean, FLOOR)[bins] if mean > 0 else np.ones(len(position))


def draw(
    config: Sampling, targets: NDArray[np.uint8], position: NDArray[np.float64], batch: int, seed: int, epoch: int
) -> Draw:
    """The slices of one epoch in order, the same for the same seed and epoch.

    Args:
        config: table [sampling].
        targets: uint8 (n, k), labels of the training slices.
        position: float64 (n,), see `hemorrhage_density`.
        batch: slices per step.
        seed: of the run.
        epoch: from 0.

    Raises:
        DataError: there is nothing to draw, or a class of a balanced batch is empty.
    """
    if len(targets) == 0:
        raise DataError("training slices: none are left; look at [data] and the split")
    if config.kind == "balanced":
        return _balanced(config, targets, batch, np.random.default_rng((seed, epoch)))
    if config.kind == "levers":
        return _levers(config, targets.max(axis=1) == 1, position, np.random.default_rng((seed, epoch)))
    wanted = config.epoch or len(targets)
    index = _walk(len(targets), epoch * wanted, wanted, seed)
    return Draw(index, np.ones(len(index), np.bool_))


def epoch_length(config: Sampling, targets: NDArray[np.uint8]) -> int:
    """Number of slices that `draw` gives."""
    if config.kind != "levers":
        return config.epoch or len(targets)
    positives = int((targets.max(axis=1) == 1).sum()) if len(targets) else 0
    kept = round(config.undersample * (len(targets) - positives))
    drawn = kept + positives + round(config.bootstrap * positives) + round(config.augmented * positives)
    return min(config.epoch or drawn, drawn)


def _walk(n: int, start: int, wanted: int, seed: int) -> NDArray[np.intp]:
    """Places start .. start + wanted of endless random passes over n slices: short epochs leave none out."""
    first, last = start // n, (start + wanted - 1) // n
    passes = [np.random.default_rng((seed, k)).permutation(n) for k in range(first, last + 1)]
    return np.concatenate(passes)[start - first * n :][:wanted]


def _levers(
    config: Sampling, positive: NDArray[np.bool_], position: NDArray[np.float64], rng: np.random.Generator
) -> Draw:
    density = hemorrhage_density(positive, position) if config.by_position else np.ones(len(positive))
    healthy, bleeds = np.flatnonzero(~positive), np.flatnonzero(positive)
    kept = healthy
    if config.undersample < 1 and len(healthy):
        weight = density[healthy] / density[healthy].sum()
        kept = rng.choice(healthy, round(config.undersample * len(healthy)), replace=False, p=weight)
    if not len(bleeds) and (config.bootstrap or config.augmented):
        raise DataError("training slices: none with hemorrhage; bootstrap and augmentation have nothing to draw from")
    share = density[bleeds] / density[bleeds].sum() if len(bleeds) else None
    again = rng.choice(bleeds, round(config.bootstrap * len(bleeds)), p=share) if config.bootstrap else bleeds[:0]
    copies = rng.choice(bleeds, round(config.augmented * len(bleeds)), p=share) if config.augmented else bleeds[:0]
    index = np.concatenate([kept, bleeds, again, copies])
    augment = np.full(len(index), not config.originals)
    augment[len(index) - len(copies) :] = True
    order = rng.permutation(len(index))[: config.epoch or None]
    return Draw(index[order], augment[order])


def _balanced(config: Sampling, targets: NDArray[np.uint8], batch: int, rng: np.random.Generator) -> Draw:
    """Classes take turns, so that every batch holds the same number of each, give or take one (P3 section 3.3)."""
    pools = [np.flatnonzero(targets[:, c] == 1) for c in range(targets.shape[1])]
    if config.healthy:
        pools.append(np.flatnonzero(targets.max(axis=1) == 0))
    empty = [str(c) for c, pool in enumerate(pools) if len(pool) == 0]
    if empty:
        raise DataError(
            f"training slices: no slice for class {', '.join(empty)} of [data].labels (counted from 0); "
            "leave it out, or do not balance"
        )
    wanted = config.epoch or len(targets)
    columns = [_cycle(pool, -(-wanted // len(pools)), rng) for pool in pools]
    index = np.stack(columns, axis=1).reshape(-1)[:wanted]
    for start in range(0, wanted, batch):
        index[start : start + batch] = rng.permutation(index[start : start + batch])
    return Draw(index, np.ones(wanted, np.bool_))


def _cycle(pool: NDArray[np.intp], count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`count` members of the pool; none comes an n-th time before all have come n - 1 times."""
    passes: Sequence[NDArray[np.intp]] = [rng.permutation(pool) for _ in range(-(-count // len(pool)))]
    return np.concatenate(passes)[:count]
