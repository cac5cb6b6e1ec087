"""ROC and precision-recall curves as charts: few enough points for a page, with bands of resampled patients."""

from collections.abc import Mapping
from dataclasses import dataclass, field
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


def curve_charts(
    labels: Mapping[str, Binary], thresholds: Mapping[str, float], resamples: Resamples
) -> tuple[Curves, Curves]:
    """ROC and precision-recall curves of labels that have both classes; the first with bands.

    Args:
        labels: by name, at least one.
        thresholds: operating points to mark, by name; NaN = none.
        resamples: draws of the patients of the first label.
    """
    roc, pr = _Drawn(), _Drawn()
    for k, (label, rows) in enumerate(labels.items()):
        _, tp, fp = roc_counts(rows.p, rows.y)
        bands = _bands(rows, resamples) if k == 0 else (None, None)
        auc, ap = float(area_under_roc(tp, fp)), float(average_precision(tp, fp))
        names = f"{label} (AUC {auc:.3f})", f"{label} (AP {ap:.3f})"
        roc.curves[names[0]] = _curve(*roc_points(tp, fp), bands[0])
        pr.curves[names[1]] = _curve(*pr_points(tp, fp), bands[1])
        if np.isnan(thresholds[label]):
            continue
        found, alarms = (float(n[0]) for n in counts_at(rows.p, rows.y, np.array([thresholds[label]])))
        roc.points[names[0]] = (alarms / float(fp[-1]), found / float(tp[-1]))
        if found + alarms > 0:
            pr.points[names[1]] = (found / float(tp[-1]), found / (found + alarms))
    first = next(iter(labels.values()))
    level = first.positives / len(first.y)
    return (
        Curves(roc.curves, "1 - specificity", "sensitivity", roc.points, diagonal=True),
        Curves(pr.curves, "sensitivity (recall)", "PPV (precision)", pr.points, level=level),
    )


@dataclass(slots=True)
class _Drawn:
    curves: dict[str, Curve] = field(default_factory=dict)
    points: dict[str, tuple[float, float]] = field(default_factory=dict)


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
    """(sensitivity, PPV) from the first threshold that finds something; thinned as `roc_points`."""
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


def _bands(rows: Binary, resamples: Resamples) -> tuple[Band | None, Band | None]:
    """The middle 95 % of draws: of the sensitivity at each 1 - specificity, and of the PPV at each sensitivity."""
    _, tp, fp = resampled_counts(rows.p, rows.y, rows.patients, resamples)
    both = [(tp[:, k], fp[:, k]) for k in range(resamples.draws) if tp[-1, k] > 0 and fp[-1, k] > 0]
    return _middle([_roc_heights(*draw) for draw in both]), _middle([_pr_heights(*draw) for draw in both])


def _roc_heights(tp: Float64, fp: Float64) -> Float64:
    heights = np.interp(GRID, np.append(0.0, fp) / fp[-1], np.append(0.0, tp) / tp[-1])
    return np.asarray(heights, np.float64)


def _pr_heights(tp: Float64, fp: Float64) -> Float64:
    """PPV at the first threshold that reaches the sensitivity."""
    least = np.maximum(GRID * tp[-1], 1e-9)  # a sensitivity of 0 has no PPV
    place = np.minimum(np.searchsorted(tp, least, side="left"), len(tp) - 1)
    return np.asarray(tp[place] / (tp[place] + fp[place]), np.float64)


def _middle(heights: list[Float64]) -> Band | None:
    if not heights:
        return None
    low, high = np.quantile(np.stack(heights), [0.025, 0.975], axis=0)
    return GRID, low, high


def _curve(x: Float64, y: Float64, band: Band | None) -> Curve:
    if band is None:
        return Curve(_rounded(x), _rounded(y))
    where, low, high = band
    return Curve(_rounded(x), _rounded(y), _rounded(low), _rounded(high), _rounded(where))


def _rounded(values: Float64) -> tuple[float, ...]:
    """Five digits: finer than a screen, and a third of the text."""
    return tuple(float(v) for v in np.round(values, 5))
