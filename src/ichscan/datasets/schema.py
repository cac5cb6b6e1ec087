"""The columns of a store's tables, and what they mean."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from ichscan.datasets.arrow import arrow
from ichscan.labels import LABELS

if TYPE_CHECKING:
    import pyarrow as pa

STORE: Final = "ichscan.store/1"
UNKNOWN: Final = 255
"""In arrays of labels: not known. In tables the same is null."""

PLACE: Final[Mapping[str, str]] = {
    "pack": "string",  # file under slices/ that holds the slice
    "offset": "int64",  # bytes from its start
    "length": "int32",  # bytes, compressed
    "crc32": "uint32",  # of the int16 little-endian HU, uncompressed
}
HEADER: Final[Mapping[str, str]] = {
    "instance_number": "int32",  # (0020,0013), or the source's own number of the slice
    "x_mm": "double",  # Image Position (Patient) (0020,0032), LPS
    "y_mm": "double",
    "z_mm": "double",
    "modality": "string",  # (0008,0060)
    "manufacturer": "string",  # (0008,0070)
    "kernel": "string",  # Convolution Kernel (0018,1210)
    "description": "string",  # Series Description (0008,103E)
    "photometric": "string",  # (0028,0004)
    "bits_allocated": "int32",  # (0028,0100)
    "bits_stored": "int32",  # (0028,0101)
    "high_bit": "int32",  # (0028,0102)
    "pixel_representation": "int32",  # (0028,0103), 1 = signed
    "window_center": "double",  # (0028,1050), first value
    "window_width": "double",  # (0028,1051), first value
    "rescale_slope": "double",  # (0028,1053)
    "rescale_intercept": "double",  # (0028,1052)
}
IMAGE: Final[Mapping[str, str]] = {
    "slice_id": "string",
    "patient_id": "string",
    "study_uid": "string",
    "series_uid": "string",
    "instance_uid": "string",
    "position_mm": "double",  # along the slice normal, ascending from inferior to superior
    "part": "string",  # "train", "test" or ""
    "flags": "list<string>",
    "source": "string",  # file, or archive.zip!/member
    "rows": "int32",
    "cols": "int32",
    "pixel_row_mm": "double",  # Pixel Spacing (0028,0030)
    "pixel_col_mm": "double",
    "thickness_mm": "double",  # Slice Thickness (0018,0050)
}
LABEL: Final[Mapping[str, str]] = dict.fromkeys(LABELS, "uint8")
BOX: Final[Mapping[str, str]] = {
    "slice_id": "string", "kind": "string", "x0": "double", "y0": "double", "x1": "double", "y1": "double",
}  # fmt: skip
TABLE: Final[Mapping[str, str]] = {**IMAGE, "index": "int32", **LABEL, **HEADER, **PLACE}
"""table.parquet: one row per slice, by patient_id, study_uid, series_uid, index (0 = most inferior)."""

PLANE: Final[Mapping[str, str]] = {"plane": "list<double>", "boxes": "list<box>"}
"""Only while importing: Image Orientation (Patient) (0020,0037), and the lesion boxes of a slice."""
PART: Final[Mapping[str, str]] = {**IMAGE, **LABEL, **HEADER, **PLACE, **PLANE}
"""parts/*.parquet: the rows of one imported batch, in the order read."""
SCANS: Final[Mapping[str, str]] = {
    "patient_id": "string",
    "study_uid": "string",
    "series_uid": "string",
    "slices": "int32",
    **LABEL,
    "label_source": "string",  # "slices" = union of the slice labels, "reads" = readers of the whole scan, "" = none
    "agreement": "double",  # share of label decisions on which all readers agree
    "part": "string",
    "description": "string",
    "kernel": "string",
    "thickness_mm": "double",
    "spacing_mm": "double",  # median distance of neighbouring slices
    "rows": "int32",
    "cols": "int32",
}
"""scans.parquet: one row per series, in the order of the table."""

PATIENT: Final[Mapping[str, str]] = {"patient_id": "string", "age_years": "double", "sex": "string"}
"""patients.parquet, where the collection tells: age in years; sex "F", "M" or "O" as in (0010,0040)."""


def schema(columns: Mapping[str, str]) -> "pa.Schema":
    """The Arrow schema of one of the column tables above."""
    pa = arrow()
    return pa.schema([(name, _type(pa, kind)) for name, kind in columns.items()])


def _type(pa: Any, kind: str) -> Any:
    if kind == "list<box>":
        return pa.list_(pa.struct([(n, _type(pa, k)) for n, k in BOX.items() if n != "slice_id"]))
    if kind.startswith("list<"):
        return pa.list_(_type(pa, kind[5:-1]))
    return pa.type_for_alias(kind)


def table_of(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> "pa.Table":
    """A table of records; a key that is absent is null."""
    pa = arrow()
    wanted = schema(columns)
    return pa.Table.from_arrays(
        [pa.array([row.get(field.name) for row in rows], field.type) for field in wanted], schema=wanted
    )
