"""Ranking and decisions in a group of cases, with intervals that count patients."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Binary
from ichscan.evaluate.delong import area
from ichscan.evaluate.estimate import NOT_ESTIMABLE, estimate
from ichscan.evaluate.intervals import clustered_wilson
from ichscan.evaluate.subgrouping import Group

FEWEST: Final = 5
"""Patients with cases of the class that a measure is about: with fewer, it says nothing."""
MEASURES: Final = ("AUC", "sensitivity", "specificity")


@dataclass(frozen=True, slots=True)
class Result:
    """One group.

    Attributes:
        group: whose measures these are.
        patients: with cases in the group.
        cases, positives: in the group.
        with_positive, with_negative: patients who have such cases.
        values: by name of `MEASURES`, as `ichscan.evaluate.estimate.estimate` gives them; a measure that has no
            meaning for the group is absent.
    """

    group: Group
    patients: int
    cases: int
    positives: int
    with_positive: int
    with_negative: int
    values: dict[str, Any]


def measure_group(group: Group, rows: Binary, threshold: float) -> Result:
    """The measures of one group.

    A group that divides the positive cases is ranked against all negative ones, and has no specificity of its own.

    Args:
        group: of the cases.
        rows: the label of these cases.
        threshold: positive means p >= threshold; NaN = no decisions.
    """
    inside = group.rows[rows.rows]
    if group.positives_only:
        inside = inside & (rows.y == 1)
    positive = inside & (rows.y == 1)
    negative = (rows.y == 0) if group.positives_only else inside & (rows.y == 0)
    with_positive, with_negative = (len(np.unique(rows.patients[chosen])) for chosen in (positive, negative))
    enough = with_positive >= FEWEST, with_negative >= FEWEST
    values = {"AUC": _auc(rows, positive | negative) if all(enough) else NOT_ESTIMABLE}
    if not np.isnan(threshold):
        right = (rows.p >= threshold) == (rows.y == 1)
        values["sensitivity"] = _share(right, positive, rows.patients) if enough[0] else NOT_ESTIMABLE
        if not group.positives_only:
            values["specificity"] = _share(right, negative, rows.patients) if enough[1] else NOT_ESTIMABLE
    return Result(
        group, len(np.unique(rows.patients[inside])), int(inside.sum()), int(positive.sum()), with_positive,
        0 if group.positives_only else with_negative, values,
    )  # fmt: skip


def _auc(rows: Binary, chosen: NDArray[np.bool_]) -> Any:
    found = area(rows.p[chosen], rows.y[chosen], rows.patients[chosen])
    return estimate(found.auc, (found.low, found.high))


def _share(right: NDArray[np.bool_], chosen: NDArray[np.bool_], patients: NDArray[np.int64]) -> Any:
    _, index = np.unique(patients[chosen], return_inverse=True)
    trials = np.bincount(index).astype(np.float64)
    interval = clustered_wilson(np.bincount(index, right[chosen]).astype(np.float64), trials)
    return estimate(float(right[chosen].mean()), interval)
