"""Five numbers and more about a distribution, and the charts drawn from it."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ichscan.pages.section import Box, Boxen, Cell, Histogram
from ichscan.types import Float64

FENCE: Final = 1.5
SHOWN_OUTLIERS: Final = 200
LEAST_SPAN: Final = 0.1
"""A histogram spans at least this share of its largest value."""
SUMMARY_COLUMNS: Final = (
    "", "count", "missing", "minimum", "Q1", "median", "Q3", "maximum", "mean", "std", "outliers",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Summary:
    """Of the values that are present; all None but the counts when there are none.

    Attributes:
        std: sample standard deviation (n - 1), as the paper's Table 11; 0 for one value.
        outliers: values further than 1.5 interquartile ranges from the quartiles.
    """

    count: int
    missing: int
    minimum: float | None = None
    q1: float | None = None
    median: float | None = None
    q3: float | None = None
    maximum: float | None = None
    mean: float | None = None
    std: float | None = None
    outliers: int = 0

    def row(self, name: str) -> tuple[Cell, ...]:
        """A row below `SUMMARY_COLUMNS`."""
        five = (self.minimum, self.q1, self.median, self.q3, self.maximum)
        return (name, self.count, self.missing, *five, self.mean, self.std, self.outliers)


def summarise(values: Float64) -> Summary:
    """Summary of float64 (n,) values; NaN counts as missing."""
    present = values[np.isfinite(values)]
    missing = len(values) - len(present)
    if not len(present):
        return Summary(0, missing)
    low, q1, median, q3, high = (float(v) for v in np.quantile(present, (0, 0.25, 0.5, 0.75, 1)))
    beyond = FENCE * (q3 - q1)
    outliers = int(((present < q1 - beyond) | (present > q3 + beyond)).sum())
    std = float(present.std(ddof=1)) if len(present) > 1 else 0.0
    return Summary(len(present), missing, low, q1, median, q3, high, float(present.mean()), std, outliers)


def box(values: Float64, axis: str) -> Box | None:
    """Tukey's box plot of the finite values; None when there are none."""
    present = values[np.isfinite(values)]
    if not len(present):
        return None
    q1, median, q3 = (float(v) for v in np.quantile(present, (0.25, 0.5, 0.75)))
    beyond = FENCE * (q3 - q1)
    inside = (present >= q1 - beyond) & (present <= q3 + beyond)
    low, high = float(present[inside].min()), float(present[inside].max())
    return Box(low, q1, median, q3, high, _thinned(present[~inside]), axis)


def boxen(values: Float64, axis: str) -> Boxen | None:
    """Letter values of the finite values, down to tails of about eight values; None when there are none."""
    present = values[np.isfinite(values)]
    if not len(present):
        return None
    depth = max(1, math.floor(math.log2(len(present))) - 3)
    tails = 0.5 ** np.arange(2, depth + 2)
    lower, upper = np.quantile(present, tails), np.quantile(present, 1 - tails)
    outside = present[(present < lower[-1]) | (present > upper[-1])]
    median = float(np.median(present))
    return Boxen(median, tuple(lower.tolist()), tuple(upper.tolist()), _thinned(outside), axis)


def histogram(values: Float64, axis: str, unit: str, bins: int = 40) -> Histogram | None:
    """Counts in `bins` equal bins over the finite values; None when there are none."""
    present = values[np.isfinite(values)]
    if not len(present):
        return None
    low, high = float(present.min()), float(present.max())
    least = LEAST_SPAN * max(abs(low), abs(high))
    if high - low < least:  # bins narrower than the noise of the header's decimals say nothing
        low, high = (low + high - least) / 2, (low + high + least) / 2
    counts, edges = np.histogram(present, bins, (low, high))
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()), axis, unit)


def whole_numbers(values: Float64, axis: str, unit: str, most: int = 80) -> Histogram | None:
    """Histogram of counts: one bin per whole number, or `most` equal bins when they spread wider."""
    present = values[np.isfinite(values)]
    if not len(present) or present.max() - present.min() > most:
        return histogram(present, axis, unit, most)
    edges = np.arange(present.min() - 0.5, present.max() + 1.5)
    counts, _ = np.histogram(present, edges)
    return Histogram(tuple(edges.tolist()), tuple(counts.tolist()), axis, unit)


def _thinned(values: Float64) -> tuple[float, ...]:
    different = np.unique(values)
    if len(different) > SHOWN_OUTLIERS:
        different = different[np.linspace(0, len(different) - 1, SHOWN_OUTLIERS).astype(int)]
    return tuple(different.tolist())
