"""Predictions beside the truth: slices, and scans by the recipe's rule."""

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.schema import UNKNOWN
from ichscan.datasets.store import SliceStore
from ichscan.labels import ANY, LABELS
from ichscan.train.experiment.prediction_table import Predictions
from ichscan.train.workbench_recipe import WorkbenchRecipe
from ichscan.train.workbench_tables import Data
from ichscan.types import Float64


@dataclass(frozen=True, slots=True)
class Level:
    """What is judged.

    Attributes:
        labels: names of the k labels.
        p: float64 (n, k).
        y: uint8 (n, k), 255 = unknown.
        patients: str (n,).
        folds: int64 (n,).
        ids: str (n,).
    """

    labels: tuple[str, ...]
    p: Float64
    y: NDArray[np.uint8]
    patients: NDArray[np.str_]
    folds: NDArray[np.int64]
    ids: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Rows whose labels are all known, bool (n,)."""
        return np.asarray((self.y != UNKNOWN).all(axis=1))


def judged(recipe: WorkbenchRecipe) -> Data:
    """Which slices count: those of [data]; behind a detector all, with all labels."""
    if recipe.ensemble.detector:
        return dataclasses.replace(recipe.data, labels=LABELS, slices="all", without=())
    return recipe.data


def slice_level(store: SliceStore, table: Predictions, data: Data) -> Level:
    """The predicted slices that [data] counts and that have a known label."""
    rows = np.array(_places(store.table["slice_id"].to_pylist(), table.ids), np.int64)
    labels = store.labels[rows] if len(rows) else np.empty((0, len(LABELS)), np.uint8)
    keep = (labels[:, data.columns] != UNKNOWN).any(axis=1)
    if data.slices == "hemorrhagic":
        keep &= labels[:, ANY] == 1
    for name in data.without:
        keep &= labels[:, LABELS.index(name)] != 1
    patients = np.array(store.table["patient_id"].to_pylist(), np.str_)[rows]
    kept = table.where(keep)
    return Level(data.labels, kept.values, labels[keep][:, data.columns], patients[keep], kept.fold, kept.ids)


def scan_level_by_slices(store: SliceStore, table: Predictions, slices: Level, data: Data) -> Level:
    """A scan is as suspicious as its most suspicious slice (P1 section III: positive if at least one slice is).

    Only slices that [data] counts speak for a scan; a collection with labels of whole scans alone lets all of them.
    """
    counts = np.isin(table.ids, slices.ids) if len(slices) else np.ones(len(table), np.bool_)
    place = {name: i for i, name in enumerate(table.ids.tolist())}
    names = store.table["slice_id"].to_pylist()
    found: list[tuple[int, Float64, int]] = []
    for number, series in enumerate(store.series()):
        own = np.array([place.get(names[row], -1) for row in series.rows.tolist()])
        own = own[own >= 0]
        own = own[counts[own]]
        if len(own):
            found.append((number, table.values[own].max(axis=0), int(table.fold[own[0]])))
    return _of_scans(store, data, found)


def scan_level_by_head(store: SliceStore, table: Predictions, slices: Level, data: Data) -> Level:
    """The scan model's own output, for the scans that `scan_level_by_slices` would judge."""
    place = {name: i for i, name in enumerate(table.ids.tolist())}
    known = set(slices.ids.tolist())
    names = store.table["slice_id"].to_pylist()
    found = []
    for number, series in enumerate(store.series()):
        i = place.get(series.series_uid)
        if i is not None and (not known or any(names[row] in known for row in series.rows.tolist())):
            found.append((number, table.values[i], int(table.fold[i])))
    return _of_scans(store, data, found)


def _of_scans(store: SliceStore, data: Data, found: list[tuple[int, Float64, int]]) -> Level:
    series = store.series()
    truth = store.scan_labels[[n for n, _, _ in found]][:, data.columns] if found else np.empty((0, len(data.labels)))
    truth = truth.astype(np.uint8)
    keep = (truth != UNKNOWN).any(axis=1)
    kept = [one for one, good in zip(found, keep, strict=True) if good]
    return Level(
        data.labels,
        np.array([p for _, p, _ in kept], np.float64).reshape(len(kept), len(data.labels)),
        truth[keep],
        np.array([series[n].patient for n, _, _ in kept], np.str_),
        np.array([fold for _, _, fold in kept], np.int64),
        np.array([series[n].series_uid for n, _, _ in kept], np.str_),
    )


def _places(names: list[str], wanted: NDArray[np.str_]) -> list[int]:
    place = {name: i for i, name in enumerate(names)}
    return [place[name] for name in wanted.tolist()]
