"""Tables of predictions or labels: Parquet or CSV, ids as text, one column per label."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow
from ichscan.errors import DataError
from ichscan.evaluate.cases import UNKNOWN
from ichscan.labels import ANY, LABELS
from ichscan.types import Float64

if TYPE_CHECKING:
    import pyarrow as pa

IDS: Final = ("slice_id", "series_uid", "patient_id", "patient", "manufacturer", "kernel", "sex", "kind", "part")
SUFFIXES: Final = (".parquet", ".csv")


def read_columns(path: Path) -> "pa.Table":
    """Reads a table; ids are text, so that 049 stays 049.

    Raises:
        DataError: absent, of another kind, or damaged.
    """
    pa = arrow()
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    if path.suffix.lower() not in SUFFIXES:
        raise DataError(f"{path}: expected a table .parquet or .csv, found {path.suffix or 'no ending'!r}")
    try:
        if path.suffix.lower() == ".parquet":
            table = pq.read_table(path)
        else:
            convert = csv.ConvertOptions(column_types=dict.fromkeys(IDS, pa.string()), strings_can_be_null=True)
            table = csv.read_csv(path, convert_options=convert)
        for name in IDS:
            if name in table.column_names:
                table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; expected a table of predictions or labels") from error
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path}: cannot be read as a table ({error})") from error
    return table.combine_chunks()


def named(table: "pa.Table", path: Path, key: str = "slice_id") -> tuple["pa.Array", bool]:
    """Ids of the rows, and whether they are patient#index because the table has columns patient and slice.

    Raises:
        DataError: no such column, or a row without id.
    """
    pa = arrow()
    names = table.column_names
    if key in names:
        ids, by_place = table[key], False
    elif key == "slice_id" and {"patient", "slice"} <= set(names):
        pairs = zip(table["patient"].to_pylist(), table["slice"].to_pylist(), strict=True)
        ids, by_place = pa.chunked_array([pa.array([f"{p}#{i}" for p, i in pairs], pa.string())]), True
    else:
        hint = "; separate the columns by commas" if len(names) == 1 else ""
        raise DataError(f"{path}: expected a column {key}, found {', '.join(names)[:200]}{hint}")
    if ids.null_count:
        raise DataError(f"{path}: {ids.null_count:,} rows have no {key}; give every row one")
    return ids, by_place


def number_column(table: "pa.Table", name: str, path: Path | str = "table") -> Float64:
    """A column of numbers, float64 (rows,), NaN where null. Raises DataError when it holds something else."""
    pa = arrow()
    try:
        return np.asarray(table[name].cast(pa.float64()).to_numpy(), np.float64)
    except pa.ArrowException as error:
        raise DataError(f"{path}: column {name}: expected numbers, found something else ({error})") from error


def probabilities(table: "pa.Table", path: Path) -> Float64:
    """float64 (rows, 6), NaN in the columns of labels that are not predicted.

    Raises:
        DataError: no label's column, values outside [0, 1], or rows without value in a column that has some.
    """
    if not table.num_rows:
        raise DataError(f"{path}: expected one row per prediction, found none; write the table again")
    p = np.full((table.num_rows, len(LABELS)), np.nan)
    for c, label in enumerate(LABELS):
        if label in table.column_names and table[label].null_count < table.num_rows:
            p[:, c] = number_column(table, label, path)
            _check(p[:, c], f"{path}: column {label}")
    if np.isnan(p).all():
        raise DataError(
            f"{path}: expected a column of probabilities for one of {', '.join(LABELS)} at least, found "
            f"{', '.join(table.column_names)[:200]}"
        )
    return p


def _check(p: Float64, where: str) -> None:
    wrong = np.flatnonzero(~((p >= 0) & (p <= 1)))  # NaN is neither
    if len(wrong) and not np.isnan(p).all():
        raise DataError(
            f"{where}: expected probabilities from 0 to 1, found {p[wrong[0]]:g} in row {wrong[0] + 1} and "
            f"{len(wrong):,} such values; write probabilities, not logits or percent, and leave the whole column "
            "out when a label is not predicted"
        )


def true_labels(table: "pa.Table", path: Path) -> NDArray[np.uint8] | None:
    """Labels in columns `true_<label>`, or else `<label>`: uint8 (rows, 6), 255 = not known; None when there are none.

    Without a column `any` it is the union of the types.

    Raises:
        DataError: other values than 0, 1 and nothing.
    """
    prefix = "true_" if any(f"true_{label}" in table.column_names for label in LABELS) else ""
    columns = [f"{prefix}{label}" for label in LABELS]
    if not any(name in table.column_names for name in columns):
        return None
    y = np.full((table.num_rows, len(LABELS)), UNKNOWN, np.uint8)
    for c, name in enumerate(columns):
        if name in table.column_names:
            values = number_column(table, name, path)
            wrong = np.flatnonzero(~np.isnan(values) & (values != 0) & (values != 1) & (values != UNKNOWN))
            if len(wrong):
                raise DataError(
                    f"{path}: column {name}: expected labels 0, 1 or nothing, found {values[wrong[0]]:g} in row "
                    f"{wrong[0] + 1}; give the table that holds the labels, not the probabilities"
                )
            y[:, c] = np.where(np.isnan(values), UNKNOWN, values)
    if columns[ANY] not in table.column_names:
        types = y[:, :ANY]
        y[:, ANY] = np.where((types == 1).any(axis=1), 1, np.where((types == UNKNOWN).any(axis=1), UNKNOWN, 0))
    return y


def folds(table: "pa.Table", path: Path) -> NDArray[np.int64]:
    """Column `fold`, int64 (rows,); -1 where there is none."""
    if "fold" not in table.column_names:
        return np.full(table.num_rows, -1, np.int64)
    return np.nan_to_num(number_column(table, "fold", path), nan=-1).astype(np.int64)


def duplicates(ids: Any) -> list[str]:
    """Ids that are there more than once."""
    counted = ids.value_counts()
    if len(counted) == len(ids):
        return []
    pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
    return [str(value) for value, count in pairs if count > 1]
