"""Predictions of slices as a table: Parquet or CSV with `slice_id` and one column per label."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError
from ichscan.evaluate.sources.table import named, number_column, read_columns
from ichscan.labels import LABELS


def read_predictions(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Reads a table of predictions; other columns than the seven are left alone.

    Returns:
        The slice ids, and float64 (slices, 6) probabilities in the order of `ichscan.labels.LABELS`; absent values
        are NaN.

    Raises:
        DataError: no such table, or a column is missing or of another kind.
        MissingExtraError: pyarrow is not installed.
    """
    table = read_columns(path)
    wanted = ("slice_id", *LABELS)
    missing = [name for name in wanted if name not in table.column_names]
    if missing:
        raise DataError(f"{path}: expected the columns {', '.join(wanted)}; {', '.join(missing)} not found")
    ids, _ = named(table, path)
    return tuple(ids.to_pylist()), np.stack([number_column(table, name, path) for name in LABELS], axis=1)
