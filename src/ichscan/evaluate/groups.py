"""Groups of patients for cross-fitting: what is fitted on the others is measured on each."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Binary
from ichscan.evaluate.resampling import numbered

GROUPS: Final = 5


def cross_groups(binary: Binary, seed: int = 0) -> NDArray[np.int64]:
    """The held-out folds where there are two or more; otherwise patients in `GROUPS` groups at random; int64 (n,).

    A patient is in one group only. Patients with a positive row are dealt out first, so that every group has some where
    there are enough.
    """
    if len(binary.fold) and np.ptp(binary.fold) > 0:
        return binary.fold
    index, patients = numbered(binary.patients)
    rng = np.random.default_rng(seed)
    positive = np.bincount(index, binary.y, minlength=patients) > 0
    order = np.lexsort((rng.random(patients), ~positive))
    group = np.empty(patients, np.int64)
    group[order] = np.arange(patients) % GROUPS
    return group[index]
