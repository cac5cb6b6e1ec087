"""Predictions of slices as a table: Parquet with `slice_id` and one column per label."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError, MissingExtraError
from ichscan.labels import LABELS


def read_predictions(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """Reads a table of predictions; other columns than the seven are left alone.

    Returns:
        The slice ids, and float64 (slices, 6) probabilities in the order of `ichscan.labels.LABELS`; absent values
        are NaN.

    Raises:
        DataError: no Parquet file, or a column is missing or of another kind.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingExtraError("reading Parquet needs pyarrow; pip install 'ichscan[data]'") from error
    wanted = ("slice_id", *LABELS)
    try:
        names = pq.read_schema(path).names
        missing = [name for name in wanted if name not in names]
        if missing:
            raise DataError(f"{path}: expected the columns {', '.join(wanted)}; {', '.join(missing)} not found")
        table = pq.read_table(path, columns=list(wanted))
        ids = table["slice_id"].cast(pa.string())
        columns = [table[name].cast(pa.float64()).to_numpy() for name in LABELS]
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as a Parquet table of predictions ({error})") from error
    if ids.null_count:
        raise DataError(f"{path}: {ids.null_count} rows have no slice_id")
    return tuple(ids.to_pylist()), np.stack(columns, axis=1)
