import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ichscan.datasets.folds import patient_folds


@settings(max_examples=50, deadline=None)
@given(st.integers(5, 80), st.integers(2, 5), st.integers(0, 1000))
def test_every_patient_is_in_one_fold_and_folds_are_even(patients: int, count: int, seed: int) -> None:
    labels = (np.random.default_rng(seed).random((patients, 6)) < 0.2).astype(np.uint8)
    names = [str(i) for i in range(patients)]
    folds = patient_folds(names, labels, count, seed)
    assert sorted(folds) == sorted(names)
    sizes = np.bincount(list(folds.values()), minlength=count)
    assert sizes.sum() == patients
    assert folds == patient_folds(names, labels, count, seed)


def test_rare_types_are_spread() -> None:
    labels = np.zeros((50, 6), np.uint8)
    labels[:5, 3] = labels[:5, 5] = 1
    folds = patient_folds([str(i) for i in range(50)], labels, 5, 0)
    assert sorted(folds[str(i)] for i in range(5)) == [0, 1, 2, 3, 4]
