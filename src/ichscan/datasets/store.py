"""An imported collection: one table and random access to every slice in HU."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow, read_parquet
from ichscan.datasets.assemble import read_manifest
from ichscan.datasets.codec import checksum, decode
from ichscan.datasets.scan import Box, LabelledScan
from ichscan.datasets.scans import label_array, series_starts
from ichscan.datasets.schema import BOX, PATIENT, SCANS, TABLE, table_of
from ichscan.errors import DataError
from ichscan.types import Float64, Int16

if TYPE_CHECKING:
    import pyarrow as pa

HINT: Final = "run `ichscan data verify`"


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """The slices of one series.

    Attributes:
        rows: int64 (slices,), rows of the table, from inferior to superior.
        positions_mm: float64 (slices,), ascending.
    """

    patient: str
    study_uid: str
    series_uid: str
    rows: NDArray[np.int64] = field(repr=False)
    positions_mm: Float64 = field(repr=False)


class SliceStore:
    """Reads a store. May be shared by threads and processes: no file stays open between calls.

    Attributes:
        path: folder of the store.
        manifest: see docs/data.md.
    """

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest

    def __len__(self) -> int:
        return len(self.table)

    def __getstate__(self) -> dict[str, Any]:
        # Another process reads the tables itself: they are far larger than the path.
        return {"path": self.path, "manifest": self.manifest}

    @property
    def digest(self) -> str:
        """SHA-256 over identity, order, labels and pixels of all slices: names the data set."""
        return str(self.manifest["digest"])

    @cached_property
    def table(self) -> "pa.Table":
        """One row per slice (columns: `schema.TABLE`), by patient, study, series and index."""
        return _checked(self.path / "table.parquet", TABLE)

    @cached_property
    def scans(self) -> "pa.Table":
        """One row per series (columns: `schema.SCANS`), in the order of `series`."""
        return _checked(self.path / "scans.parquet", SCANS)

    @cached_property
    def boxes(self) -> "pa.Table":
        """Lesion boxes (columns: `schema.BOX`), pixels of their slice; no rows when the collection has none."""
        path = self.path / "boxes.parquet"
        return _checked(path, BOX) if path.exists() else table_of([], BOX)

    @cached_property
    def patients(self) -> "pa.Table":
        """Age and sex (columns: `schema.PATIENT`); no rows when the collection does not tell."""
        path = self.path / "patients.parquet"
        return _checked(path, PATIENT) if path.exists() else table_of([], PATIENT)

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """Labels of all slices, uint8 (rows, 6) in the order of `ichscan.labels.LABELS`; 255 = unknown."""
        return label_array(self.table)

    @cached_property
    def scan_labels(self) -> NDArray[np.uint8]:
        """Labels of all scans, uint8 (series, 6), in the order of `series`; 255 = unknown."""
        return label_array(self.scans)

    @cached_property
    def places(self) -> tuple[list[str], NDArray[np.int64]]:
        """Pack of each row, and int64 (rows, 5): offset, length, rows, cols, crc32."""
        table = self.table
        numbers = [table[name].to_numpy().astype(np.int64) for name in ("offset", "length", "rows", "cols", "crc32")]
        packs = table["pack"].combine_chunks().dictionary_encode()
        names = packs.dictionary.to_pylist()
        return [names[i] for i in packs.indices.to_numpy()], np.stack(numbers, axis=1)

    def hu(self, row: int, *, verify: bool = False) -> Int16:
        """One slice, int16 (rows, cols) in HU, exactly as imported; read-only.

        Args:
            row: of the table.
            verify: compare with the checksum that was taken at import.

        Raises:
            DataError: the pack is absent, short or damaged.
        """
        packs, places = self.places
        offset, length, rows, cols, crc = (int(value) for value in places[row])
        name = f"{self.path / 'slices' / packs[row]}, row {row}"
        try:
            with (self.path / "slices" / packs[row]).open("rb", buffering=0) as file:
                file.seek(offset)
                data = file.read(length)
        except OSError as error:
            raise DataError(f"{name}: cannot be read ({error.strerror}); {HINT}") from error
        if len(data) != length:
            raise DataError(f"{name}: expected {length:,} bytes, found {len(data):,}; {HINT}")
        hu = decode(data, rows, cols, name)
        if verify and checksum(hu) != crc:
            raise DataError(f"{name}: the pixels differ from what was imported; import the data again")
        return hu

    def hu_many(self, rows: Sequence[int] | NDArray[np.int64]) -> list[Int16]:
        """Several slices, each int16 (rows, cols) in HU."""
        return [self.hu(int(row)) for row in rows]

    @cached_property
    def _series(self) -> tuple[SeriesRows, ...]:
        bounds = series_starts(self.table)
        names = self.table.select(["patient_id", "study_uid", "series_uid"]).take(bounds[:-1]).to_pylist()
        positions = self.table["position_mm"].to_numpy()
        return tuple(
            SeriesRows(
                n["patient_id"], n["study_uid"], n["series_uid"], np.arange(start, stop, dtype=np.int64),
                positions[start:stop],
            )
            for n, start, stop in zip(names, bounds[:-1], bounds[1:], strict=True)
        )  # fmt: skip

    def series(self) -> tuple[SeriesRows, ...]:
        """All series, in the order of the table."""
        return self._series

    @cached_property
    def boxes_by_slice(self) -> dict[str, list[tuple[str, float, float, float, float]]]:
        """slice_id -> lesion boxes (kind, x0, y0, x1, y1); slices without boxes are absent."""
        found: dict[str, list[tuple[str, float, float, float, float]]] = {}
        for b in self.boxes.to_pylist():
            found.setdefault(b["slice_id"], []).append((b["kind"], b["x0"], b["y0"], b["x1"], b["y1"]))
        return found

    def scan(self, series: SeriesRows) -> LabelledScan:
        """One series with its pixels, labels (255 = unknown) and boxes.

        Raises:
            DataError: a slice cannot be read.
        """
        rows = series.rows
        table = self.table.select(["slice_id", "instance_number"]).slice(int(rows[0]), len(rows))
        numbers = table["instance_number"].to_pylist()
        boxes = [
            Box(i, *box)
            for i, name in enumerate(table["slice_id"].to_pylist())
            for box in self.boxes_by_slice.get(name, ())
        ]
        return LabelledScan(
            patient=series.patient,
            hu=np.stack(self.hu_many(rows)),
            positions_mm=series.positions_mm,
            slice_numbers=tuple(i if n is None else int(n) for i, n in enumerate(numbers)),
            labels=self.labels[rows],
            boxes=tuple(boxes),
        )


def open_store(path: Path) -> SliceStore:
    """Opens a store; its tables are read when first asked for.

    Raises:
        DataError: no store, an unfinished one, or one of another schema; says what to do.
        MissingExtraError: pyarrow is not installed.
    """
    arrow()
    return SliceStore(path, read_manifest(path))


def _checked(path: Path, columns: Any) -> "pa.Table":
    table = read_parquet(path)
    absent = [name for name in columns if name not in table.column_names]
    if absent:
        raise DataError(
            f"{path}: expected the columns of a store, {', '.join(absent)} are absent; import the data again"
        )
    return table.combine_chunks()
