"""Where a network looks, and what training did to its features: P1 figures 6 and 7.

figures/
  class_maps.png   the most suspicious hemorrhagic slices that the network never saw, with the lesions' boxes where the
                   collection has them, and their class maps
  tsne.png         features of such slices before and after training
"""

from pathlib import Path
from typing import Any, Final

import cv2
import matplotlib as mpl
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from ichscan.model.preprocess import normalise
from ichscan.train.classifier import SliceClassifier, build_classifier
from ichscan.train.experiment.bundle_networks import cell_maps
from ichscan.train.experiment.features_stage import features_folder
from ichscan.train.experiment.levels import Level
from ichscan.train.experiment.members import Member, members
from ichscan.train.experiment.stages import Experiment
from ichscan.train.feature_store import open_features
from ichscan.train.figures import draw_tsne
from ichscan.train.slice_images import SliceImages
from ichscan.train.slice_models import load_classifier
from ichscan.types import Float32

mpl.use("Agg")
SHOWN: Final = 6
POINTS: Final = 400
FEWEST: Final = 12
BATCH: Final = 16


def draw_looks(experiment: Experiment, level: Level, test: bool) -> None:
    """Draws both figures for one network and slices that it never saw; nothing when there are none.

    Args:
        experiment: with features and predictions.
        level: slices of the test or validation predictions.
        test: whether they are test slices, which no network saw.
    """
    member, chosen = _unseen(experiment, level, test)
    if member is None or not chosen.any():
        return
    folder = experiment.folder / "figures"
    names = {name: row for row, name in enumerate(experiment.store.table["slice_id"].to_pylist())}
    rows = np.array([names[name] for name in level.ids[chosen].tolist()], np.int64)
    learned = experiment.recipe.data.labels
    name = "any" if "any" in learned else learned[0]
    label = level.labels.index(name)
    p, y = level.p[chosen, label], level.y[chosen, label]
    network = load_classifier(experiment.recipe, member.weights)
    images = SliceImages(experiment.store, experiment.recipe.input)
    found = np.flatnonzero(y == 1)
    best = found[np.argsort(-p[found], kind="stable")][:SHOWN]
    if len(best):
        _draw_maps(folder / "class_maps.png", network, images, rows[best], p[best], learned.index(name))
    order = np.argsort(y != 1, kind="stable")[:POINTS]
    if len(order) >= FEWEST and len(np.unique(y[order])) == 2:
        before = _start(experiment, member)
        if before is not None:
            embedded = _embed(before, images, rows[order])
            draw_tsne(folder / "tsne.png", embedded, _after(experiment, member, rows[order]), y[order])


def _unseen(experiment: Experiment, level: Level, test: bool) -> tuple[Member | None, NDArray[np.bool_]]:
    """A network, and which of the slices it never saw, bool (n,)."""
    for member in members(experiment):
        if test:
            return member, np.ones(len(level), np.bool_)
        if member.held_out:
            return member, np.isin(level.patients, sorted(member.held_out))
    return None, np.zeros(len(level), np.bool_)


def _start(experiment: Experiment, member: Member) -> SliceClassifier | None:
    """The network before training; None when its file of start weights is gone."""
    recipe = experiment.recipe
    weights = recipe.network.weights
    if weights and weights != "imagenet" and not Path(weights).exists():
        return None
    torch.manual_seed(member.seed)
    network = build_classifier(recipe.network, len(recipe.input.channels), len(recipe.data.labels), recipe.input.size)
    return network.eval()


def _after(experiment: Experiment, member: Member, rows: NDArray[np.int64]) -> Float32:
    found = open_features(features_folder(experiment, member))
    return np.asarray(found.embedding[np.searchsorted(found.rows, rows)], np.float32)


@torch.inference_mode()
def _embed(network: SliceClassifier, images: SliceImages, rows: NDArray[np.int64]) -> Float32:
    """Float32 (n, width) of some rows of the store's table."""
    parts = []
    for start in range(0, len(rows), BATCH):
        x = normalise(np.stack([images.grey(int(r)) for r in rows[start : start + BATCH]]), images.spec)
        parts.append(network(torch.from_numpy(x)).embedding.numpy())
    return np.concatenate(parts)


@torch.inference_mode()
def _draw_maps(
    path: Path,
    network: SliceClassifier,
    images: SliceImages,
    rows: NDArray[np.int64],
    p: NDArray[np.float64],
    label: int,
) -> None:
    """Above the first channel, below the class map of one label over it, scaled to the strongest cell of each slice.

    Lesions' boxes are drawn on both, from the store.
    """
    grey = np.stack([images.grey(int(row)) for row in rows])
    out = network(torch.from_numpy(normalise(grey, images.spec)))
    maps = cell_maps(network, out.features)[:, label].clamp(min=0).numpy()
    figure = Figure(figsize=(2 * len(rows), 4.3), layout="constrained")
    panels: Any = figure.subplots(2, len(rows), squeeze=False)
    for i, (image, one) in enumerate(zip(grey[:, 0], maps, strict=True)):
        large = cv2.resize(one, image.shape[::-1], interpolation=cv2.INTER_LINEAR)
        for axes in panels[:, i]:
            axes.imshow(image, cmap="gray", vmin=0, vmax=255)
            axes.set_axis_off()
            for x, y, width, height in _lesions(images, int(rows[i])):
                axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor="#2aa876", linewidth=1.2))
        shown = large / max(float(large.max()), 1e-12)
        panels[1, i].imshow(shown, cmap="inferno", alpha=0.6 * shown, vmin=0, vmax=1)
        panels[0, i].set_title(f"p = {p[i]:.2f}", fontsize=9)
    figure.savefig(path, dpi=110)


def _lesions(images: SliceImages, row: int) -> list[tuple[float, float, float, float]]:
    """Boxes of a slice as (x, y, width, height) in pixels of the network's input, for matplotlib."""
    boxes = images.store.boxes_by_slice.get(images.store.table["slice_id"][row].as_py(), [])
    if not boxes:
        return []
    top, left, side = images.square(row)
    scale = images.spec.size / side
    # matplotlib's pixel 0 reaches from -.5 to .5
    return [
        ((x0 - left) * scale - 0.5, (y0 - top) * scale - 0.5, (x1 - x0) * scale, (y1 - y0) * scale)
        for _, x0, y0, x1, y1 in boxes
    ]
