"""Validation predictions of slice models: one array per run and epoch, and one Parquet table of all."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow, write_parquet, write_whole
from ichscan.errors import OutputError
from ichscan.train.history import History


class Predicted(NamedTuple):
    """What was predicted by one run: slice_id of the slices, in the order of its arrays."""

    names: tuple[str, ...]
    fold: int
    seed: int
    history: History


def validation_file(folder: Path, epoch: int) -> Path:
    """Probabilities of a run's validation slices after an epoch (from 1): float32 (slices, k)."""
    return folder / f"validation_{epoch}.npy"


def save_probabilities(folder: Path, epoch: int, probabilities: NDArray[np.float64]) -> None:
    """Writes `validation_file`. Raises OutputError when the disk does not take it."""
    buffer = io.BytesIO()
    np.save(buffer, probabilities.astype(np.float32), allow_pickle=False)
    path = validation_file(folder, epoch)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(path, buffer.getbuffer())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def write_predictions(path: Path, labels: Sequence[str], runs: Sequence[Predicted]) -> None:
    """Writes the columns slice_id, fold, seed, epoch and one probability per label; a row per slice, run and epoch.

    Raises OutputError when the disk does not take it.
    """
    pa = arrow()
    names: list[str] = []
    numbers: dict[str, list[int]] = {"fold": [], "seed": [], "epoch": []}
    values: list[NDArray[np.float32]] = []
    for run in runs:
        for entry in run.history.epochs:
            names += run.names
            for column, number in zip(numbers.values(), (run.fold, run.seed, entry.number), strict=True):
                column += [number] * len(run.names)
            values.append(np.load(validation_file(run.history.folder, entry.number), allow_pickle=False))
    joined = np.concatenate(values)
    table: dict[str, Any] = {"slice_id": pa.array(names, pa.string())}
    table |= {name: pa.array(column, pa.int32()) for name, column in numbers.items()}
    table |= {name: pa.array(joined[:, c], pa.float32()) for c, name in enumerate(labels)}
    try:
        write_parquet(pa.table(table), path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error
