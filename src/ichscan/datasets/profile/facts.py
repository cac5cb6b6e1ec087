"""The tables of a store, and their columns as arrays, one at a time."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow
from ichscan.datasets.scans import series_starts
from ichscan.datasets.store import SliceStore
from ichscan.types import Float64

if TYPE_CHECKING:
    import pyarrow as pa

UIDS = ("patient_id", "study_uid", "series_uid")
UInt8 = NDArray[np.uint8]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Facts:
    """What every section counts in.

    Attributes:
        table: one row per slice, sorted by patient, study, series, index (`schema.TABLE`).
        scans: one row per series (`schema.SCANS`).
        starts: int64 (series,), first row of each series in `table`.
        labels: uint8 (slices, 6), `schema.UNKNOWN` where not known.
    """

    table: "pa.Table"
    scans: "pa.Table"
    starts: Int64
    labels: UInt8

    @property
    def slices(self) -> int:
        """Number of slices."""
        return int(self.table.num_rows)

    @property
    def lengths(self) -> Int64:
        """Slices per series, int64 (series,)."""
        return np.diff(np.append(self.starts, self.slices))

    @property
    def series_of_row(self) -> Int64:
        """Which series each slice belongs to, int64 (slices,)."""
        return np.repeat(np.arange(len(self.starts)), self.lengths)


def gather(store: SliceStore) -> Facts:
    """Reads the tables and labels of a store."""
    return Facts(store.table, store.scans, series_starts(store.table)[:-1], store.labels)


def numbers(table: "pa.Table", name: str) -> Float64:
    """A numeric column as float64 (rows,); NaN where null, and everywhere when the column does not exist."""
    pa = arrow()
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    return np.asarray(table[name].cast(pa.float64()).to_numpy(), np.float64)


def counts(table: "pa.Table", *names: str) -> list[tuple[tuple[str | int | float | None, ...], int]]:
    """How often each combination of values occurs, most frequent first; None stands for null.

    A column that does not exist counts as null everywhere.
    """
    pa = arrow()
    if table.num_rows == 0:
        return []
    columns = {n: table[n] if n in table.column_names else pa.nulls(table.num_rows, pa.string()) for n in names}
    grouped = pa.table(columns).group_by(list(names)).aggregate([([], "count_all")])
    rows = zip(*(grouped[name].to_pylist() for name in names), strict=True)
    found = list(zip(rows, grouped["count_all"].to_pylist(), strict=True))
    return sorted(found, key=lambda entry: (-entry[1], tuple(map(str, entry[0]))))


def distinct(table: "pa.Table", name: str) -> int:
    """Number of different texts; null and "" are none."""
    import pyarrow.compute as pc

    values = pc.unique(table[name])
    return len(values) - int(pc.sum(pc.equal(pc.fill_null(values, ""), "")).as_py() or 0)
