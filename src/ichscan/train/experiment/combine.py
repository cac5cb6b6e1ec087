"""Several predictions of the same slices or scans become one, as [ensemble] says."""

from collections.abc import Sequence

import numpy as np

from ichscan.errors import DataError
from ichscan.evaluate.metrics import CLIP
from ichscan.train.bagging import Probabilities, bag
from ichscan.types import Float64


def combine(members: Sequence[Probabilities], of: str = "probability", clip: float = CLIP) -> Probabilities:
    """The mean, clipped to [clip, 1 - clip].

    Args:
        members: of the same ids, in any order.
        of: "probability" (P0 section 3.4.7), or "logit": the mean is taken in log-odds.
        clip: see [ensemble].clip; at least 1e-5, at which all predictions are clipped.

    Raises:
        DataError: none, or not the same ids.
    """
    found = bag(members)
    values = found.values
    if of == "logit" and len(members) > 1:
        values = _mean_of_logits(found, members, max(clip, CLIP))
    return Probabilities(found.ids, np.clip(values, max(clip, CLIP), 1 - max(clip, CLIP)), found.source)


def _mean_of_logits(first: Probabilities, members: Sequence[Probabilities], clip: float) -> Float64:
    order = np.argsort(first.ids)
    total = np.zeros_like(first.values)
    for member in members:
        own = np.argsort(member.ids)
        if not np.array_equal(member.ids[own], first.ids[order]):
            raise DataError(f"ensemble: {member.source} does not predict the same slices as the others")
        p = np.clip(member.values[own], clip, 1 - clip)
        total[order] += np.log(p / (1 - p))
    return np.asarray(1 / (1 + np.exp(-total / len(members))), np.float64)
