"""Which patients a slice model learns from and which it is judged by, and the slices that they give."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError, UsageError
from ichscan.labels import ANY, LABELS
from ichscan.train.slice_batches import Slices
from ichscan.train.workbench_tables import Data

if TYPE_CHECKING:
    from ichscan.datasets.store import SliceStore

UNKNOWN: Final = 255
TEST: Final = "test"


@dataclass(frozen=True, slots=True)
class Fold:
    """One training: its number, and its patients."""

    number: int
    train: frozenset[str]
    validation: frozenset[str]


def plan_folds(parts: Mapping[str, Sequence[str]], data: Data) -> list[Fold]:
    """The trainings that [data] asks of a split.

    With [data].validation there is one; without, every part named fold<k> validates in turn, or, when there are
    none, the part "validation" does. The test part is in neither.

    Args:
        parts: patients of each part of the split.
        data: recipe table.

    Raises:
        UsageError: a part or fold that the split does not have.
        DataError: a patient on both sides, or a side without patients.
    """
    asked = [*data.train, *filter(None, (data.validation, data.test))]
    missing = [name for name in asked if name not in parts]
    if missing:
        raise UsageError(f"[data]: the split has no part {', '.join(missing)}; it has {', '.join(parts)}")
    held = {TEST, data.test}
    numbered = sorted(
        (int(name[4:]), name) for name in parts if name.startswith("fold") and name[4:].isdigit() and name not in held
    )
    if data.validation or not numbered:
        validating = [(0, data.validation or "validation")]
        if validating[0][1] not in parts:
            raise UsageError(f"[data].validation: no part to validate on; the split has {', '.join(parts)}")
        learning = data.train or tuple(name for name in parts if name not in held)
    else:
        validating = numbered
        learning = data.train or tuple(name for _, name in numbered)
    unknown = sorted(set(data.folds) - {number for number, _ in validating})
    if unknown:
        raise UsageError(f"[data].folds: no fold {unknown}; there are {[number for number, _ in validating]}")
    chosen = [v for v in validating if not data.folds or v[0] in data.folds]
    return [_fold(number, name, learning, parts, data) for number, name in chosen]


def _fold(number: int, name: str, learning: Sequence[str], parts: Mapping[str, Sequence[str]], data: Data) -> Fold:
    left_out = set(data.patients_without)
    train = frozenset(p for part in learning if part != name for p in parts[part]) - left_out
    validation = frozenset(parts[name]) - left_out
    both = train & validation
    if both:
        raise DataError(f"split: {len(both)} patients are in {name} and in what is trained on; make the split again")
    if not train or not validation:
        raise DataError(
            f"split: fold {number} has {len(train)} patients to train on and {len(validation)} to validate on; "
            "expected some on both sides"
        )
    return Fold(number, train, validation)


def select_slices(store: "SliceStore", patients: Collection[str], data: Data) -> Slices:
    """Slices of some patients with known labels, as [data] restricts them, in the order of the table.

    Raises:
        DataError: none are left.
    """
    labels = store.labels
    wanted = set(patients)
    keep = np.array([p in wanted for p in store.table["patient_id"].to_pylist()], np.bool_)
    keep &= (labels[:, data.columns] != UNKNOWN).all(axis=1)
    if data.slices == "hemorrhagic":
        keep &= labels[:, ANY] == 1
    for name in data.without:
        keep &= labels[:, LABELS.index(name)] != 1
    rows = np.flatnonzero(keep).astype(np.int64)
    if not len(rows):
        raise DataError(f"{len(wanted)} patients have no slice with known labels that [data] lets pass")
    names = store.table["slice_id"].to_pylist()
    return Slices(rows, tuple(names[k] for k in rows), labels[rows][:, data.columns], _positions(store)[rows])


def _positions(store: "SliceStore") -> NDArray[np.float64]:
    """Relative height of every slice in its series: 0 = lowest, 1 = highest."""
    out = np.zeros(len(store.labels))
    for series in store.series():
        out[series.rows] = np.linspace(0, 1, max(len(series.rows), 2))[: len(series.rows)]
    return out
