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


def draw_tsne(
    path: Path,
    before: NDArray[np.float32],
    after: NDArray[np.float32],
    labels: NDArray[np.uint8],
    *,
    limit: int = 3000,
    perplexity: float = 30.0,
    seed: int = 0,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Features before and after training in two dimensions by t-SNE (van der Maaten & Hinton 2008), side by side.

    Hoseyni et al. 2024, figure 6: features by ImageNet's weights and by the trained network; red = hemorrhage.

    Args:
        path: of the PNG.
        before: float32 (n, width), before training.
        after: float32 (n, width), of the same slices afterwards.
        labels: uint8 (n,), `any`.
        limit: largest number of slices shown: all positives first, then negatives, drawn by `seed`.
        perplexity: of t-SNE; at most a third of the slices.
        seed: of the choice and of t-SNE.

    Returns:
        The points, float32 (shown, 2), before and after.
    """
    from sklearn.manifold import TSNE

    order = np.random.default_rng(seed).permutation(len(labels))
    rows = np.sort(order[np.argsort(labels[order] != 1, kind="stable")][:limit])
    y = labels[rows] == 1
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    points = []
    for axes, features, name in zip(figure.subplots(1, 2), (before, after), ("before", "after"), strict=True):
        few = max(1.0, min(perplexity, (len(rows) - 1) / 3))
        flat = TSNE(perplexity=few, init="pca", random_state=seed).fit_transform(np.array(features[rows], np.float32))
        for chosen, color, text in ((~y, "#7f9fb5", "no hemorrhage"), (y, "#c0392b", "hemorrhage")):
            axes.scatter(*flat[chosen].T, s=6, color=color, label=f"{text} (n={int(chosen.sum())})", linewidths=0)
        axes.set(title=f"t-SNE of the features, {name} training", xticks=[], yticks=[])
        axes.title.set_fontsize(10)
        axes.legend(fontsize=8)
        points.append(np.asarray(flat, np.float32))
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return points[0], points[1]
