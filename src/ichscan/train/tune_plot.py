"""results.png of a tuning: a map where two keys were tried, otherwise the scores of every value of each key."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from ichscan.train.tune_grid import Grid, Value

mpl.use("Agg")
Trials = Sequence[tuple[Mapping[str, Value], float]]


def draw_trials(path: Path, grid: Grid, trials: Trials, score: str) -> None:
    """Writes the picture; `trials` are the values and the score of each."""
    varied = [key for key, values in grid.items() if len(values) > 1] or list(grid)[:1]
    if len(varied) == 2:
        figure = Figure(figsize=(6, 4.5), layout="constrained")
        _map(figure, grid, varied, trials, score)
    else:
        figure = Figure(figsize=(3.6 * len(varied), 3.6), layout="constrained")
        for axes, key in zip(np.atleast_1d(np.asarray(figure.subplots(1, len(varied)))), varied, strict=True):
            places = [grid[key].index(chosen[key]) for chosen, _ in trials]
            axes.plot(places, [value for _, value in trials], "o", alpha=0.6)
            axes.set_xticks(range(len(grid[key])), [str(v) for v in grid[key]])
            axes.set(xlabel=key, ylabel=score)
    figure.savefig(path, dpi=110)


def _map(figure: Figure, grid: Grid, varied: Sequence[str], trials: Trials, score: str) -> None:
    """The best score of each pair of values."""
    rows, columns = varied
    best = np.full((len(grid[rows]), len(grid[columns])), np.nan)
    for chosen, value in trials:
        i, j = grid[rows].index(chosen[rows]), grid[columns].index(chosen[columns])
        best[i, j] = np.nanmax([best[i, j], value])
    axes: Any = figure.subplots()
    image = axes.imshow(best, cmap="viridis", aspect="auto")
    for i, j in np.argwhere(~np.isnan(best)):
        ink = "black" if image.norm(best[i, j]) > 0.6 else "white"  # the map ends in yellow
        axes.text(j, i, f"{best[i, j]:.3f}", ha="center", va="center", color=ink, fontsize=8)
    axes.set_xticks(range(best.shape[1]), [str(v) for v in grid[columns]])
    axes.set_yticks(range(best.shape[0]), [str(v) for v in grid[rows]])
    axes.set(xlabel=columns, ylabel=rows, title=score)
    figure.colorbar(image)
