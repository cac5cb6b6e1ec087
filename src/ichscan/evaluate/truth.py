"""The truth that predictions are held against: labels of slices, scans and patients, from a store or from a table."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow
from ichscan.errors import DataError
from ichscan.evaluate.cases import UNKNOWN
from ichscan.evaluate.facts import NUMBERS, TEXTS, facts_of_store, kinds, labels_of_groups, relative_position, texts
from ichscan.evaluate.sources.table import (
    duplicates,
    named,
    number_column,
    read_columns,
    true_labels,
)  # fmt: skip
from ichscan.labels import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

    from ichscan.datasets.store import SliceStore

Columns = Mapping[str, NDArray[Any]]
NO_PATIENTS: Final = (
    "without a column patient_id each slice counts as a patient of its own: intervals are too narrow, and what is said "
    "of patients is said of slices"
)
NO_LABELS: Final = f"expected labels in columns {', '.join(LABELS)} (0, 1 or empty), found none of them"


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Labels of three levels; slices by patient, study, series and from inferior to superior.

    Attributes:
        slices, scans, patients: str (n,), slice_id, series_uid, patient_id; each once.
        slice_y, scan_y: uint8 (n, 6), 0 or 1; 255 = not known.
        scan_of_slice: int64 (slices,), ascending.
        patient_of_scan: int64 (scans,), ascending.
        facts: per level columns of `ichscan.evaluate.facts`.
        about: kind and digest of the data, for people and programs.
        warnings: what makes results doubtful, one sentence each.
        by_place: slices are named as by `places`.
    """

    slices: NDArray[np.str_]
    scans: NDArray[np.str_]
    patients: NDArray[np.str_]
    slice_y: NDArray[np.uint8]
    scan_y: NDArray[np.uint8]
    scan_of_slice: NDArray[np.int64]
    patient_of_scan: NDArray[np.int64]
    facts: tuple[Columns, Columns, Columns] = field(repr=False)
    about: Mapping[str, Any]
    warnings: tuple[str, ...] = ()
    by_place: bool = False

    @property
    def patient_y(self) -> NDArray[np.uint8]:
        """A patient has what one of the scans has: uint8 (patients, 6)."""
        return labels_of_groups(self.scan_y, starts(self.patient_of_scan))

    def places(self) -> NDArray[np.str_]:
        """Names of slices as `ichscan train recipes/default.toml` writes them: patient#index; "" where it takes none.

        It takes the first scan of each patient whose slices all have labels. str (slices,).
        """
        if self.by_place:
            return self.slices
        first = starts(self.scan_of_slice)
        complete = ~np.logical_or.reduceat((self.slice_y == UNKNOWN).any(axis=1), first)
        chosen, seen = np.zeros(len(self.scans), bool), set()
        for scan, patient in enumerate(self.patient_of_scan.tolist()):
            if complete[scan] and patient not in seen:
                seen.add(patient)
                chosen[scan] = True
        index = np.arange(len(self.slices)) - first[self.scan_of_slice]
        owner = self.patients[self.patient_of_scan][self.scan_of_slice].tolist()
        taken = chosen[self.scan_of_slice].tolist()
        return np.array(
            [f"{p}#{i}" if c else "" for p, i, c in zip(owner, index.tolist(), taken, strict=True)], np.str_
        )

    def where(self, chosen: NDArray[np.bool_]) -> "Truth":
        """The slices where `chosen`, bool (slices,), is true, and the scans and patients that have one."""
        scans, scan_of_slice = np.unique(self.scan_of_slice[chosen], return_inverse=True)
        patients, patient_of_scan = np.unique(self.patient_of_scan[scans], return_inverse=True)
        rows = (np.flatnonzero(chosen), scans, patients)
        a, b, c = ({k: v[r] for k, v in columns.items()} for columns, r in zip(self.facts, rows, strict=True))
        return Truth(
            self.slices[chosen], self.scans[scans], self.patients[patients], self.slice_y[chosen], self.scan_y[scans],
            scan_of_slice, patient_of_scan, (a, b, c), self.about, self.warnings, self.by_place,
        )  # fmt: skip


def starts(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """First rows of groups of consecutive rows, int64 (groups,); `groups` int64 (n,), ascending from 0."""
    return np.flatnonzero(np.diff(groups, prepend=-1)).astype(np.int64)


def truth_of_store(store: "SliceStore") -> Truth:
    """All slices of a store.

    Raises:
        DataError: no slices, or a slice_id is there twice.
    """
    table = store.table
    if not len(table):
        raise DataError(f"{store.path}: the store holds no slices; see its problems.csv and import the data again")
    _refuse_twice(table["slice_id"], f"{store.path}: slice_id")
    _refuse_twice(store.scans["series_uid"], f"{store.path}: series_uid")
    index = table["index"].to_numpy()
    names = np.array(store.scans["patient_id"].to_pylist(), np.str_)
    patients, patient_of_scan = _numbered(names)
    return Truth(
        slices=np.array(table["slice_id"].to_pylist(), np.str_),
        scans=np.array(store.scans["series_uid"].to_pylist(), np.str_),
        patients=patients,
        slice_y=store.labels,
        scan_y=store.scan_labels,
        scan_of_slice=np.cumsum(index == 0).astype(np.int64) - 1,
        patient_of_scan=patient_of_scan,
        facts=facts_of_store(store),
        about={"kind": str(store.manifest.get("kind", "")), "digest": store.digest},
        warnings=_same_images(store),
    )


def truth_of_table(path: Path) -> Truth:
    """Labels from a CSV or Parquet table: slice_id, labels, and patient_id, series_uid, index, facts when it has them.

    Without series_uid a patient is one scan; without both each slice is a scan and a patient of its own.

    Raises:
        DataError: unreadable, ids that are listed twice or absent, labels other than 0, 1 or nothing.
    """
    table = read_columns(path)
    ids, by_place = named(table, path)
    _refuse_twice(ids, f"{path}: slice_id")
    y = true_labels(table, path)
    if y is None:
        raise DataError(f"{path}: {NO_LABELS}")
    slices = np.array(ids.to_pylist(), np.str_)
    owner = "patient" if by_place else "patient_id"
    patient = texts(table, owner) if owner in table.column_names else slices
    scan = texts(table, "series_uid") if "series_uid" in table.column_names else patient
    order = np.lexsort((_rank(table), scan, patient))
    slices, y, patient, scan = slices[order], y[order], patient[order], scan[order]
    scans, scan_of_slice = _numbered(scan)
    if len(np.unique(scans)) != len(scans):
        raise DataError(f"{path}: a series_uid belongs to two patients; every scan has one patient")
    first = starts(scan_of_slice)
    patients, patient_of_scan = _numbered(patient[first])
    scan_y = labels_of_groups(y, first)
    by_patient = starts(patient_of_scan)
    facts = (
        {"position": relative_position(first, len(slices)), **kinds(y), **_columns(table, order)},
        {**kinds(scan_y), **_columns(table, order[first])},
        {**kinds(labels_of_groups(scan_y, by_patient)), **_columns(table, order[first[by_patient]])},
    )
    about = {"kind": "table", "file": path.name, "digest": _digest(slices, scan, patient, y)}
    told = () if owner in table.column_names else (f"{path.name}: {NO_PATIENTS}",)
    return Truth(slices, scans, patients, y, scan_y, scan_of_slice, patient_of_scan, facts, about, told, by_place)


def relabelled(truth: Truth, path: Path) -> Truth:
    """The same slices with the labels of a table; unknown where the table has none.

    Raises:
        DataError: see `truth_of_table`; or no slice of the table is in the data.
    """
    import pyarrow.compute as pc

    pa = arrow()
    table = read_columns(path)
    ids, by_place = named(table, path)
    _refuse_twice(ids, f"{path}: slice_id")
    labels = true_labels(table, path)
    if labels is None:
        raise DataError(f"{path}: {NO_LABELS}")
    names = truth.places() if by_place else truth.slices
    index = pc.index_in(pa.array(names.tolist(), pa.string()), value_set=ids)
    rows = np.asarray(index.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
    if (rows < 0).all():
        raise DataError(
            f"{path}: its labels are of slices such as {ids[0].as_py()!r}, the data of slices such as "
            f"{str(truth.slices[0])!r}; give labels with the data's own slice_id"
        )
    y = np.where((rows < 0)[:, None], UNKNOWN, labels[rows]).astype(np.uint8)
    first = starts(truth.scan_of_slice)
    scan_y = labels_of_groups(y, first)
    patient_y = labels_of_groups(scan_y, starts(truth.patient_of_scan))
    slices, scans, patients = ({**f, **kinds(v)} for f, v in zip(truth.facts, (y, scan_y, patient_y), strict=True))
    about = {**truth.about, "file": path.name, "digest": _digest(truth.slices, y)}
    return replace(truth, slice_y=y, scan_y=scan_y, facts=(slices, scans, patients), about=about)


def _numbered(names: NDArray[np.str_]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Names of groups of consecutive rows, and the group of each row."""
    new = np.append(True, names[1:] != names[:-1])[: len(names)]
    return names[new], np.cumsum(new).astype(np.int64) - 1


def _rank(table: "pa.Table") -> NDArray[Any]:
    for name in ("index", "position_mm", "slice"):
        if name in table.column_names:
            return number_column(table, name)
    return np.arange(table.num_rows)


def _columns(table: "pa.Table", rows: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    found: dict[str, NDArray[Any]] = {n: number_column(table, n)[rows] for n in NUMBERS if n in table.column_names}
    return found | {n: texts(table, n)[rows] for n in TEXTS if n in table.column_names}


def _refuse_twice(ids: Any, where: str) -> None:
    twice = duplicates(ids)
    if twice:
        raise DataError(
            f"{where}: {len(twice):,} are listed more than once: {', '.join(twice[:10])}; keep one row of each"
        )


def _same_images(store: "SliceStore") -> tuple[str, ...]:
    """Scans whose pixels are all equal to those of another scan."""
    sums = store.places[1][:, 4].astype("<u4")
    scans: dict[bytes, list[str]] = {}
    for series in store.series():
        scans.setdefault(sums[series.rows].tobytes(), []).append(series.series_uid)
    again = [names for names in scans.values() if len(names) > 1]
    if not again:
        return ()
    shown = "; ".join(" = ".join(names) for names in again[:10])
    return (
        f"{sum(len(n) - 1 for n in again):,} scans hold exactly the images of another scan: {shown}. They count twice, "
        "which makes intervals too narrow; import the collection without them.",
    )


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update("\n".join(array.tolist()).encode() if array.dtype.kind == "U" else array.tobytes())
        digest.update(b"\0")
    return digest.hexdigest()
