"""A store of a few slices, written without an import: tests say only what matters to them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests import dicom_builders as build

from ichscan.datasets.arrow import write_parquet
from ichscan.datasets.codec import encode
from ichscan.datasets.scans import scan_table
from ichscan.datasets.schema import STORE, TABLE, table_of
from ichscan.labels import LABELS

PACK = "000000.pack"


def slice_row(patient: str, index: int, labels: tuple[int, ...] | None = (0,) * 6, **other: Any) -> dict[str, Any]:
    """One row of the table: a CT slice of a series of 5 mm steps; `other` overrides any column."""
    known = dict(zip(LABELS, labels, strict=True)) if labels is not None else {}
    return {
        "slice_id": f"{patient}/{index}", "patient_id": patient, "study_uid": f"study-{patient}",
        "series_uid": f"series-{patient}", "instance_uid": f"uid-{patient}-{index}", "index": index,
        "instance_number": index + 1, "position_mm": 5.0 * index, "x_mm": -125.0, "y_mm": -125.0, "z_mm": 5.0 * index,
        "part": "train", "flags": [], "source": f"{patient}.dcm", "pixel_row_mm": 0.5, "pixel_col_mm": 0.5,
        "thickness_mm": 5.0, "modality": "CT", "photometric": "MONOCHROME2", "bits_allocated": 16, "bits_stored": 12,
        "high_bit": 11, "pixel_representation": 0, "window_center": 40.0, "window_width": 80.0, "rescale_slope": 1.0,
        "rescale_intercept": -1024.0, "manufacturer": "Maker", "kernel": "H30s", "description": "Head",
        **known, **other,
    }  # fmt: skip


def write_store(folder: Path, rows: list[dict[str, Any]], hu: list[NDArray[np.int16]] | None = None) -> Path:
    """Writes rows (already in the order of a store) and their pixels, drawn heads when `hu` is None."""
    (folder / "slices").mkdir(parents=True)
    packed = b""
    for i, row in enumerate(rows):
        image = build.head_hu(i, 32, 32) if hu is None else hu[i]
        data, crc = encode(image)
        row.update(pack=PACK, offset=len(packed), length=len(data), crc32=crc)
        row.update({"rows": image.shape[0], "cols": image.shape[1]} | {k: row[k] for k in ("rows", "cols") if k in row})
        packed += data
    (folder / "slices" / PACK).write_bytes(packed)
    table = table_of(rows, TABLE)
    write_parquet(table, folder / "table.parquet")
    write_parquet(scan_table(table, None), folder / "scans.parquet")
    manifest = {"schema": STORE, "kind": "own", "digest": "0" * 64, "problems": {"missing_slice": 2}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder
