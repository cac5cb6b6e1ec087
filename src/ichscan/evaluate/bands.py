"""ROC and precision-recall curves as charts: few enough points for a page, with bands of resampled patients."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Binary
from ichscan.evaluate.curves import area_under_roc, average_precision, counts_at, resampled_counts, roc_counts
from ichscan.evaluate.resampling import Resamples
from ichscan.pages.section import Curve, Curves
from ichscan.types import Float64

POINTS: Final = 200
"""Curves of more points look the same and make the page heavy."""
GRID: Final = np.linspace(0, 1, 101)
"""Where bands are taken: 1 - specificity, or sensitivity."""


def roc_chart(labels: Mapping[str, Binary], thresholds: Mapping[str, float], resamples: Resamples) -> Curves:
    """ROC curves of labels that have both classes; the first with a 95 % band over draws of patients.

    Args:
        labels: by name.
        thresholds: operating points to mark, by name; NaN = none.
        resamples: draws of the patients of the first label.
    """
    curves, points = {}, {}
    for k, (label, rows) in enumerate(labels.items()):
        _, tp, fp = roc_counts(rows.p, rows.y)
        name = f"{label} (AUC {float(area_under_roc(tp, fp)):.3f})"
        x, y = roc_points(tp, fp)
        curves[name] = _banded(x, y, _roc_band(rows, resamples)) if k == 0 else _plain(x, y)
        if not np.isnan(thresholds[label]):
            found, alarms = counts_at(rows.p, rows.y, np.array([thresholds[label]]))
            points[name] = (float(alarms[0] / fp[-1]), float(found[0] / tp[-1]))
    return Curves(curves, "1 - specificity", "sensitivity", points, diagonal=True)


def pr_chart(labels: Mapping[str, Binary], thresholds: Mapping[str, float], resamples: Resamples) -> Curves:
    """Precision over sensitivity, as `roc_chart`; the share of positives of the first label as line of reference."""
    curves, points = {}, {}
    for k, (label, rows) in enumerate(labels.items()):
        _, tp, fp = roc_counts(rows.p, rows.y)
        name = f"{label} (AP {float(average_precision(tp, fp)):.3f})"
        x, y = pr_points(tp, fp)
        curves[name] = _banded(x, y, _pr_band(rows, resamples)) if k == 0 else _plain(x, y)
        if not np.isnan(thresholds[label]):
            found, alarms = counts_at(rows.p, rows.y, np.array([thresholds[label]]))
            if found[0] + alarms[0] > 0:
                points[name] = (float(found[0] / tp[-1]), float(found[0] / (found[0] + alarms[0])))
    first = next(iter(labels.values()))
    return Curves(curves, "sensitivity (recall)", "PPV (precision)", points, level=first.positives / len(first.y))


def roc_points(tp: Float64, fp: Float64, most: int = POINTS) -> tuple[Float64, Float64]:
    """(1 - specificity, sensitivity), at most `most` points that start at (0, 0), evenly along the curve.

    Args:
        tp: float64 (thresholds,), rising, as of `roc_counts`.
        fp: float64 (thresholds,), the same; both classes are there.
        most: at least 2.
    """
    x, y = np.append(0.0, fp) / fp[-1], np.append(0.0, tp) / tp[-1]
    keep = _spread(x + y, most)
    return x[keep], y[keep]


def pr_points(tp: Float64, fp: Float64, most: int = POINTS) -> tuple[Float64, Float64]:
    """(sensitivity, PPV) from the first threshold that finds something, at most `most` points, evenly along the curve."""
    found = tp > 0
    x, y = tp[found] / tp[-1], tp[found] / (tp[found] + fp[found])
    length = np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0]))
    keep = _spread(np.cumsum(length), most)
    return x[keep], y[keep]


def _spread(along: Float64, most: int) -> NDArray[np.int64]:
    """Indices of at most `most` values of a rising array, evenly spaced in value, ends included."""
    if len(along) <= most:
        return np.arange(len(along))
    wanted = np.linspace(along[0], along[-1], most)
    return np.unique(np.append(np.searchsorted(along, wanted[:-1], side="left"), len(along) - 1))


Band = tuple[Float64, Float64, Float64]
"""Where, low and high."""


def _roc_band(rows: Binary, resamples: Resamples) -> Band | None:
    """The middle 95 % of the sensitivity of draws at each 1 - specificity."""
    _, tp, fp = resampled_counts(rows.p, rows.y, rows.patients, resamples)
    heights = [
        np.interp(GRID, np.append(0.0, fp[:, k]) / fp[-1, k], np.append(0.0, tp[:, k]) / tp[-1, k])
        for k in range(resamples.draws)
        if tp[-1, k] > 0 and fp[-1, k] > 0
    ]
    return _middle(heights)


def _pr_band(rows: Binary, resamples: Resamples) -> Band | None:
    """The middle 95 % of the PPV of draws at each sensitivity: that of the first threshold which reaches it."""
    _, tp, fp = resampled_counts(rows.p, rows.y, rows.patients, resamples)
    heights = []
    for k in range(resamples.draws):
        found, alarms = tp[:, k], fp[:, k]
        if found[-1] > 0 and alarms[-1] > 0:
            least = np.maximum(GRID * found[-1], 1e-9)  # a sensitivity of 0 has no PPV
            place = np.minimum(np.searchsorted(found, least, side="left"), len(found) - 1)
            heights.append(found[place] / (found[place] + alarms[place]))
    return _middle(heights)


def _middle(heights: list[Float64]) -> Band | None:
    if not heights:
        return None
    low, high = np.quantile(np.stack(heights), [0.025, 0.975], axis=0)
    return GRID, low, high


def _plain(x: Float64, y: Float64) -> Curve:
    return Curve(_rounded(x), _rounded(y))


def _banded(x: Float64, y: Float64, band: Band | None) -> Curve:
    if band is None:
        return _plain(x, y)
    where, low, high = band
    return Curve(_rounded(x), _rounded(y), _rounded(low), _rounded(high), _rounded(where))


def _rounded(values: Float64) -> tuple[float, ...]:
    """Five digits: finer than a screen, and a third of the text."""
    return tuple(float(v) for v in np.round(values, 5))
