"""Checks a store to the last slice: pixels against checksums, tables against each other."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.assemble import content_digest
from ichscan.datasets.scans import label_array, series_starts
from ichscan.datasets.schema import TABLE, UNKNOWN, schema
from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import DataError
from ichscan.labels import ANY

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_PER_JOB: Final = 128
SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found.

    Attributes:
        slices: that were read.
        faults: what makes the store unusable or untrue, one sentence each.
        notes: what is worth knowing, one sentence each.
    """

    slices: int
    faults: tuple[str, ...]
    notes: tuple[str, ...]


def verify(path: Path, progress: Callable[[int, int], None] | None = None) -> Verified:
    """Reads every slice of a store and compares it with its checksum; checks tables, order, labels and digest.

    Args:
        path: of the store.
        progress: called with slices done and slices in all.

    Raises:
        DataError: no store, or its tables cannot be read at all.
    """
    store = open_store(path)
    table = store.table
    faults = [*_structure(store), *_order(table), *_labels(store), *_packs(store)]
    damaged = list(_damaged(store, progress or (lambda done, total: None)))
    faults += damaged[:SHOWN]
    if len(damaged) > SHOWN:
        faults.append(f"and {len(damaged) - SHOWN} more slices that cannot be read")
    return Verified(len(table), tuple(faults), tuple(_notes(store)))


def _structure(store: SliceStore) -> Iterator[str]:
    table, counts = store.table, store.manifest["counts"]
    if table.schema.remove_metadata() != schema(TABLE):
        yield "table.parquet: columns or their types differ from the schema; import the data again"
    if len(table) != counts["slices"] or len(store.scans) != counts["series"]:
        expected, found = (counts["slices"], counts["series"]), (len(table), len(store.scans))
        yield f"tables: expected {expected[0]} slices in {expected[1]} series, found {found[0]} in {found[1]}"
    if content_digest(table) != store.digest:
        yield "table.parquet: the digest differs from the manifest's: the table was changed after the import"
    names = table["slice_id"]
    if len(names.unique()) != len(names):
        yield f"table.parquet: {len(names) - len(names.unique())} values of slice_id are there more than once"
    bounds = series_starts(table)[:-1]
    for column in ("patient_id", "study_uid", "series_uid"):
        if table[column].take(bounds).to_pylist() != store.scans[column].to_pylist():
            yield f"scans.parquet: {column} does not follow table.parquet"
    if set(store.boxes["slice_id"].to_pylist()) - set(names.to_pylist() if len(store.boxes) else []):
        yield "boxes.parquet: boxes of slices that are not in the table"


def _order(table: "pa.Table") -> Iterator[str]:
    index, position = table["index"].to_numpy(), table["position_mm"].to_numpy()
    same = index[1:] != 0
    if (len(index) and index[0] != 0) or bool((np.diff(index)[same] != 1).any()):
        yield "table.parquet: index does not count up within the series"
    if bool((np.diff(position)[same] < 0).any()):
        yield "table.parquet: positions do not ascend within a series"


def _labels(store: SliceStore) -> Iterator[str]:
    for name, labels in (("table.parquet", store.labels), ("scans.parquet", label_array(store.scans))):
        if not np.isin(labels, (0, 1, UNKNOWN)).all():
            yield f"{name}: labels other than 0, 1 and null"
    known = (store.labels != UNKNOWN).all(axis=1)
    union = (store.labels[:, :ANY] == 1).any(axis=1)
    wrong = int((known & (union != (store.labels[:, ANY] == 1))).sum())
    if wrong:
        yield f"table.parquet: {wrong} slices where `any` is not the union of the types"


def _packs(store: SliceStore) -> Iterator[str]:
    """No two slices overlap, and no pack is without slices. Gaps are slices that were left out as duplicates."""
    packs, places = store.places
    order = np.lexsort((places[:, 0], np.array(packs)))
    expected: dict[str, int] = {}
    for row in order:
        offset, length = int(places[row, 0]), int(places[row, 1])
        if offset < expected.get(packs[row], 0):
            yield f"slices/{packs[row]}: two slices overlap at byte {offset:,}"
        expected[packs[row]] = offset + length
    for name in sorted({p.name for p in (store.path / "slices").glob("*.pack")} - set(expected)):
        if (store.path / "slices" / name).stat().st_size:
            yield f"slices/{name}: belongs to no slice of the table"


def _damaged(store: SliceStore, progress: Callable[[int, int], None]) -> Iterator[str]:
    total = len(store)
    jobs = [range(start, min(start + ROWS_PER_JOB, total)) for start in range(0, total, ROWS_PER_JOB)]

    def work(rows: range) -> list[str]:
        found = []
        for row in rows:
            try:
                store.hu(row, verify=True)
            except DataError as error:
                found.append(str(error))
        return found

    done = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for rows, found in zip(jobs, pool.map(work, jobs), strict=True):
            done += len(rows)
            progress(done, total)
            yield from found


def _notes(store: SliceStore) -> Iterator[str]:
    unknown = int((store.labels == UNKNOWN).all(axis=1).sum())
    if unknown:
        yield f"{unknown} of {len(store)} slices have no label of their own"
    twins = _shared_pixels(store)
    if twins:
        yield f"{twins} slices have the pixels of a slice of another patient: no split by patient parts them"


def _shared_pixels(store: SliceStore) -> int:
    """Slices whose checksum, size and compressed length occur under more than one patient."""
    _, places = store.places
    patients = np.asarray(store.table["patient_id"].combine_chunks().dictionary_encode().indices.to_numpy(), np.int64)
    # Compressed to next to nothing, a slice is one value throughout: that is no one's head.
    image: NDArray[np.bool_] = places[:, 1] > places[:, 2] * places[:, 3] // 100
    keys = places[image][:, 1:]
    order = np.lexsort(keys.T)
    keys, patients = keys[order], patients[image][order]
    starts = [0, *(np.flatnonzero((keys[1:] != keys[:-1]).any(axis=1)) + 1).tolist(), len(keys)]
    return sum(int(b - a) for a, b in pairwise(starts) if b - a > 1 and len(set(patients[a:b].tolist())) > 1)
