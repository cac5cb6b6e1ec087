"""All imported batches to one sorted, labelled table, the table of scans, the list of problems and the manifest."""

import csv
import hashlib
import io
import json
import platform
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan import __version__
from ichscan.datasets.arrow import arrow, write_parquet, write_whole
from ichscan.datasets.collection import Collection, Labelled, Plan, Problem
from ichscan.datasets.journal import Journal
from ichscan.datasets.ordering import ordered
from ichscan.datasets.scans import scan_table
from ichscan.datasets.schema import BOX, PATIENT, STORE, TABLE, UNKNOWN, schema, table_of
from ichscan.errors import DataError
from ichscan.labels import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

MANIFEST: Final = "manifest.json"
CONTENT: Final = ("slice_id", "patient_id", "study_uid", "series_uid", "index", "crc32", *LABELS)
"""Columns that the digest of a store is made of."""


def assemble(collection: Collection, plan: Plan, journal: Journal) -> None:
    """Writes the tables of a store whose batches are all finished; the manifest last, which makes it a store.

    Raises:
        DataError: not one slice was read.
        OSError: the disk is full or not writable.
    """
    table, problems = journal.merged()
    problems = [*plan.problems, *problems]
    if not len(table):
        first = f"; the first of {len(problems)} problems: {problems[0].detail}" if problems else ""
        raise DataError(f"{journal.store}: not one slice could be imported{first}")
    table, odd = ordered(table)
    labelled = collection.label(table)
    problems += [*odd, *labelled.problems]
    table = _with_labels(table, labelled)
    boxes = _boxes(table)
    table = table.select(list(TABLE)).cast(schema(TABLE))
    scans = scan_table(table, labelled.scans)
    store = journal.store
    write_parquet(table, store / "table.parquet")
    write_parquet(scans, store / "scans.parquet")
    if boxes is not None:
        write_parquet(boxes, store / "boxes.parquet")
    if labelled.patients:
        write_parquet(table_of(labelled.patients, PATIENT), store / "patients.parquet")
    write_whole(store / "problems.csv", _problems_csv(problems))
    manifest = _manifest(collection, plan, table, scans, problems)
    write_whole(store / MANIFEST, json.dumps(manifest, indent=1).encode())


def _with_labels(table: "pa.Table", labelled: Labelled) -> "pa.Table":
    if labelled.slices is None:
        return table
    pa = arrow()
    for i, name in enumerate(LABELS):
        values: NDArray[np.uint8] = labelled.slices[:, i]
        column = pa.array(values, pa.uint8(), mask=values == UNKNOWN)
        table = table.set_column(table.schema.get_field_index(name), name, column)
    return table


def _boxes(table: "pa.Table") -> "pa.Table | None":
    import pyarrow.compute as pc

    some = table.select(["slice_id", "boxes"]).filter(pc.greater(pc.list_value_length(table["boxes"]), 0))
    rows = [{"slice_id": row["slice_id"], **box} for row in some.to_pylist() for box in row["boxes"]]
    return table_of(rows, BOX) if rows else None


def _problems_csv(problems: list[Problem]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["kind", "where", "detail"])
    writer.writerows([p.kind, p.where, p.detail] for p in problems)
    return text.getvalue().encode()


def _manifest(
    collection: Collection, plan: Plan, table: "pa.Table", scans: "pa.Table", problems: list[Problem]
) -> dict[str, Any]:
    return {
        "schema": STORE,
        "kind": collection.kind,
        "source": dict(plan.fingerprint),
        "digest": content_digest(table),
        "counts": {
            "slices": len(table),
            "series": len(scans),
            "studies": _distinct(table, "study_uid"),
            "patients": _distinct(table, "patient_id"),
            "unlabelled_slices": int(table["any"].null_count),
            "packs": _distinct(table, "pack"),
            "compressed_bytes": int(np.sum(table["length"].to_numpy(), dtype=np.int64)),
        },
        "positive_slices": {name: int(np.sum(table[name].fill_null(0).to_numpy() == 1)) for name in LABELS},
        "positive_scans": {name: int(np.sum(scans[name].fill_null(0).to_numpy() == 1)) for name in LABELS},
        "problems": dict(sorted(Counter(p.kind for p in problems).items())),
        "made_with": {
            "ichscan": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "pyarrow": arrow().__version__,
        },
    }


def _distinct(table: "pa.Table", column: str) -> int:
    import pyarrow.compute as pc

    return int(pc.count_distinct(table[column]).as_py())


def content_digest(table: "pa.Table") -> str:
    """SHA-256 over identity, order, labels and pixel checksums of all slices: what a training run depends on."""
    digest = hashlib.sha256()
    for name in CONTENT:
        column = table[name]
        if name.endswith("_id") or name.endswith("_uid"):
            for value in column.to_pylist():
                digest.update(str(value).encode() + b"\n")
        else:
            digest.update(np.asarray(column.fill_null(UNKNOWN).to_numpy(), "<i8").tobytes())
    return digest.hexdigest()


def read_manifest(store: Path) -> dict[str, Any]:
    """The manifest of a store.

    Raises:
        DataError: absent, damaged, or of a schema this version does not know.
    """
    path = store / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        unfinished = (store / "parts").is_dir()
        remedy = "give the import's command again to finish it" if unfinished else "make one with `ichscan data import`"
        raise DataError(f"{path}: expected the manifest of a store, found none; {remedy}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); import the data again") from error
    if not isinstance(manifest, dict) or manifest.get("schema") != STORE:
        found = manifest.get("schema") if isinstance(manifest, dict) else type(manifest).__name__
        raise DataError(f"{path}: expected schema {STORE}, found {found}; import the data with this version of ichscan")
    return manifest
