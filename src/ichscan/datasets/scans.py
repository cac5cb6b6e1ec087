"""The table of scans: one row per series."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.collection import ScanReads
from ichscan.datasets.schema import SCANS, UNKNOWN, table_of
from ichscan.labels import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

COPIED = ("patient_id", "study_uid", "series_uid", "part", "description", "kernel", "thickness_mm", "rows", "cols")


def label_array(table: "pa.Table") -> NDArray[np.uint8]:
    """Labels of a table, uint8 (rows, 6) in the order of `LABELS`, `UNKNOWN` where null."""
    columns = [np.asarray(table[name].fill_null(UNKNOWN).to_numpy(), np.uint8) for name in LABELS]
    return np.stack(columns, axis=1)


def series_starts(table: "pa.Table") -> NDArray[np.int64]:
    """First rows of the series of a sorted table, and the number of rows: int64 (series + 1,)."""
    return np.append(np.flatnonzero(table["index"].to_numpy() == 0), len(table))


def scan_table(table: "pa.Table", reads: ScanReads | None) -> "pa.Table":
    """Builds scans.parquet.

    A scan's label is what readers of the whole scan said, or else the union of its slices: 1 when any slice has it, 0
    when all are known not to, unknown otherwise.
    """
    bounds = series_starts(table)
    labels = label_array(table)
    positions = table["position_mm"].to_numpy()
    first = table.select(list(COPIED)).take(bounds[:-1]).to_pylist()
    rows = []
    for facts, start, stop in zip(first, bounds[:-1], bounds[1:], strict=True):
        steps = np.diff(positions[start:stop])
        spacing = float(np.median(steps)) if len(steps) else None
        rows.append(
            {**facts, "slices": int(stop - start), "spacing_mm": spacing, **_labels(facts, labels[start:stop], reads)}
        )
    return table_of(rows, SCANS)


def _labels(facts: dict[str, Any], slices: NDArray[np.uint8], reads: ScanReads | None) -> dict[str, Any]:
    uid = facts["series_uid"]
    if reads is not None and uid in reads.labels:
        values, source = reads.labels[uid], "reads"
    else:
        values = tuple(union(slices))
        source = "slices" if any(value != UNKNOWN for value in values) else ""
    agreement = reads.agreement.get(uid) if reads is not None else None
    known = {name: None if v == UNKNOWN else int(v) for name, v in zip(LABELS, values, strict=True)}
    return {**known, "label_source": source, "agreement": agreement}


def union(slices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Labels of a scan from those of its slices, uint8 (slices, 6) -> (6,); see `scan_table`."""
    positive, unknown = (slices == 1).any(axis=0), (slices == UNKNOWN).any(axis=0)
    return np.where(positive, 1, np.where(unknown, UNKNOWN, 0)).astype(np.uint8)
