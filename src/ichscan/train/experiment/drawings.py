"""Figures of an experiment: ROC, F1 over threshold for each fold and their mean, confusion matrices."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ichscan.datasets.schema import UNKNOWN
from ichscan.evaluate.metrics import auc, decide
from ichscan.evaluate.thresholds import GRID, f1_curve
from ichscan.labels import LABELS
from ichscan.train.experiment.levels import Level
from ichscan.types import Float64

mpl.use("Agg")
DPI = 110


def draw_outcome(
    folder: Path, validation: Mapping[str, Level], test: Mapping[str, Level], cuts: Mapping[str, Float64]
) -> None:
    """Writes roc_<part>.png, f1_over_threshold.png and confusion_<part>.png."""
    folder.mkdir(parents=True, exist_ok=True)
    for part, levels in (("validation", validation), ("test", test)):
        if levels:
            draw_roc(folder / f"roc_{part}.png", levels, part)
            draw_confusion(folder / f"confusion_{part}.png", levels, cuts, part)
    if "slices" in validation:
        draw_f1(folder / "f1_over_threshold.png", validation["slices"], cuts["slices"])


def draw_roc(path: Path, levels: Mapping[str, Level], part: str) -> None:
    """ROC of every label with both classes, one panel per level."""
    figure = Figure(figsize=(5 * len(levels), 4.6), layout="constrained")
    for axes, (name, level) in zip(_panels(figure, len(levels)), levels.items(), strict=True):
        for c, label in enumerate(level.labels):
            p, y = _known(level, c)
            if len(np.unique(y)) < 2:
                continue
            order = np.argsort(-p, kind="stable")
            hits = np.concatenate([[0], np.cumsum(y[order] == 1) / (y == 1).sum()])
            alarms = np.concatenate([[0], np.cumsum(y[order] == 0) / (y == 0).sum()])
            text = f"{label} {auc(p, y):.3f} (n={int((y == 1).sum())})"
            axes.plot(alarms, hits, label=text, linewidth=2.2 if label == LABELS[-1] else 1.1)
        axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        axes.set(title=f"ROC, {part}, {name}", xlabel="1 - specificity", ylabel="sensitivity", ylim=(0, 1.02))
        if len(axes.lines) > 1:
            axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=DPI)


def draw_f1(path: Path, level: Level, cuts: Float64) -> None:
    """F1 over the threshold: each fold's validation slices, their mean, and the chosen threshold (P1 figure 4)."""
    figure = Figure(figsize=(4.2 * len(level.labels), 3.6), layout="constrained")
    for c, (axes, label) in enumerate(zip(_panels(figure, len(level.labels)), level.labels, strict=True)):
        curves = []
        for fold in np.unique(level.folds):
            here = (level.folds == fold) & (level.y[:, c] != UNKNOWN)
            p, y = level.p[here, c], level.y[here, c]
            if (y == 1).any():
                curves.append(f1_curve(p, y))
                axes.plot(GRID, curves[-1], linewidth=0.9, label=f"fold {fold}")
        if curves:
            axes.plot(GRID, np.mean(curves, axis=0), color="black", linewidth=2, label="mean")
            axes.legend(fontsize=7)
        axes.axvline(cuts[c], color="0.5", linestyle="--", linewidth=1)
        axes.set(title=f"F1, {label}, slices", xlabel="threshold", ylabel="F1", ylim=(0, 1.02))
    figure.savefig(path, dpi=DPI)


def draw_confusion(path: Path, levels: Mapping[str, Level], cuts: Mapping[str, Float64], part: str) -> None:
    """One matrix per label (columns) and level (rows), with counts."""
    columns = max(len(level.labels) for level in levels.values())
    figure = Figure(figsize=(2.4 * columns + 0.6, 2.5 * len(levels)), layout="constrained")
    panels: Any = figure.subplots(len(levels), columns, squeeze=False)
    for row, (name, level) in zip(panels, levels.items(), strict=True):
        for c, label in enumerate(level.labels):
            found = decide(*_known(level, c), float(cuts[name][c]) if name in cuts else 0.5)
            _matrix(row[c], np.array([[found.tn, found.fp], [found.fn, found.tp]]))
            row[c].set_title(f"{label}, {name}", fontsize=9)
    figure.suptitle(part, fontsize=10)
    figure.savefig(path, dpi=DPI)


def _matrix(axes: Any, matrix: NDArray[np.int64]) -> None:
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i in range(2):
        for j in range(2):
            axes.text(
                j, i, f"{matrix[i, j]:,}", ha="center", va="center", color="white" if shares[i, j] > 0.6 else "0.1"
            )
    axes.set_xticks([0, 1], ["no", "yes"])
    axes.set_yticks([0, 1], ["no", "yes"])
    axes.set_xlabel("decided", fontsize=8)
    axes.set_ylabel("true", fontsize=8)


def _known(level: Level, column: int) -> tuple[Float64, NDArray[np.uint8]]:
    known = level.y[:, column] != UNKNOWN
    return level.p[known, column], level.y[known, column]


def _panels(figure: Figure, count: int) -> list[Any]:
    return list(np.atleast_1d(np.asarray(figure.subplots(1, count))))
