"""Learning curves of one or several runs, with 95 % confidence bands over the runs (P4 figures 4 and 5)."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from ichscan.train.history import Epoch

mpl.use("Agg")

STUDENT_95: Final = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t for 1 to 9 degrees of freedom; beyond, the normal distribution's."""


def confidence_band(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and half width of the 95 % confidence interval of the mean over runs.

    Args:
        values: float64 (runs, epochs), NaN where a run had ended.

    Returns:
        Both float64 (epochs,); the half width is 0 where there is one run only.
    """
    count = np.sum(~np.isnan(values), axis=0)
    mean = np.nanmean(values, axis=0)
    half = np.zeros_like(mean)
    for k, n in enumerate(count):
        if n > 1:
            quantile = STUDENT_95[n - 2] if n - 2 < len(STUDENT_95) else 1.96
            half[k] = quantile * np.nanstd(values[:, k], ddof=1) / math.sqrt(n)
    return mean, half


def draw_learning(path: Path, runs: Sequence[Sequence[Epoch]]) -> None:
    """Writes training and validation curves of `runs` (e.g. one per seed): loss on the left, the rest on the right."""
    figure = Figure(figsize=(12, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _curve(left, "training loss", [[e.train_loss for e in run] for run in runs])
    names = list(dict.fromkeys(n for run in runs for e in run for n in e.metrics))
    for name in names:
        series = [[e.metrics.get(name, math.nan) for e in run] for run in runs]
        _curve(left if name == "loss" else right, f"validation {name}".replace("_", " "), series)
    left.set(title=f"Loss, {len(runs)} run{'s' * (len(runs) > 1)}", xlabel="epoch", ylabel="loss")
    right.set(title="Validation metrics", xlabel="epoch")
    for axes in (left, right):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_ylim(0, 1.02)  # all of them are shares or areas; bands of few runs reach beyond
    if left.lines:
        left.legend(fontsize=7)
    if right.lines:  # outside: there are many, and they would hide the curves
        right.legend(fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.savefig(path, dpi=110)


def _curve(axes: "mpl.axes.Axes", label: str, series: Sequence[Sequence[float]]) -> None:
    values = np.full((len(series), max(len(s) for s in series)), math.nan)
    for k, s in enumerate(series):
        values[k, : len(s)] = s
    if np.isnan(values).all(axis=0).any():
        return
    mean, half = confidence_band(values)
    epochs = np.arange(1, len(mean) + 1)
    axes.plot(epochs, mean, marker="o", markersize=3, label=label)
    if half.any():
        axes.fill_between(epochs, mean - half, mean + half, alpha=0.2)
