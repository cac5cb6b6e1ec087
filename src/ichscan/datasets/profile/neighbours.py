"""Where slices lie: along the patient's axis, and relative to their neighbours in the series."""

from typing import Final

import numpy as np

from ichscan.datasets.profile.facts import Facts, numbers
from ichscan.datasets.profile.summary import SUMMARY_COLUMNS, histogram, summarise
from ichscan.pages.section import Figure, Grid, Section
from ichscan.types import Float64

GAP: Final = 1.5
"""A step of more than this many median steps is a gap, as `ichscan.types.Volume` counts them."""
SAME_MM: Final = 0.01


def distances(facts: Facts) -> Float64:
    """Distance of each slice to the next of its series, mm, float64 (slices,); NaN for the last of a series."""
    position = numbers(facts.table, "position_mm")
    step = np.full(facts.slices, np.nan)
    step[:-1] = np.diff(position)
    step[facts.starts[1:] - 1] = np.nan
    return step


def positions(facts: Facts) -> Section:
    """Image Position (Patient), steps between slices, tilt and irregular series (section 4.5.2, Figure 18)."""
    z, step = numbers(facts.table, "z_mm"), distances(facts)
    extent = _extent(facts)
    rows = (
        summarise(z).row("z of ImagePositionPatient (0020,0032), mm"),
        summarise(step).row("distance of neighbouring slices, mm"),
        summarise(extent).row("extent of a series, mm"),
        summarise(tilt(facts)).row("tilt of the slices, degrees"),
    )
    chart = histogram(z, "z, mm (LPS)", "slices", 60)
    figures: tuple[Figure, ...] = (Figure("z_histogram", "Slice positions along the z axis", chart),) if chart else ()
    steps = histogram(step, "distance to the next slice, mm", "slices")
    figures += (Figure("step_histogram", "Distance of neighbouring slices", steps),) if steps else ()
    return Section(
        "positions",
        "Slice positions",
        "Alqaisi & Almashagbeh 2025, sections 3.2.4.3 and 4.5.2, Figure 18",
        (*_irregular(facts, step), "Tilt is the angle between the slices' normal and the line along which they lie."),
        (Grid("positions", "Positions", SUMMARY_COLUMNS, rows),),
        figures,
    )


def median_by_series(facts: Facts, step: Float64) -> Float64:
    """Median step of each series, mm, float64 (series,); NaN for series of one slice."""
    series = facts.series_of_row
    present = np.isfinite(step)
    values, owner = step[present], series[present]
    order = np.lexsort((values, owner))
    values, owner = values[order], owner[order]
    count = np.bincount(owner, minlength=len(facts.starts))
    first = np.concatenate([[0], np.cumsum(count)[:-1]])
    median = np.full(len(facts.starts), np.nan)
    some = count > 0
    low, high = first[some] + (count[some] - 1) // 2, first[some] + count[some] // 2
    median[some] = (values[low] + values[high]) / 2
    return median


def _irregular(facts: Facts, step: Float64) -> tuple[str, ...]:
    if not np.isfinite(step).any():
        return ("No series has two slices with known positions.",)
    median = median_by_series(facts, step)[facts.series_of_row]
    gap = np.isfinite(step) & (step > GAP * median) & (step > SAME_MM)
    double = np.abs(step) <= SAME_MM
    series = facts.series_of_row
    return (
        f"Gaps (steps of more than {GAP:g} times the series' median): {int(gap.sum()):,}, in "
        f"{len(np.unique(series[gap])):,} series. Slices at the position of the one before: {int(double.sum()):,}, in "
        f"{len(np.unique(series[double])):,} series.",
    )


def _extent(facts: Facts) -> Float64:
    position = numbers(facts.table, "position_mm")
    last = facts.starts + facts.lengths - 1
    return np.asarray(position[last] - position[facts.starts], np.float64)


def tilt(facts: Facts) -> Float64:
    """Angle between slice normal and stacking direction, degrees, float64 (series,); NaN for series of one slice.

    `position_mm` is the origin's projection on the normal that Image Orientation (Patient) (0020,0037) gives, so the
    cosine is the step along the normal over the step in space.
    """
    first, last = facts.starts, facts.starts + facts.lengths - 1
    origin = np.stack([numbers(facts.table, axis) for axis in ("x_mm", "y_mm", "z_mm")], axis=1)
    distance = np.linalg.norm(origin[last] - origin[first], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = np.where(distance > SAME_MM, _extent(facts) / distance, np.nan)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1, 1))), np.float64)
