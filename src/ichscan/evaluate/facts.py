"""What subgroups are made of: columns beside the cases of each level, from the tables of a store.

A column that the data set does not hold is absent. Numbers are float64 with NaN where not known, texts are "" there.

| column | levels | meaning |
|---|---|---|
| `position` | slices | 0 = most inferior slice of the scan, 1 = most superior |
| `types` | all | number of the five types that are present; NaN = not all are known |
| `kind` | all | the one type that is present, "several", "none", or "" |
| `lesion_mm2` | all | area of the lesions' boxes; of scans and patients that of the slice with the largest |
| `positive_slices` | scans, patients | slices with hemorrhage |
| `slices` | scans, patients | number of slices |
| `age_years`, `sex` | all | of the patient; sex is "F", "M" or "O" as in DICOM (0010,0040) |
| `thickness_mm`, `spacing_mm`, `tilt_deg` | all | of the scan; of a patient, that of the first scan |
| `manufacturer`, `kernel` | all | of the scan; of a patient, that of the first scan |
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.profile.facts import Facts as Tables
from ichscan.datasets.profile.facts import gather, numbers
from ichscan.datasets.profile.neighbours import tilt
from ichscan.evaluate.cases import UNKNOWN
from ichscan.labels import TYPES
from ichscan.types import Float64

if TYPE_CHECKING:
    import pyarrow as pa

    from ichscan.datasets.store import SliceStore

PIXEL_MM: Final = 0.35
"""Taken where Pixel Spacing (0028,0030) is not recorded, as in pictures: a head 18 cm wide is then 510 pixels wide."""
NUMBERS: Final = (
    "position", "types", "lesion_mm2", "positive_slices", "slices", "age_years", "thickness_mm", "spacing_mm",
    "tilt_deg",
)  # fmt: skip
TEXTS: Final = ("kind", "sex", "manufacturer", "kernel")
Columns = dict[str, NDArray[Any]]


def facts_of_store(store: "SliceStore") -> tuple[Columns, Columns, Columns]:
    """Columns of all slices, scans (in the order of the store) and patients (in the order of their scans)."""
    tables = gather(store)
    owner = _patients(tables)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    scans = _of_scans(tables) | _of_patients(store)
    area = lesion_area(store)
    slices: Columns = {"position": relative_position(tables.starts, tables.slices), **kinds(store.labels)}
    slices |= {name: values[tables.series_of_row] for name, values in scans.items()}
    patients: Columns = {name: values[first] for name, values in scans.items()}
    scans |= kinds(store.scan_labels)
    scans |= _counted(tables.starts, store.labels)
    patients |= kinds(labels_of_groups(store.scan_labels, first))
    patients |= {name: np.add.reduceat(scans[name], first) for name in ("positive_slices", "slices")}
    if area is not None:
        slices["lesion_mm2"] = area
        scans["lesion_mm2"] = np.fmax.reduceat(area, tables.starts)
        patients["lesion_mm2"] = np.fmax.reduceat(scans["lesion_mm2"], first)
    return tuple(_known(columns) for columns in (slices, scans, patients))  # type: ignore[return-value]


def relative_position(starts: NDArray[np.int64], slices: int) -> Float64:
    """0 for the first slice of a scan, 1 for its last, 0.5 for an only one: float64 (slices,)."""
    lengths = np.diff(np.append(starts, slices))
    place = np.arange(slices) - np.repeat(starts, lengths)
    last = np.repeat(lengths - 1, lengths)
    return np.where(last > 0, place / np.maximum(last, 1), 0.5)


def kinds(labels: NDArray[np.uint8]) -> Columns:
    """`types` and `kind` of rows of labels, uint8 (n, 6)."""
    types = labels[:, : len(TYPES)]
    number = np.where((types == UNKNOWN).any(axis=1), np.nan, (types == 1).sum(axis=1))
    kind = np.array([*TYPES], np.str_)[(types == 1).argmax(axis=1)].astype("U16")
    kind[number == 0] = "none"
    kind[number > 1] = "several"
    kind[np.isnan(number)] = ""
    return {"types": number, "kind": kind}


def labels_of_groups(labels: NDArray[np.uint8], first: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Labels of groups of consecutive rows: 1 when a row has it, 0 when all are known not to, else unknown.

    Args:
        labels: uint8 (n, 6).
        first: int64 (groups,), ascending, first row of each group.
    """
    if not len(first):
        return np.empty((0, labels.shape[1]), np.uint8)
    positive = np.logical_or.reduceat(labels == 1, first, axis=0)
    unknown = np.logical_or.reduceat(labels == UNKNOWN, first, axis=0)
    return np.where(positive, 1, np.where(unknown, UNKNOWN, 0)).astype(np.uint8)


def pixel_area(table: "pa.Table") -> tuple[Float64, NDArray[np.bool_]]:
    """mm2 of a pixel of each slice, float64 (rows,), and where it is assumed, bool (rows,): see `PIXEL_MM`."""
    area = numbers(table, "pixel_row_mm") * numbers(table, "pixel_col_mm")
    assumed = ~(area > 0)
    return np.where(assumed, PIXEL_MM**2, area), assumed


def lesion_area(store: "SliceStore") -> Float64 | None:
    """Sum of the areas of a slice's boxes, mm2, float64 (slices,); NaN without boxes; None when the set has none."""
    import pyarrow.compute as pc

    boxes = store.boxes
    if not len(boxes):
        return None
    size = (numbers(boxes, "x1") - numbers(boxes, "x0")) * (numbers(boxes, "y1") - numbers(boxes, "y0"))
    row = pc.index_in(boxes["slice_id"], value_set=store.table["slice_id"].combine_chunks())
    known = row.is_valid().to_numpy()
    rows = row.fill_null(0).to_numpy()[known]
    area = np.zeros(len(store))
    np.add.at(area, rows, np.abs(size[known]))
    area *= pixel_area(store.table)[0]
    return np.where(area > 0, area, np.nan)


def _patients(tables: Tables) -> NDArray[np.int64]:
    """Number of the patient of each scan, ascending: int64 (scans,)."""
    names = np.array(tables.scans["patient_id"].to_pylist(), np.str_)
    return np.cumsum(np.append(True, names[1:] != names[:-1])[: len(names)]).astype(np.int64) - 1


def _of_scans(tables: Tables) -> Columns:
    first = tables.table.take(tables.starts)
    found: Columns = {name: numbers(tables.scans, name) for name in ("thickness_mm", "spacing_mm")}
    found["tilt_deg"] = tilt(tables)
    found |= {name: texts(first, name) for name in ("manufacturer", "kernel")}
    return found


def _of_patients(store: "SliceStore") -> Columns:
    """Age and sex of the patient of each scan."""
    known = store.patients
    rows = {name: row for row, name in enumerate(known["patient_id"].to_pylist())}
    ages, sexes = numbers(known, "age_years"), texts(known, "sex")
    own = [rows.get(name, -1) for name in store.scans["patient_id"].to_pylist()]
    age = np.array([ages[row] if row >= 0 else np.nan for row in own], np.float64)
    return {"age_years": age, "sex": np.array([sexes[row] if row >= 0 else "" for row in own], np.str_)}


def texts(table: "pa.Table", name: str) -> NDArray[np.str_]:
    """A column of text, "" where null, and everywhere when the column does not exist: str (rows,)."""
    if name not in table.column_names:
        return np.full(table.num_rows, "", np.str_)
    return np.array([value or "" for value in table[name].to_pylist()], np.str_)


def _counted(starts: NDArray[np.int64], labels: NDArray[np.uint8]) -> Columns:
    lengths = np.diff(np.append(starts, len(labels))).astype(np.float64)
    any_known = labels[:, -1] != UNKNOWN
    positive = np.add.reduceat((labels[:, -1] == 1).astype(np.float64), starts)
    known = np.add.reduceat(any_known.astype(np.float64), starts)
    return {"slices": lengths, "positive_slices": np.where(known == lengths, positive, np.nan)}


def _known(columns: Mapping[str, NDArray[Any]]) -> Columns:
    """Without columns that know nothing."""
    return {
        name: values
        for name, values in columns.items()
        if ((~np.isnan(values)).any() if values.dtype.kind == "f" else (values != "").any())
    }
