"""Where in a scan hemorrhage lies: the distribution that drives the sampling of Hoseyni et al. 2024, section II."""

from typing import Final

import numpy as np

from ichscan.datasets.profile.facts import Facts
from ichscan.datasets.schema import UNKNOWN
from ichscan.labels import ANY, LABELS
from ichscan.pages.section import Cell, Figure, Grid, Lines, Section
from ichscan.types import Float64

BINS: Final = 20
MOST: Final = 60
"""Slice numbers above this, in scans of thin slices, are left out of the curve over slice numbers."""


def hemorrhage_by_position(facts: Facts) -> Section:
    """Share of slices with hemorrhage over slice number (as the paper) and over relative height in the scan."""
    source = "Hoseyni et al. 2024, section II (distribution of hemorrhage over slice number)"
    title = "Hemorrhage over slice position"
    known = facts.labels[:, ANY] != UNKNOWN
    if not known.any():
        return Section("slice_position", title, source, ("No slice of this set is labelled.",))
    number = np.arange(facts.slices) - np.repeat(facts.starts, facts.lengths)
    last = np.repeat(facts.lengths, facts.lengths) - 1
    height = np.where(last > 0, number / np.maximum(last, 1), 0.5)
    bins = np.minimum((height * BINS).astype(np.int64), BINS - 1)
    rows, shares, _ = _shares(facts, bins, known, BINS)
    by_number, number_shares, number_labelled = _shares(facts, number, known & (number < MOST), MOST)
    used = max(int(np.flatnonzero(number_labelled).max()) + 1, 1)
    centres = tuple((k + 0.5) / BINS for k in range(BINS))
    counted = {"any": tuple(float(row[2] or 0) for row in by_number[:used])}
    figures = (
        Figure("by_height", "Share of slices with hemorrhage over height in the scan",
               Lines(centres, shares, "0 = lowest slice, 1 = highest", "share of labelled slices")),
        Figure("by_number", "Slices with hemorrhage over slice number",
               Lines(tuple(float(k + 1) for k in range(used)), counted, "slice, 1 = lowest", "slices with hemorrhage")),
        Figure("share_by_number", "Share of slices with hemorrhage over slice number",
               Lines(tuple(float(k + 1) for k in range(used)), {"any": number_shares["any"][:used]},
                     "slice, 1 = lowest", "share of labelled slices")),
    )  # fmt: skip
    ranges = [(f"{k / BINS:.2f}-{(k + 1) / BINS:.2f}", *row[1:]) for k, row in enumerate(rows)]
    columns = ("labelled slices", *LABELS, "share any")
    grids = (
        Grid("by_height", "Slices with hemorrhage by height", ("height", *_any_first(columns)), tuple(ranges)),
        Grid(
            "by_number",
            "Slices with hemorrhage by slice number",
            ("slice", *_any_first(columns)),
            tuple(by_number[:used]),
        ),
    )
    note = "Slices are numbered from the most inferior; height is that number divided by the scan's last."
    return Section("slice_position", title, source, (note,), grids, figures)


def _any_first(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Columns of `_shares`: labelled, any, the types, share."""
    return (columns[0], "any", *(c for c in columns[1:-1] if c != "any"), columns[-1])


def _shares(
    facts: Facts,
    bins: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    counted: "np.ndarray[tuple[int], np.dtype[np.bool_]]",
    size: int,
) -> tuple[list[tuple[Cell, ...]], dict[str, tuple[float | None, ...]], Float64]:
    """Rows (bin + 1, labelled, any, types, share of any), shares per label and labelled slices, by bin."""
    labelled = np.bincount(bins[counted], minlength=size)[:size]
    positive = {
        label: np.bincount(bins[counted & (facts.labels[:, c] == 1)], minlength=size)[:size]
        for c, label in enumerate(LABELS)
    }
    ordered = ("any", *(label for label in LABELS if label != "any"))
    shares = {
        label: tuple(float(p) / float(n) if n else None for p, n in zip(positive[label], labelled, strict=True))
        for label in ordered
    }
    rows: list[tuple[Cell, ...]] = [
        (k + 1, int(labelled[k]), *(int(positive[label][k]) for label in ordered), shares["any"][k])
        for k in range(size)
    ]
    return rows, shares, labelled.astype(np.float64)
