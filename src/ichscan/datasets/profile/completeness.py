"""Which values are missing, and what a typical header holds."""

import re
from typing import Final

from ichscan.datasets.profile.facts import Facts
from ichscan.datasets.profile.frequency import commonest, present
from ichscan.labels import LABELS
from ichscan.pages.section import Bars, Cell, Figure, Grid, Section

FIELDS: Final = {
    "patient_id": "PatientID (0010,0020)",
    "study_uid": "StudyInstanceUID (0020,000D)",
    "series_uid": "SeriesInstanceUID (0020,000E)",
    "instance_uid": "SOPInstanceUID (0008,0018)",
    "instance_number": "InstanceNumber (0020,0013)",
    "description": "SeriesDescription (0008,103E)",
    "modality": "Modality (0008,0060)",
    "manufacturer": "Manufacturer (0008,0070)",
    "kernel": "ConvolutionKernel (0018,1210)",
    "x_mm": "ImagePositionPatient (0020,0032) x",
    "y_mm": "ImagePositionPatient (0020,0032) y",
    "z_mm": "ImagePositionPatient (0020,0032) z",
    "position_mm": "position along the slice normal",
    "rows": "Rows (0028,0010)",
    "cols": "Columns (0028,0011)",
    "samples_per_pixel": "SamplesPerPixel (0028,0002)",
    "photometric": "PhotometricInterpretation (0028,0004)",
    "pixel_row_mm": "PixelSpacing (0028,0030) between rows",
    "pixel_col_mm": "PixelSpacing (0028,0030) between columns",
    "thickness_mm": "SliceThickness (0018,0050)",
    "bits_allocated": "BitsAllocated (0028,0100)",
    "bits_stored": "BitsStored (0028,0101)",
    "high_bit": "HighBit (0028,0102)",
    "pixel_representation": "PixelRepresentation (0028,0103)",
    "window_center": "WindowCenter (0028,1050)",
    "window_width": "WindowWidth (0028,1051)",
    "rescale_slope": "RescaleSlope (0028,1053)",
    "rescale_intercept": "RescaleIntercept (0028,1052)",
    **{label: f"label {label}" for label in LABELS},
}
"""Fields of the table in the order of DICOM's modules, named as in PS3.6."""
TAG: Final = re.compile(r" \([0-9A-F]{4},[0-9A-F]{4}\)")
WITHHELD: Final = frozenset({"patient_id", "study_uid", "series_uid", "instance_uid", "description"})
"""Identifiers, and free text that may hold a name: only whether they are there is told."""


def missing_values(facts: Facts) -> Section:
    """Values that are absent, by field (section 3.2.4: missing data)."""
    rows: list[tuple[Cell, ...]] = []
    shown: list[tuple[str, int]] = []
    for column, name in FIELDS.items():
        if column not in facts.table.column_names:
            continue
        missing = facts.slices - present(facts, column)
        rows.append((name, facts.slices - missing, missing, missing / facts.slices if facts.slices else None))
        if missing:
            shown.append((TAG.sub("", name), missing))
    complete = len(rows) - len(shown)
    bars = Bars(tuple(name for name, _ in shown), tuple(n for _, n in shown), "slices without a value")
    return Section(
        "missing",
        "Missing values",
        "Alqaisi & Almashagbeh 2025, sections 3.2.4 and 4.5.1",
        (f"{complete} of {len(rows)} fields are complete.",),
        (Grid("missing", "Values by field", ("field", "present", "missing", "share missing"), tuple(rows)),),
        (Figure("missing", "Missing values by field", bars),) if shown else (),
    )


def typical_header(facts: Facts) -> Section:
    """The most frequent value of each field (section 4.2, Figure 12 shows one header; this names nobody)."""
    rows: list[tuple[Cell, ...]] = []
    for column, name in FIELDS.items():
        if column in WITHHELD or column in LABELS or column not in facts.table.column_names:
            continue
        found = commonest(facts, column)
        if found:
            value, n, different = found
            rows.append((name, value, n / facts.slices, different))
    return Section(
        "header",
        "A typical header",
        "Alqaisi & Almashagbeh 2025, section 4.2, Figure 12",
        ("The most frequent value of each field; identifiers and descriptions are withheld.",),
        (Grid("header", "Most frequent values", ("field", "value", "share", "different values"), tuple(rows)),),
    )
