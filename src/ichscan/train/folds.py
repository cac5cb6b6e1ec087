"""Patient-grouped folds, stratified by bleed type, fixed by a seed."""

import numpy as np
from numpy.typing import NDArray


def patient_folds(patients: list[str], labels: NDArray[np.uint8], count: int, seed: int) -> dict[str, int]:
    """Assigns every patient to one validation fold.

    Patients are dealt out by their rarest type first, each to the fold that has fewest of that type, then fewest
    patients; ties are broken by the seed. No patient is in two folds.

    Args:
        patients: identifiers, unique.
        labels: uint8 (patients, 6), 1 when any slice of the patient has the label.
        count: number of folds.
        seed: for the order within ties.
    """
    if len(set(patients)) != len(patients):
        raise ValueError("patients must be unique: merge the scans of a patient before splitting")
    rng = np.random.default_rng(seed)
    frequency = labels.sum(axis=0).astype(float)
    rarity = [min([frequency[c] for c in np.flatnonzero(row)], default=np.inf) for row in labels]
    order = sorted(rng.permutation(len(patients)), key=lambda i: rarity[i])
    per_type = np.zeros((count, labels.shape[1]))
    size = np.zeros(count)
    folds: dict[str, int] = {}
    for i in order:
        present = np.flatnonzero(labels[i])
        rarest = min(present, key=lambda c: frequency[c]) if len(present) else None
        load = [(per_type[f, rarest] if rarest is not None else 0, size[f], rng.random()) for f in range(count)]
        fold = min(range(count), key=lambda f: load[f])
        per_type[fold] += labels[i]
        size[fold] += 1
        folds[patients[i]] = fold
    return folds
