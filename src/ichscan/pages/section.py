"""What a report is made of: sections of sentences, tables and charts. Numbers only; nothing here draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Cell = str | int | float | None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table. Shares are fractions in [0, 1] and stand in columns named "share"."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Bars:
    """Counts of named things."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]
    axis: str


@dataclass(frozen=True, slots=True)
class Shares:
    """Parts of a whole (a pie)."""

    labels: tuple[str, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Histogram:
    """counts[i] values lie in [edges[i], edges[i + 1]); the last bin includes its upper edge."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    axis: str
    unit: str
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """Tukey's box plot: whiskers end at the last value within 1.5 interquartile ranges of the box.

    `outliers` are the distinct values beyond the whiskers, thinned to at most 200.
    """

    low: float
    q1: float
    median: float
    q3: float
    high: float
    outliers: tuple[float, ...]
    axis: str


@dataclass(frozen=True, slots=True)
class Boxen:
    """Letter values (Hofmann, Wickham & Kafadar 2017): nested boxes that hold 1/2, 3/4, 7/8 … of the values.

    `lower[i]` and `upper[i]` bound the i-th box, the innermost first; `outliers` as in `Box`.
    """

    median: float
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    outliers: tuple[float, ...]
    axis: str


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts by row and column; the same names for both."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Curves over a common axis; None where there is nothing to divide by."""

    x: tuple[float, ...]
    curves: Mapping[str, tuple[float | None, ...]]
    axis: str
    unit: str


Chart = Bars | Shares | Histogram | Box | Boxen | Matrix | Lines


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its name and title."""

    key: str
    title: str
    chart: Chart


@dataclass(frozen=True, slots=True)
class Picture:
    """An image that cannot be drawn from numbers, such as a slice of a scan.

    Attributes:
        key: name in the JSON.
        title: shown below the picture.
        png: the bytes of a PNG file; they stand in the page itself, so keep them small.
        alt: what a person who cannot see it is told.
    """

    key: str
    title: str
    png: bytes = field(repr=False)
    alt: str


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the report.

    Attributes:
        key: name in the JSON and anchor in the page.
        title: heading.
        source: where the paper has it.
        notes: sentences about this data set.
        grids: tables.
        figures: charts; those without data are left out.
        pictures: shown side by side after the charts.
    """

    key: str
    title: str
    source: str
    notes: tuple[str, ...] = ()
    grids: tuple[Grid, ...] = ()
    figures: tuple[Figure, ...] = ()
    pictures: tuple[Picture, ...] = ()
