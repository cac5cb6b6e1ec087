"""Size of images and voxels: dimensions, slices per volume, pixel spacing, slice thickness."""

from typing import Final

import numpy as np

from ichscan.datasets.profile.facts import Facts, numbers
from ichscan.datasets.profile.frequency import frequency
from ichscan.datasets.profile.neighbours import distances
from ichscan.datasets.profile.summary import SUMMARY_COLUMNS, box, boxen, summarise, whole_numbers
from ichscan.pages.section import Bars, Chart, Figure, Grid, Section

SHOWN_THICKNESS_MM: Final = 15.0
"""The paper leaves thicker slices out of its Figure 15: localizers and broken headers."""


def dimensions(facts: Facts) -> Section:
    """Rows x columns (section 4.3.1, Table 10)."""
    grid = frequency(facts, "dimensions", "Image dimensions", ("rows", "cols"), ("rows", "columns"))
    notes: tuple[str, ...] = ()
    if grid.rows:
        first, n = grid.rows[0], int(grid.rows[0][2] or 0)
        others = facts.slices - n
        notes = (f"Slices of {first[0]} x {first[1]} pixels: {n:,}; of another size: {others:,}.",)
    source = "Alqaisi & Almashagbeh 2025, sections 3.2.4.1 a and 4.3.1, Table 10"
    sizes = tuple(f"{r} x {c}" if c else str(r) for r, c, _, _ in grid.rows)
    bars = Bars(sizes, tuple(int(row[2] or 0) for row in grid.rows), "slices")
    figures = (Figure("dimensions", "Image dimensions, rows x columns", bars),) if sizes else ()
    return Section("dimensions", "Image dimensions", source, notes, (grid,), figures)


def slices_per_volume(facts: Facts) -> Section:
    """Slices per series (sections 4.3.2 and 4.5.1, Table 11, Figures 13 and 17)."""
    lengths = facts.lengths.astype(np.float64)
    return Section(
        "slices_per_volume",
        "Slices per volume",
        "Alqaisi & Almashagbeh 2025, sections 3.2.4.1 b, 4.3.2 and 4.5.1, Table 11, Figures 13 and 17",
        (),
        (Grid("slices", "Slices per volume", SUMMARY_COLUMNS, (summarise(lengths).row("slices per series"),)),),
        _figures(
            ("slices_box", "Slices per volume", box(lengths, "slices")),
            ("slices_histogram", "Slices per series", whole_numbers(lengths, "slices in a series", "series")),
        ),
    )


def pixel_spacing(facts: Facts) -> Section:
    """Pixel Spacing (0028,0030) in mm (section 4.3.3, Figure 14)."""
    row, column = numbers(facts.table, "pixel_row_mm"), numbers(facts.table, "pixel_col_mm")
    uneven = int((np.abs(row - column) > 1e-3 * column).sum())
    square = "All pixels are square." if not uneven else f"Slices whose pixels are not square: {uneven:,}."
    notes = (square,) if np.isfinite(row).any() else ("No slice records its pixel spacing.",)
    rows = (summarise(row).row("between rows, mm"), summarise(column).row("between columns, mm"))
    return Section(
        "pixel_spacing",
        "Pixel spacing",
        "Alqaisi & Almashagbeh 2025, sections 3.2.4.1 c and 4.3.3, Figure 14",
        notes,
        (Grid("pixel_spacing", "Pixel spacing by slice", SUMMARY_COLUMNS, rows),),
        _figures(("pixel_spacing_boxen", "Pixel spacing by slice", boxen(row, "mm"))),
    )


def thickness(facts: Facts) -> Section:
    """Slice thickness: recorded, or the distance to the next slice (section 4.3.3, Table 12, Figure 15)."""
    recorded, distance = numbers(facts.table, "thickness_mm"), distances(facts)
    either = np.where(np.isfinite(recorded), recorded, distance)
    beyond = int((either > SHOWN_THICKNESS_MM).sum())
    absurd = int((either <= 0).sum())
    rows = (
        summarise(recorded).row("SliceThickness (0018,0050), mm"),
        summarise(distance).row("distance to the next slice, mm"),
        summarise(either).row("recorded, otherwise distance, mm"),
    )
    notes = (
        f"Slices thicker than {SHOWN_THICKNESS_MM:g} mm, left out of the figure: {beyond:,}. "
        f"Slices with a thickness of 0 or less: {absurd:,}.",
    )
    shown = either[either <= SHOWN_THICKNESS_MM]
    return Section(
        "thickness",
        "Slice thickness",
        "Alqaisi & Almashagbeh 2025, sections 3.2.4.1 c and 4.3.3, Table 12, Figure 15",
        notes,
        (Grid("thickness", "Slice thickness", SUMMARY_COLUMNS, rows),),
        _figures(("thickness_boxen", f"Slice thickness up to {SHOWN_THICKNESS_MM:g} mm", boxen(shown, "mm"))),
    )


def _figures(*charts: tuple[str, str, Chart | None]) -> tuple[Figure, ...]:
    return tuple(Figure(key, title, chart) for key, title, chart in charts if chart is not None)
