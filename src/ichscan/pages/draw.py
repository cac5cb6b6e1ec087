"""Charts as SVG: transparent, text in the colour of the page, so that they suit a light and a dark screen."""

import io
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from ichscan.errors import MissingExtraError
from ichscan.pages.section import Bars, Box, Boxen, Figure, Histogram, Lines, Matrix, Shares

INK: Final = "#010203"
"""Stands for the colour of the page's text until the SVG is written."""
COLORS: Final = ("#4c8edb", "#e69f00", "#2aa876", "#e0643c", "#b07cc6", "#8a94a0")
"""Told apart by people with any colour vision, and on black as on white."""
WIDTH_IN: Final = 4.8
LEAST_SPAN: Final = 0.1
"""An axis of values spans at least this share of their median."""
STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ichscan",
    "text.parse_math": False,  # a manufacturer may hold a dollar sign
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
}


def svg(figure: Figure) -> str:
    """The chart of a figure as an SVG element without fixed size, its ids unique to the figure.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingExtraError("figures need matplotlib; pip install 'ichscan[data]'") from error
    with mpl.rc_context(STYLE):
        canvas = Canvas(figsize=(WIDTH_IN, _height(figure)), layout="constrained")
        DRAWN[type(figure.chart)](canvas.subplots(), figure.chart)
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), figure)


def _height(figure: Figure) -> float:
    chart = figure.chart
    if isinstance(chart, Bars):
        return 0.9 + 0.27 * max(len(chart.labels), 2)
    if isinstance(chart, Box | Boxen):
        return 1.7
    return 3.6 if isinstance(chart, Matrix) else 2.9


def _inline(text: str, figure: Figure) -> str:
    """Cuts the XML prolog, lets the page set size and colour, and names the figure for screen readers."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(
        r'(<svg[^>]*?) height="[^"]*"', rf'\1 role="img" aria-label="{_escaped(figure.title)}"', text, count=1
    )
    text = re.sub(r'\bid="', f'id="{figure.key}-', text)
    text = text.replace("url(#", f"url(#{figure.key}-").replace('href="#', f'href="#{figure.key}-')
    return text.replace(INK, "currentColor")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _bars(axes: Any, chart: Bars) -> None:
    places = range(len(chart.labels))
    axes.barh(places, chart.counts, color=COLORS[0], height=0.68)
    axes.set_yticks(places, [_short(label) for label in chart.labels])
    axes.set_ylim(max(len(chart.labels), 2) - 0.5, -0.5)
    top = max(chart.counts, default=0) or 1
    for place, n in zip(places, chart.counts, strict=True):
        axes.text(n + 0.01 * top, place, f"{n:,}", va="center")
    axes.set(xlabel=chart.axis, xlim=(0, 1.2 * top))
    _thousands(axes.xaxis)


def _shares(axes: Any, chart: Shares) -> None:
    total = sum(chart.counts)
    kept = [
        (label, n, COLORS[k % len(COLORS)]) for k, (label, n) in enumerate(zip(chart.labels, chart.counts, strict=True))
    ]
    wedges, _ = axes.pie(
        [n for _, n, _ in kept], colors=[c for _, _, c in kept], startangle=90, counterclock=False,
        wedgeprops={"width": 0.42, "linewidth": 0},
    )  # fmt: skip
    legend = [f"{label} {n / total:.1%}" for label, n, _ in kept]
    axes.legend(wedges, legend, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2, frameon=False)


def _histogram(axes: Any, chart: Histogram) -> None:
    axes.stairs(chart.counts, chart.edges, fill=True, color=COLORS[0], linewidth=0)
    if chart.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(_with_commas())
    else:
        _thousands(axes.yaxis)
    axes.set(xlabel=chart.axis, ylabel=chart.unit)


def _box(axes: Any, chart: Box) -> None:
    stats = {"med": chart.median, "q1": chart.q1, "q3": chart.q3, "whislo": chart.low, "whishi": chart.high}
    line = {"color": INK, "linewidth": 1}
    axes.bxp(
        [{**stats, "fliers": chart.outliers}], orientation="horizontal", widths=0.5, patch_artist=True,
        boxprops={"facecolor": COLORS[0], "edgecolor": INK}, medianprops={"color": INK, "linewidth": 2},
        whiskerprops=line, capprops=line, flierprops={"marker": "o", "markersize": 3.5, "markerfacecolor": "none",
                                                      "markeredgecolor": COLORS[3]},
    )  # fmt: skip
    axes.set_yticks([])
    axes.set(xlabel=chart.axis)
    _widen(axes, chart.median)


def _boxen(axes: Any, chart: Boxen) -> None:
    depth = len(chart.lower)
    for k in range(depth - 1, -1, -1):
        height = 0.8 * (1 - k / depth)
        low, high = chart.lower[k], chart.upper[k]
        axes.barh(0, high - low, left=low, height=height, color=COLORS[0], alpha=1 - 0.75 * k / depth, linewidth=0)
    axes.plot([chart.median] * 2, [-0.4, 0.4], color=INK, linewidth=2)
    axes.plot(chart.outliers, [0] * len(chart.outliers), "o", markersize=3, mfc="none", mec=COLORS[3], linestyle="none")
    axes.set_yticks([])
    axes.set(xlabel=chart.axis, ylim=(-0.55, 0.55))
    _widen(axes, chart.median)


def _matrix(axes: Any, chart: Matrix) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    top = max(max(row) for row in chart.counts) or 1
    # From clear to blue: the page shines through where nothing is.
    shades = LinearSegmentedColormap.from_list("clear", [(0.3, 0.56, 0.86, 0.0), (0.3, 0.56, 0.86, 0.8)])
    size = len(chart.labels)
    edges = [k - 0.5 for k in range(size + 1)]
    axes.pcolormesh(edges, edges, [[n / top for n in row] for row in chart.counts], cmap=shades, vmin=0, vmax=1)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
    for y, row in enumerate(chart.counts):
        for x, n in enumerate(row):
            axes.text(x, y, f"{n:,}", ha="center", va="center", fontsize=8.5)
    places = range(len(chart.labels))
    axes.set_xticks(places, chart.labels, rotation=30, ha="right")
    axes.set_yticks(places, chart.labels)
    axes.spines[:].set_visible(False)


def _lines(axes: Any, chart: Lines) -> None:
    for k, (name, values) in enumerate(chart.curves.items()):
        y = [float("nan") if v is None else v for v in values]
        axes.plot(chart.x, y, color=COLORS[k % len(COLORS)], linewidth=2.4 if k == 0 else 1.3, label=name)
    if len(chart.curves) > 1:
        axes.legend(frameon=False, fontsize=8.5)
    axes.set(xlabel=chart.axis, ylabel=chart.unit)
    axes.set_ylim(bottom=0)


def _thousands(axis: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_major_formatter(_with_commas())


def _with_commas() -> Any:
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value:,.0f}")


def _widen(axes: Any, center: float) -> None:
    """Lets values that are almost the same look so, instead of filling the axis with the last digit."""
    low, high = axes.get_xlim()
    least = LEAST_SPAN * abs(center)
    if high - low < least:
        axes.set_xlim((low + high - least) / 2, (low + high + least) / 2)


def _short(label: str, most: int = 34) -> str:
    return label if len(label) <= most else f"{label[: most - 1]}…"


DRAWN: Final[Mapping[type, Callable[[Any, Any], None]]] = MappingProxyType(
    {
        Bars: _bars,
        Shares: _shares,
        Histogram: _histogram,
        Box: _box,
        Boxen: _boxen,
        Matrix: _matrix,
        Lines: _lines,
    }
)
