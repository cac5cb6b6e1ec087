"""Fewer features for the scan model: which of the slice network's features to keep, or how to combine them.

Burduja et al. 2020, section 3.2 and table 2: largest standard deviation; lowest or highest weights, in absolute value,
"for each output class"; PCA fitted on 30,000 vectors; or the predictions alone. Fitted on training patients only.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError, UsageError
from ichscan.train.workbench_sequence_tables import Select
from ichscan.types import Float32, Float64

SCHEMA: Final = "ichscan.selector/1"
_CHUNK: Final = 8192


@dataclass(frozen=True, slots=True)
class Selector:
    """A fitted selection.

    Attributes:
        method: of the recipe table [select].
        width: features that it takes.
        columns: int64 (count,), features kept, most important first; empty for "pca" and "predictions".
        mean: float64 (width,), components: float64 (count, width), of "pca"; otherwise empty.
        facts: how it was fitted: vectors used, seed, share of variance explained.
    """

    method: str
    width: int
    columns: NDArray[np.int64]
    mean: Float64
    components: Float64
    facts: dict[str, Any]

    def transform(self, features: Float32, logits: Float32) -> Float32:
        """Float32 (n, width) and the slice network's logits (n, labels) -> float32 (n, count).

        Works through memory-mapped features in pieces. "predictions" gives probabilities.
        """
        if self.method == "predictions":
            return np.asarray(1 / (1 + np.exp(-logits.astype(np.float64))), np.float32)
        if features.ndim != 2 or features.shape[1] != self.width:
            raise DataError(f"feature selection: fitted on width {self.width}, found features {features.shape}")
        count = len(self.components) if self.method == "pca" else len(self.columns)
        out = np.empty((len(features), count), np.float32)
        for rows, piece in _pieces(features, np.arange(len(features))):
            if self.method == "pca":
                out[rows] = (piece - self.mean) @ self.components.T
            else:
                out[rows] = piece[:, self.columns]
        return out

    def save(self, path: Path) -> None:
        """Writes an .npz without pickle, replaced atomically."""
        head = json.dumps({"schema": SCHEMA, "method": self.method, "width": self.width, "facts": self.facts})
        part = path.with_name(path.name + ".part")
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            np.savez(
                file,
                head=np.frombuffer(head.encode(), np.uint8),
                columns=self.columns,
                mean=self.mean,
                components=self.components,
            )
        os.replace(part, path)


def load_selector(path: Path) -> Selector:
    """Reads what `Selector.save` wrote; DataError when it is something else."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            head = json.loads(stored["head"].tobytes())
            arrays = {name: stored[name] for name in ("columns", "mean", "components")}
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{path}: expected a selector ({SCHEMA}), found something else: {error}") from error
    if head.get("schema") != SCHEMA:
        raise DataError(f"{path}: expected schema {SCHEMA}, found {head.get('schema')}; fit it again")
    return Selector(head["method"], head["width"], facts=head["facts"], **arrays)


def fit_selector(
    config: Select, features: Float32, *, rows: NDArray[np.int64] | None = None, weight: Float32 | None = None
) -> Selector:
    """Fits a selection to the features of training slices.

    Args:
        config: recipe table [select].
        features: float32 (n, width); may be memory-mapped.
        rows: int64, the training slices among them; None = all.
        weight: float32 (labels, width), the slice network's last linear layer; for the methods by weight.

    Raises UsageError for an impossible count or a missing weight.
    """
    width = features.shape[1]
    count = config.count or width
    if config.method in ("all", "predictions"):
        return _columns(config.method, width, np.arange(width if config.method == "all" else 0), {})
    if count > width:
        raise UsageError(f"[select].count: expected at most the {width} features, found {count}")
    if config.method in ("weights_largest", "weights_smallest"):
        if weight is None or weight.ndim != 2 or weight.shape[1] != width:
            found = None if weight is None else weight.shape
            raise UsageError(f"[select].method {config.method}: expected classifier weights (labels, {width}) of a "
                             f"linear head, found {found}")  # fmt: skip
        chosen = columns_by_weight(weight, count, config.method == "weights_largest")
        return _columns(config.method, width, chosen, {"labels": len(weight)})
    used, facts = _subset(len(features) if rows is None else len(rows), config)
    places = used if rows is None else rows[used]
    if config.method == "pca":
        return _fit_pca(count, features, places, facts)
    spread = standard_deviations(features, places)
    return _columns("std", width, np.argsort(-spread, kind="stable")[:count], facts)


def _subset(available: int, config: Select) -> tuple[NDArray[np.int64], dict[str, Any]]:
    """Which of the training slices are fitted on, in ascending order."""
    used = min(config.fitted_on or available, available)
    rng = np.random.default_rng(config.seed)
    facts = {"vectors": used, "of": available, "seed": config.seed}
    return np.sort(rng.choice(available, used, replace=False)), facts


def columns_by_weight(weight: Float32, count: int, largest: bool) -> NDArray[np.int64]:
    """Features with the largest (or smallest) absolute weights for each class, the classes taking turns.

    "Selecting features with the lowest or highest weights (in absolute value) for each output class" (Burduja et al.
    2020, section 3.2). A feature that another class already took is passed over, so that exactly `count` come out.
    """
    magnitude = np.abs(weight.astype(np.float64))
    orders = np.argsort(-magnitude if largest else magnitude, axis=1, kind="stable")
    taken: dict[int, None] = {}
    queues = [iter(order.tolist()) for order in orders]
    while len(taken) < count:
        for queue in queues:
            column = next((c for c in queue if c not in taken), None)
            if column is not None and len(taken) < count:
                taken[column] = None
    return np.array(list(taken), np.int64)


def standard_deviations(features: Float32, rows: NDArray[np.int64]) -> Float64:
    """Standard deviation of each feature over `rows`, float64 (width,), in two passes over pieces."""
    mean = sum(piece.sum(axis=0) for _, piece in _pieces(features, rows)) / len(rows)
    squares = sum(((piece - mean) ** 2).sum(axis=0) for _, piece in _pieces(features, rows))
    return np.asarray(np.sqrt(squares / len(rows)), np.float64)


def _fit_pca(count: int, features: Float32, rows: NDArray[np.int64], facts: dict[str, Any]) -> Selector:
    from sklearn.decomposition import PCA

    if len(rows) < count:
        raise UsageError(f"[select].method pca: {count} components need as many vectors, found {len(rows)}")
    pca = PCA(count, svd_solver="full").fit(np.asarray(features[rows], np.float64))
    facts = {**facts, "explained_variance": float(pca.explained_variance_ratio_.sum())}
    empty = np.empty(0, np.int64)
    return Selector("pca", features.shape[1], empty, np.asarray(pca.mean_), np.asarray(pca.components_), facts)


def _columns(method: str, width: int, columns: NDArray[np.int64], facts: dict[str, Any]) -> Selector:
    return Selector(method, width, columns.astype(np.int64), np.empty(0), np.empty((0, width)), facts)


def _pieces(features: Float32, rows: NDArray[np.int64]) -> Iterator[tuple[slice, Float64]]:
    for start in range(0, len(rows), _CHUNK):
        part = slice(start, min(start + _CHUNK, len(rows)))
        yield part, np.asarray(features[rows[part]], np.float64)
