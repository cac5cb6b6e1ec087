"""Figures of a training run: ROC and reliability of `any`, and how the probability separates the scans."""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ichscan.evaluate.metrics import auc
from ichscan.labels import ANY, LABELS
from ichscan.train.outcome import Level, OutOfFold

mpl.use("Agg")


def draw_figures(folder: Path, oof: OutOfFold, slices: Level, scans: Level) -> None:
    """Writes roc.png, reliability.png and scans.png."""
    folder.mkdir(parents=True, exist_ok=True)
    _roc(folder / "roc.png", oof, slices, scans)
    _reliability(folder / "reliability.png", slices.probabilities[:, ANY], oof.slice_labels[:, ANY])
    _scans(folder / "scans.png", oof, scans)


def _roc(path: Path, oof: OutOfFold, slices: Level, scans: Level) -> None:
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    for axes, level, labels, name in zip(
        figure.subplots(1, 2), (slices, scans), (oof.slice_labels, oof.scan_labels), ("slices", "scans"), strict=True
    ):
        for c, label in enumerate(LABELS):
            y = labels[:, c]
            if y.min() == y.max():
                continue
            order = np.argsort(-level.probabilities[:, c], kind="stable")
            tpr = np.concatenate([[0], np.cumsum(y[order]) / y.sum()])
            fpr = np.concatenate([[0], np.cumsum(1 - y[order].astype(int)) / (1 - y.astype(int)).sum()])
            text = f"{label} {auc(level.probabilities[:, c], y):.3f} (n={int(y.sum())})"
            axes.plot(fpr, tpr, label=text, linewidth=2.4 if c == ANY else 1.1)
        axes.plot([0, 1], [0, 1], color="0.8", linewidth=1)
        _frame(axes, f"ROC, {name}, out of fold", "1 - specificity", "sensitivity")
        axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=110)


def _reliability(path: Path, p: NDArray[np.float64], y: NDArray[np.uint8]) -> None:
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    axes = figure.subplots()
    parts = np.array_split(np.argsort(p, kind="stable"), 12)
    axes.plot([0, 1], [0, 1], color="0.8")
    axes.plot([p[k].mean() for k in parts], [y[k].mean() for k in parts], marker="o")
    _frame(axes, "Reliability of any, slices, out of fold", "mean probability", "share with hemorrhage")
    figure.savefig(path, dpi=110)


def _scans(path: Path, oof: OutOfFold, scans: Level) -> None:
    figure = Figure(figsize=(10, 3.4), layout="constrained")
    axes = figure.subplots()
    p, y = scans.probabilities[:, ANY], oof.scan_labels[:, ANY]
    order = np.argsort(p)
    axes.bar(np.arange(len(p)), p[order], color=["#c0392b" if y[k] else "#7f9fb5" for k in order])
    axes.axhline(scans.threshold[ANY], color="black", linewidth=1)
    axes.set_xticks(np.arange(len(p)), [oof.patients[k] for k in order], rotation=90, fontsize=6)
    _frame(
        axes,
        "Scan probability of any by patient, out of fold; red = hemorrhage; line = threshold",
        "patient",
        "probability",
    )
    axes.set_xlim(-0.6, len(p) - 0.4)
    figure.savefig(path, dpi=110)


def _frame(axes: Any, title: str, x: str, y: str) -> None:
    axes.set(title=title, xlabel=x, ylabel=y, ylim=(0, 1.02))
    axes.title.set_fontsize(10)
