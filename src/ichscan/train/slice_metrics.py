"""What is watched on validation slices after each epoch."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.metrics import auc


def slice_metrics(
    probabilities: NDArray[np.float64], targets: NDArray[np.uint8], labels: Sequence[str]
) -> dict[str, float]:
    """AUC per label, their mean, and at .5 the exact-match accuracy and macro F1 (P3 section 3.3).

    Labels that all or none of the slices have give no AUC, and no number is reported for them.

    Args:
        probabilities: float64 (n, k).
        targets: uint8 (n, k).
        labels: names of the k labels.
    """
    decided = probabilities >= 0.5
    out = {"accuracy": float((decided == targets).all(axis=1).mean())}
    both = 2 * (decided & (targets == 1)).sum(axis=0)
    all_of = decided.sum(axis=0) + (targets == 1).sum(axis=0)
    out["macro_f1"] = float(np.mean(np.where(all_of > 0, both / np.maximum(all_of, 1), 0.0)))
    areas = {name: auc(probabilities[:, c], targets[:, c]) for c, name in enumerate(labels)}
    known = {f"auc_{name}": area for name, area in areas.items() if not np.isnan(area)}
    if known:
        out["auc"] = float(np.mean(list(known.values())))
    return out | known
