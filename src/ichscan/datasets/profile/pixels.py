"""Values of the pixels, from a sample of slices that is the same in every run."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ichscan.datasets.profile.summary import SUMMARY_COLUMNS, summarise
from ichscan.errors import DataError
from ichscan.pages.section import Cell, Figure, Grid, Histogram, Section
from ichscan.types import Float64, Int16

SAMPLE: Final = 256
LOWEST, HIGHEST, STEP = -1100, 3100, 50
WINDOWS: Final = (("brain", 40.0, 80.0), ("subdural", 80.0, 200.0), ("soft tissue", 40.0, 380.0))
"""Center and width in HU, as section 3.3.3 of the paper."""
RANGES: Final = (
    ("below -1024 HU (padding)", -32768, -1025),
    ("-1024 to -201 HU (air)", -1024, -201),
    ("-200 to -1 HU (fat, edges)", -200, -1),
    ("0 to 100 HU (fluid, brain, blood)", 0, 100),
    ("101 to 300 HU", 101, 300),
    ("above 300 HU (bone, metal)", 301, 32767),
)


@dataclass(slots=True)
class _Sums:
    """Running sums over the sampled slices: memory does not grow with their number."""

    counts: "np.ndarray[tuple[int], np.dtype[np.int64]]" = field(default_factory=lambda: np.zeros(65536, np.int64))
    slices: list[tuple[float, float, float]] = field(default_factory=list)
    unreadable: int = 0


def pixel_values(read: Callable[[int], Int16], slices: int, sample: int = SAMPLE) -> Section:
    """Range, distribution and windowed means of HU in at most `sample` slices (sections 3.2.4.1 d and 3.3.5).

    Args:
        read: gives int16 (rows, cols) HU of a row of the table.
        slices: rows of the table.
        sample: how many of them to read; which ones depends on `slices` alone.
    """
    sums = _Sums()
    for row in _sampled(slices, sample):
        try:
            hu = read(row)
        except DataError:
            sums.unreadable += 1
            continue
        sums.counts += np.bincount(hu.ravel().view(np.uint16), minlength=65536)
        sums.slices.append((float(hu.min()), float(hu.max()), float(hu.mean())))
    source = "Alqaisi & Almashagbeh 2025, sections 3.2.4.1 d, 4.3.4 and 3.3.5"
    notes = [f"Counted in {len(sums.slices):,} of {slices:,} slices, drawn at random but the same in every run."]
    if sums.unreadable:
        notes.append(f"Further slices that could not be read: {sums.unreadable:,}; run `ichscan data verify`.")
    if not sums.slices:
        return Section("pixels", "Pixel values", source, tuple(notes))
    # Index 0 is now -32768 HU.
    counts = np.roll(sums.counts, 32768)
    grids = (_extremes(sums), _tissues(counts), _windowed(counts))
    figures = (Figure("hu", "Distribution of HU", _histogram(counts)),)
    return Section("pixels", "Pixel values", source, tuple(notes), grids, figures)


def _sampled(slices: int, sample: int) -> list[int]:
    chosen = np.random.default_rng(0).choice(slices, min(sample, slices), replace=False) if slices else np.empty(0, int)
    return sorted(int(row) for row in chosen)


def _extremes(sums: _Sums) -> Grid:
    values: Float64 = np.array(sums.slices, np.float64)
    names = ("lowest HU of a slice", "highest HU of a slice", "mean HU of a slice")
    rows = tuple(summarise(values[:, k]).row(name) for k, name in enumerate(names))
    return Grid("hu_by_slice", "HU by slice", SUMMARY_COLUMNS, rows)


def _tissues(counts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Grid:
    total = int(counts.sum())
    found = [(name, int(counts[low + 32768 : high + 32769].sum())) for name, low, high in RANGES]
    return Grid(
        "tissues", "Pixels by range of HU", ("range", "pixels", "share"), tuple((n, c, c / total) for n, c in found)
    )


def _windowed(counts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Grid:
    """Mean and deviation of the whole image in each window scaled to [0, 1], through the model's own window tables."""
    from ichscan.model.preprocess import window_table

    hu = np.arange(-32768, 32768, dtype=np.int16)
    rows: list[tuple[Cell, ...]] = []
    for name, center, width in WINDOWS:
        grey = window_table(center, width)[hu.view(np.uint16)].astype(np.float64) / 255
        mean = float((grey * counts).sum() / counts.sum())
        square = float((grey**2 * counts).sum() / counts.sum())
        rows.append((name, center, width, mean, max(square - mean**2, 0.0) ** 0.5))
    return Grid(
        "windowed",
        "Whole images in a window, scaled to [0, 1] (the paper's figures are of cropped images)",
        ("window", "center HU", "width HU", "mean", "std"),
        tuple(rows),
    )


def _histogram(counts: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Histogram:
    """Values beyond the ends are counted in the first and last bin."""
    hu = np.clip(np.arange(-32768, 32768), LOWEST, HIGHEST - 1)
    bins = np.bincount((hu - LOWEST) // STEP, weights=counts, minlength=(HIGHEST - LOWEST) // STEP)
    edges = np.arange(LOWEST, HIGHEST + 1, STEP, dtype=np.float64)
    return Histogram(tuple(edges.tolist()), tuple(int(n) for n in bins), "HU", "pixels", logarithmic=True)
