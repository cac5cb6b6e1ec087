"""The bootstrap over patients: slices of one patient are not independent, so patients are drawn, not slices."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.types import Float32, Float64

SMALL: Final = 10_000_000
CHUNK: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class Resamples:
    """Draws of patients with replacement (Efron & Tibshirani 1993), as how often each was drawn.

    A measure of a draw is the measure with these weights: nothing is copied or sorted again.

    Attributes:
        patients: (m,), the distinct patients, sorted.
        weights: float32 (m, draws), whole numbers; each column adds up to m.
    """

    patients: NDArray[np.generic]
    weights: Float32

    @classmethod
    def of(cls, patients: NDArray[np.generic], draws: int, seed: int) -> "Resamples":
        """Draws from the distinct ones among `patients`, (n,), numbers or names."""
        rng = np.random.default_rng(seed)
        distinct = np.unique(patients)
        m = len(distinct)
        weights = np.zeros((m, draws), np.float32)
        for draw in range(draws if m else 0):
            weights[:, draw] = np.bincount(rng.integers(0, m, m), minlength=m)
        return cls(distinct, weights)

    @property
    def draws(self) -> int:
        """How many."""
        return int(self.weights.shape[1])

    def index(self, patients: NDArray[np.generic]) -> NDArray[np.int64]:
        """Places of `patients`, (n,), among the distinct ones, int64 (n,).

        Raises:
            ValueError: one of them can never be drawn.
        """
        place = np.searchsorted(self.patients, patients)
        place = np.minimum(place, max(len(self.patients) - 1, 0))
        if len(patients) and (not len(self.patients) or (self.patients[place] != patients).any()):
            raise ValueError("resamples: expected rows of patients that are drawn, found others")
        return np.asarray(place, np.int64)

    def sums(self, values: Float64, patients: NDArray[np.generic]) -> Float64:
        """Sums of values, (n,) or (n, k), of patients (n,), in every draw: float64 (draws,) or (draws, k)."""
        index, columns = self.index(patients), values.reshape(len(values), *values.shape[1:] or (1,))
        m = len(self.patients)
        by_patient = np.stack([np.bincount(index, column, minlength=m) for column in columns.T], axis=1)
        out = np.empty((self.draws, by_patient.shape[1]))
        for start in range(0, self.draws, CHUNK):  # float64 weights of all draws at once would be large
            out[start : start + CHUNK] = self.weights[:, start : start + CHUNK].astype(np.float64).T @ by_patient
        return out.reshape(self.draws, *values.shape[1:])


def numbered(patients: NDArray[np.generic]) -> tuple[NDArray[np.int64], int]:
    """Place of each row's patient among the distinct ones, in their order, int64 (n,), and how many these are.

    Small whole numbers are counted, which is much faster than sorting.
    """
    if patients.dtype.kind in "iu" and len(patients):
        numbers = patients.astype(np.int64, copy=False)
        if numbers.min() >= 0 and numbers.max() < SMALL:
            used = np.bincount(numbers) > 0
            return (np.cumsum(used) - 1)[numbers], int(np.count_nonzero(used))
    distinct, index = np.unique(patients, return_inverse=True)
    return index, len(distinct)


def percentiles(values: Float64) -> tuple[float, float]:
    """The middle 95 % of draws, float64 (draws,). Draws without a value (one class only) are left out; NaN if all."""
    kept = values[~np.isnan(values)]
    if len(kept) == 0:
        return float("nan"), float("nan")
    low, high = np.quantile(kept, [0.025, 0.975])
    return float(low), float(high)


def bootstrap_mean(
    values: Float64, patients: NDArray[np.generic], draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """95 % percentile interval of the mean of values, (n,), over resampled patients."""
    resamples = Resamples.of(patients, draws, seed)
    both = resamples.sums(np.stack([values, np.ones(len(values))], axis=1), patients)
    return percentiles(both[:, 0] / both[:, 1])
