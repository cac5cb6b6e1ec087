"""Groups of patients for cross-fitting: what is fitted on the others is measured on each."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Binary
from ichscan.evaluate.resampling import numbered

GROUPS: Final = 5


def cross_groups(binary: Binary, seed: int = 0) -> NDArray[np.int64]:
    """The held-out folds where there are two or more; otherwise patients in `GROUPS` groups at random; int64 (n,).

    Folds that share a patient are none. A patient is in one group only. Patients with a positive row are dealt out
    first, so that every group has some where there are enough.
    """
    index, patients = numbered(binary.patients)
    if len(binary.fold) and np.ptp(binary.fold) > 0 and not patients_in_two(binary.patients, binary.fold):
        return binary.fold
    rng = np.random.default_rng(seed)
    positive = np.bincount(index, binary.y, minlength=patients) > 0
    order = np.lexsort((rng.random(patients), ~positive))
    group = np.empty(patients, np.int64)
    group[order] = np.arange(patients) % GROUPS
    return group[index]


def patients_in_two(patients: NDArray[np.int64], fold: NDArray[np.int64]) -> int:
    """How many patients have rows in more than one fold; patients and fold (n,)."""
    index, count = numbered(patients)
    first = np.empty(count, np.int64)
    first[index] = fold  # of any of the patient's rows
    return int(np.count_nonzero(np.bincount(index[fold != first[index]], minlength=count)))
