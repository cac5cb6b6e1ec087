"""A small labelled store, and predictions of it: tests change what matters to them."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from tests.datasets.tiny_store import slice_row, write_store

from ichscan.labels import LABELS

PATIENTS = 12
SLICES = 5
SUBDURAL = (0, 0, 0, 0, 1, 1)
BOTH = (1, 0, 0, 0, 1, 1)
HEALTHY = (0,) * 6


def labels_of(patient: int, index: int) -> tuple[int, ...]:
    """Every second patient bleeds in the middle slice; every fourth has two types there."""
    if patient % 2 == 0 or index != 2:
        return HEALTHY
    return BOTH if patient % 4 == 3 else SUBDURAL


def rows(**other: Any) -> list[dict[str, Any]]:
    return [slice_row(f"{p:03d}", i, labels_of(p, i), **other) for p in range(PATIENTS) for i in range(SLICES)]


def make_store(folder: Path, made: list[dict[str, Any]] | None = None) -> Path:
    """Slices that all differ."""
    made = rows() if made is None else made
    images = [np.full((32, 32), i % 800, np.int16) for i in range(len(made))]
    return write_store(folder, made, images)


def predictions(made: list[dict[str, Any]], seed: int = 0) -> dict[str, list[Any]]:
    """Columns slice_id and six probabilities that tend to be right."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {"slice_id": [row["slice_id"] for row in made]}
    for label in LABELS:
        truth = np.array([row[label] or 0 for row in made])
        columns[label] = np.clip(0.15 + 0.5 * truth + rng.uniform(-0.1, 0.35, len(made)), 0, 1).tolist()
    return columns


def write_table(path: Path, columns: dict[str, list[Any]]) -> Path:
    table = pa.table(columns)
    if path.suffix == ".csv":
        pacsv.write_csv(table, path)
    else:
        pq.write_table(table, path)
    return path
