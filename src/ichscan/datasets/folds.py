"""Patients dealt out to parts, stratified by bleed type, fixed by a seed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def patient_folds(patients: list[str], labels: NDArray[np.uint8], count: int, seed: int) -> dict[str, int]:
    """Assigns every patient to one validation fold, all of about the same size.

    Args:
        patients: identifiers, unique.
        labels: uint8 (patients, 6), 1 when any slice of the patient has the label.
        count: number of folds.
        seed: for the order within ties.
    """
    return deal(patients, labels, [1 / count] * count, seed)


def deal(
    patients: list[str],
    labels: NDArray[np.uint8],
    shares: Sequence[float],
    seed: int,
    sizes: Sequence[int] | None = None,
) -> dict[str, int]:
    """Assigns every patient to one part.

    Patients are dealt out by their rarest type first, each to the part that is furthest from its share of that type,
    then of the whole (the divisors of Sainte-Laguë); ties are broken by the seed. No patient is in two parts.

    Args:
        patients: identifiers, unique.
        labels: uint8 (patients, 6), 1 when any slice of the patient has the label.
        shares: of the parts.
        seed: for the order within ties.
        sizes: what a patient counts for, for example scans; 1 each when not given.
    """
    if len(set(patients)) != len(patients):
        raise ValueError("patients must be unique: merge the scans of a patient before splitting")
    rng = np.random.default_rng(seed)
    weight = np.ones(len(patients)) if sizes is None else np.asarray(sizes, float)
    frequency = labels.sum(axis=0).astype(float)
    rarity = [min([frequency[c] for c in np.flatnonzero(row)], default=np.inf) for row in labels]
    order = sorted(rng.permutation(len(patients)), key=lambda i: rarity[i])
    per_type = np.zeros((len(shares), labels.shape[1]))
    size = np.zeros(len(shares))
    parts: dict[str, int] = {}
    for i in order:
        present = np.flatnonzero(labels[i])
        rarest = min(present, key=lambda c: frequency[c]) if len(present) else None
        load = [
            (
                (per_type[p, rarest] + 0.5) / share if rarest is not None else 0,
                (size[p] + weight[i] / 2) / share,
                rng.random(),
            )
            for p, share in enumerate(shares)
        ]
        part = min(range(len(shares)), key=lambda p: load[p])
        per_type[part] += labels[i]
        size[part] += weight[i]
        parts[patients[i]] = part
    return parts
