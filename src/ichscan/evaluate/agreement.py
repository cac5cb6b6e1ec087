"""Agreement of readers beyond chance: Cohen's kappa of two, Fleiss' kappa of several, with intervals."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.metrics import shares
from ichscan.evaluate.resampling import numbered
from ichscan.types import Float64

ROUNDING: Final = 1e-12


@dataclass(frozen=True, slots=True)
class Agreement:
    """Kappa with its 95 % interval, and the share of agreement it corrects.

    Attributes:
        kappa: NaN where chance alone explains full agreement (everyone always says the same).
        low, high: jackknife over patients, Student's quantile, cut at -1 and 1; NaN with fewer than two patients.
        percent: share of pairs of reads that agree, in [0, 1].
        rows, patients: that were read.
    """

    kappa: float
    low: float
    high: float
    percent: float
    rows: int
    patients: int


def cohen_kappa(
    first: NDArray[np.generic], second: NDArray[np.generic], patients: NDArray[np.generic] | None = None
) -> Agreement:
    """Two readers of the same rows (Cohen 1960).

    Args:
        first: (n,), categories.
        second: (n,), categories of the other reader.
        patients: (n,), the patient of each row; None = each row is one of its own.
    """
    names = np.unique(np.concatenate([first, second]))
    k = len(names)
    a, b = np.searchsorted(names, first), np.searchsorted(names, second)
    cells = np.eye(k * k)[a * k + b] if k else np.empty((len(first), 0))

    def kappa(sums: Float64) -> Float64:
        """Of tables (…, k * k)."""
        table = sums.reshape(*sums.shape[:-1], k, k)
        n = table.sum(axis=(-2, -1))
        seen = np.trace(table, axis1=-2, axis2=-1) / n
        chance = (table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1) / n**2
        return np.stack([_beyond(seen, chance), seen], axis=-1)

    return _jackknife(kappa, cells, patients)


def fleiss_kappa(counts: NDArray[np.int64], patients: NDArray[np.generic] | None = None) -> Agreement:
    """Several readers, not the same ones for each row (Fleiss 1971).

    Args:
        counts: int64 (n, k), how many readers chose each category; the same number of readers, 2 or more, in each row.
        patients: (n,), the patient of each row; None = each row is one of its own.

    Raises:
        ValueError: the number of readers differs or is below 2.
    """
    readers = counts.sum(axis=1)
    if len(counts) and (readers.min() != readers.max() or readers[0] < 2):
        raise ValueError(f"fleiss_kappa: expected the same number of readers, 2 or more, found {np.unique(readers)}")
    r = int(readers[0]) if len(counts) else 2
    agreeing = (counts * (counts - 1)).sum(axis=1) / (r * (r - 1))
    columns = np.column_stack([agreeing, np.ones(len(counts)), counts]).astype(np.float64)

    def kappa(sums: Float64) -> Float64:
        seen = sums[..., 0] / sums[..., 1]
        shares = sums[..., 2:] / (r * sums[..., 1:2])
        return np.stack([_beyond(seen, (shares**2).sum(axis=-1)), seen], axis=-1)

    return _jackknife(kappa, columns, patients)


def _beyond(seen: Float64, chance: Float64) -> Float64:
    room = np.asarray(1 - chance)
    return shares(seen - chance, np.where(room > ROUNDING, room, 0.0))


def _jackknife(
    measure: Callable[[Float64], Float64], columns: Float64, patients: NDArray[np.generic] | None
) -> Agreement:
    """Leaves one patient out at a time; `measure` maps sums of the columns to (kappa, percent)."""
    rows = len(columns)
    nan = float("nan")
    if rows == 0:
        return Agreement(nan, nan, nan, nan, 0, 0)
    from scipy.stats import t as student

    index, m = numbered(np.arange(rows) if patients is None else patients)
    by_patient = np.stack([np.bincount(index, column, minlength=m) for column in columns.T], axis=1)
    total = by_patient.sum(axis=0)
    kappa, percent = (float(v) for v in measure(total))
    if m < 2 or np.isnan(kappa):
        return Agreement(kappa, nan, nan, percent, rows, m)
    left = measure(total - by_patient)[:, 0]
    left = np.where(np.isnan(left), kappa, left)  # without this patient everyone always says the same
    error = float(np.sqrt((m - 1) / m * ((left - left.mean()) ** 2).sum()))
    spread = float(student.ppf(0.975, m - 1)) * error
    return Agreement(kappa, max(kappa - spread, -1.0), min(kappa + spread, 1.0), percent, rows, m)
