"""Predictions as Parquet: one row per slice or scan, one column per learned label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow, read_parquet, write_parquet
from ichscan.errors import DataError, OutputError
from ichscan.train.bagging import Probabilities
from ichscan.types import Float64

SLICE: Final = "slice_id"
SCAN: Final = "series_uid"


@dataclass(frozen=True, slots=True)
class Predictions:
    """Probabilities of slices or scans.

    Attributes:
        key: "slice_id" or "series_uid".
        ids: str (n,).
        values: float64 (n, labels).
        fold: int64 (n,), the fold that was held out for it; -1 = none (test).
    """

    key: str
    ids: NDArray[np.str_]
    values: Float64
    fold: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, chosen: NDArray[np.bool_]) -> "Predictions":
        """The rows where `chosen`, bool (n,), is true."""
        return Predictions(self.key, self.ids[chosen], self.values[chosen], self.fold[chosen])


def predictions(key: str, found: Probabilities, fold: int) -> Predictions:
    """Probabilities of one fold's patients."""
    return Predictions(key, found.ids, found.values, np.full(len(found.ids), fold, np.int64))


def join(parts: Sequence[Predictions]) -> Predictions:
    """One below the other.

    Raises:
        DataError: an id is in two of them: a patient would have been held out twice.
    """
    joined = Predictions(
        parts[0].key,
        np.concatenate([p.ids for p in parts]),
        np.concatenate([p.values for p in parts]),
        np.concatenate([p.fold for p in parts]),
    )
    if len(np.unique(joined.ids)) != len(joined.ids):
        raise DataError(f"predictions: a {joined.key} is held out in two folds; make the split again")
    return joined


def write_predictions(
    path: Path, table: Predictions, labels: Sequence[str], extra: Mapping[str, Sequence[Any]] | None = None
) -> None:
    """Writes the columns key, fold, one probability per label, and further ones.

    Raises:
        OutputError: the disk does not take it.
    """
    pa = arrow()
    columns: dict[str, Any] = {
        table.key: pa.array(table.ids.tolist(), pa.string()),
        "fold": pa.array(table.fold, pa.int32()),
    }
    columns |= {name: pa.array(table.values[:, c], pa.float64()) for c, name in enumerate(labels)}
    columns |= {name: pa.array(values) for name, values in (extra or {}).items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_parquet(pa.table(columns), path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); free space and start again") from error


def read_predictions(path: Path, key: str, labels: Sequence[str]) -> Predictions:
    """Reads what `write_predictions` wrote.

    Raises:
        DataError: absent, damaged, or without these labels.
    """
    table = read_parquet(path)
    missing = [name for name in (key, "fold", *labels) if name not in table.column_names]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join((key, 'fold', *labels))}; {', '.join(missing)} absent"
        )
    values = [table[name].to_numpy().astype(np.float64) for name in labels]
    return Predictions(
        key,
        np.array(table[key].to_pylist(), np.str_),
        np.stack(values, axis=1) if len(table) else np.empty((0, len(labels))),
        table["fold"].to_numpy().astype(np.int64),
    )
