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


@dataclass(frozen=True, slots=True)
class Curve:
    """Points joined by a line; None where there is nothing to divide by.

    Attributes:
        x, y: the points.
        low, high, band_x: a band from low to high over band_x; empty = none.
    """

    x: tuple[float, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    band_x: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Curves:
    """Named curves of shares, both axes from 0 to 1.

    Attributes:
        curves: by name; the first is drawn thickest.
        points: marked places by name of the curve, such as the operating point.
        diagonal: whether y = x is drawn, the line of chance.
        level: a horizontal line of reference.
        place: a vertical line of reference, such as the threshold.
    """

    curves: Mapping[str, Curve]
    axis: str
    unit: str
    points: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    diagonal: bool = False
    level: float | None = None
    place: float | None = None


@dataclass(frozen=True, slots=True)
class Reliability:
    """Mean probability and frequency by bin, with intervals of the frequency; and how many cases have what probability.

    Attributes:
        predicted, observed, low, high, cases: one entry per bin with cases.
        edges, counts: histogram of the probabilities; counts[i] lie in [edges[i], edges[i + 1]).
    """

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    cases: tuple[int, ...]
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Confusion:
    """Truth against decision."""

    tn: int
    fp: int
    fn: int
    tp: int


@dataclass(frozen=True, slots=True)
class Overlaid:
    """Histograms of classes over the same edges; counts[i] lie in [edges[i], edges[i + 1]), the last bin is closed.

    Drawn as shares of each class, so that a rare class is seen beside a frequent one.
    """

    edges: tuple[float, ...]
    counts: Mapping[str, tuple[int, ...]]
    axis: str
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Estimate:
    """A row of a forest plot; `value` is None where nothing can be estimated, and `text` says why or how much."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Forest:
    """Estimates with intervals, in groups, and the value of all cases as a line."""

    groups: Mapping[str, tuple[Estimate, ...]]
    axis: str
    reference: float | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """Probabilities along an ordered axis, and the stretches [start, end] where something is true, by the same names.

    Attributes:
        curves: by name; the first is drawn thickest and its stretches shade the whole height.
        spans: true stretches; the others' are drawn as bars below the curves.
        threshold: of the first curve.
    """

    x: tuple[float, ...]
    curves: Mapping[str, tuple[float | None, ...]]
    spans: Mapping[str, tuple[tuple[float, float], ...]]
    axis: str
    unit: str
    threshold: float | None = None


Chart = (
    Bars | Shares | Histogram | Box | Boxen | Matrix | Lines
    | Curves | Reliability | Confusion | Overlaid | Forest | Track
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its name and title.

    Attributes:
        key: name in the JSON; once in a page.
        title: shown above the chart.
        chart: what is drawn.
        small: drawn smaller, for charts that stand in a row of their kind.
        fold: neighbours with the same words here are folded under them until asked for; "" = shown.
    """

    key: str
    title: str
    chart: Chart
    small: bool = False
    fold: str = ""


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
