"""Slices put together to scans: what a scan model is fitted on and what it predicts."""

import dataclasses
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.store import SliceStore
from ichscan.errors import DataError
from ichscan.train.feature_store import FeatureSet
from ichscan.types import Float32

UNKNOWN = 255


@dataclass(frozen=True, slots=True)
class Scans:
    """Scans of any length, as ranges of rows of common arrays; a subset shares them.

    Attributes:
        ids: str (n,), slice identifiers.
        features: float32 (n, width), memory-mapped or not.
        logits: float32 (n, labels), of the slice network.
        labels: uint8 (n, labels); 0, 1 or 255 = unknown.
        starts, stops: int64 (scans,): scan i is rows starts[i] to stops[i], from inferior to superior.
        patients: of each scan; splits never separate what shares it.
        names: of each scan, unique (the series instance UID).
    """

    ids: NDArray[np.str_]
    features: Float32
    logits: Float32
    labels: NDArray[np.uint8]
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    patients: tuple[str, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        n = len(self.ids)
        if not (len(self.features) == len(self.logits) == len(self.labels) == n):
            raise DataError(
                f"scans: expected {n} rows in every array, found {len(self.features)} features, {len(self.logits)} "
                f"logits, {len(self.labels)} labels"
            )
        if not (len(self.starts) == len(self.stops) == len(self.patients) == len(self.names)):
            raise DataError("scans: starts, stops, patients and names differ in length")
        if len(self.starts) and ((self.stops <= self.starts).any() or self.stops.max() > n or self.starts.min() < 0):
            raise DataError(f"scans: expected ranges of at least one of {n} rows")

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Slices of each scan."""
        return self.stops - self.starts

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of all slices, scan after scan."""
        return np.concatenate([np.arange(a, b) for a, b in zip(self.starts, self.stops, strict=True)])

    @property
    def slice_patients(self) -> NDArray[np.str_]:
        """Patient of each of `rows`."""
        return np.repeat(np.array(self.patients), self.lengths)

    @property
    def scan_labels(self) -> NDArray[np.uint8]:
        """Uint8 (scans, labels): 1 with a positive slice, 0 when all are known and negative, otherwise 255."""
        out = np.full((len(self), self.labels.shape[1]), UNKNOWN, np.uint8)
        for i, (a, b) in enumerate(zip(self.starts, self.stops, strict=True)):
            rows = self.labels[a:b]
            out[i, (rows != UNKNOWN).all(axis=0)] = 0
            out[i, (rows == 1).any(axis=0)] = 1
        return out

    def take(self, chosen: NDArray[np.bool_]) -> "Scans":
        """The scans where `chosen`, bool (scans,), is true."""
        kept = np.flatnonzero(chosen)
        return dataclasses.replace(
            self,
            starts=self.starts[kept],
            stops=self.stops[kept],
            patients=tuple(self.patients[i] for i in kept),
            names=tuple(self.names[i] for i in kept),
        )

    def of_patients(self, patients: Collection[str]) -> "Scans":
        """The scans of these patients."""
        wanted = set(patients)
        return self.take(np.array([p in wanted for p in self.patients], np.bool_))

    def labelled(self) -> "Scans":
        """The scans with at least one known label."""
        ranges = zip(self.starts, self.stops, strict=True)
        return self.take(np.array([bool((self.labels[a:b] != UNKNOWN).any()) for a, b in ranges], np.bool_))


def scans_of(store: SliceStore, features: FeatureSet, columns: Sequence[int]) -> Scans:
    """The scans whose features are in a set.

    Args:
        store: that the features were extracted from.
        features: whole series of it.
        columns: of the labels that the slice network learned, in its order.

    Raises DataError when the set belongs to another store, or holds a part of a series only.
    """
    if features.identity["store"] != store.digest:
        raise DataError("features: were extracted from another data set than this store; extract them again")
    ends = np.array([(s.rows[0], s.rows[-1] + 1) for s in store.series()], np.int64).reshape(-1, 2)
    bounds = np.searchsorted(features.rows, ends)
    series = [s for s, (a, b) in zip(store.series(), bounds, strict=True) if b > a]
    starts, stops = bounds[bounds[:, 1] > bounds[:, 0]].astype(np.int64).T
    for s, a, b in zip(series, starts, stops, strict=True):
        if b - a != len(s.rows):
            raise DataError(f"features: hold a part of series {s.series_uid} only; extract all slices of each series")
    ids = store.table["slice_id"].take(features.rows).to_numpy(zero_copy_only=False).astype(np.str_)
    return Scans(
        ids,
        features.embedding,
        features.logits,
        np.ascontiguousarray(store.labels[features.rows][:, list(columns)]),
        starts,
        stops,
        tuple(s.patient for s in series),
        tuple(s.series_uid for s in series),
    )


@dataclass(frozen=True, slots=True)
class Fold:
    """One side of a cross-validation. The features of both come from a slice network that saw `training` only.

    Attributes:
        training: scans to fit selection and scan model on.
        held_out: scans of other patients, to predict.
        weight: float32 (labels, width), that slice network's last layer, for selection by weight.
    """

    training: Scans
    held_out: Scans
    weight: Float32 | None = None

    def __post_init__(self) -> None:
        shared = set(self.training.patients) & set(self.held_out.patients)
        if shared:
            raise DataError(f"fold: {len(shared)} patients are on both sides of the split; split by patient")
