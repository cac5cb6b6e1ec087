"""The mean of several predictions of the same slices: over epochs, folds, seeds.

Alqaisi & Almashagbeh 2025, section 3.4.7: y = 1/3 (y1 + y2 + y3), one sequence model per embedding set; probabilities
are averaged, not logits, then clipped to [1e-5, 1 - 1e-5].
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError
from ichscan.evaluate.metrics import CLIP
from ichscan.types import Float64


@dataclass(frozen=True, slots=True)
class Probabilities:
    """Probabilities of one model.

    Attributes:
        ids: str (n,), the slice or scan of each row; unique.
        values: float64 (n, labels) in [0, 1].
        source: what made them, for messages ("epoch 2, seed 0").
    """

    ids: NDArray[np.str_]
    values: Float64
    source: str = ""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.ids) != len(self.values):
            raise DataError(f"predictions {self.source}: {len(self.ids)} ids for values of shape {self.values.shape}")
        if len(np.unique(self.ids)) != len(self.ids):
            raise DataError(f"predictions {self.source}: ids are not unique")
        wrong = np.flatnonzero(~((self.values >= 0) & (self.values <= 1)).all(axis=1))
        if len(wrong):
            raise DataError(
                f"predictions {self.source}: expected probabilities in [0, 1], found {self.values[wrong[0]].tolist()} "
                f"for {self.ids[wrong[0]]} ({len(wrong)} such rows)"
            )


def bag(members: Sequence[Probabilities]) -> Probabilities:
    """Mean of the members' probabilities, clipped; rows in the order of the first member.

    Raises DataError when there is no member, or when two do not predict the same ids and number of labels.
    """
    if not members:
        raise DataError("bagging: expected at least one set of predictions, found none")
    first = members[0]
    order = np.argsort(first.ids)
    total = np.zeros_like(first.values, np.float64)
    for member in members:
        if member.values.shape[1] != first.values.shape[1]:
            raise DataError(
                f"bagging: {member.source} has {member.values.shape[1]} labels, {first.source} {first.values.shape[1]}"
            )
        own = np.argsort(member.ids)
        if not np.array_equal(member.ids[own], first.ids[order]):
            raise DataError(_difference(first, member))
        total[order] += member.values[own]
    return Probabilities(first.ids, np.clip(total / len(members), CLIP, 1 - CLIP), f"mean of {len(members)}")


def _difference(first: Probabilities, other: Probabilities) -> str:
    missing, extra = np.setdiff1d(first.ids, other.ids), np.setdiff1d(other.ids, first.ids)
    examples = [*missing[:3].tolist(), *extra[:3].tolist()]
    return (
        f"bagging: {other.source or 'a member'} does not predict the ids of {first.source or 'the first'}: "
        f"{len(missing)} missing, {len(extra)} more, such as {examples}; predict the same slices with every model"
    )
