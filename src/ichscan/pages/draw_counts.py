"""Charts of counts and distributions."""

from typing import Any, Final

from ichscan.pages.ink import COLORS, INK, SMALL, color, shortened, thousands, with_commas
from ichscan.pages.section import Bars, Box, Boxen, Histogram, Matrix, Shares

LEAST_SPAN: Final = 0.1
"""An axis of values spans at least this share of their median."""


def bars(axes: Any, chart: Bars) -> None:
    """Horizontal bars with their counts."""
    places = range(len(chart.labels))
    axes.barh(places, chart.counts, color=COLORS[0], height=0.68)
    axes.set_yticks(places, [shortened(label) for label in chart.labels])
    axes.set_ylim(max(len(chart.labels), 2) - 0.5, -0.5)
    top = max(chart.counts, default=0) or 1
    for place, n in zip(places, chart.counts, strict=True):
        axes.text(n + 0.01 * top, place, f"{n:,}", va="center")
    axes.set(xlabel=chart.axis, xlim=(0, 1.2 * top))
    thousands(axes.xaxis)


def shares(axes: Any, chart: Shares) -> None:
    """A ring with a legend of shares."""
    total = sum(chart.counts)
    kept = [(label, n, color(k)) for k, (label, n) in enumerate(zip(chart.labels, chart.counts, strict=True))]
    wedges, _ = axes.pie(
        [n for _, n, _ in kept], colors=[c for _, _, c in kept], startangle=90, counterclock=False,
        wedgeprops={"width": 0.42, "linewidth": 0},
    )  # fmt: skip
    legend = [f"{label} {n / total:.1%}" for label, n, _ in kept]
    axes.legend(wedges, legend, loc="upper center", bbox_to_anchor=(0.5, 0.02), ncols=2, frameon=False)


def histogram(axes: Any, chart: Histogram) -> None:
    """Filled steps."""
    axes.stairs(chart.counts, chart.edges, fill=True, color=COLORS[0], linewidth=0)
    if chart.logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(with_commas())
    else:
        thousands(axes.yaxis)
    axes.set(xlabel=chart.axis, ylabel=chart.unit)


def box(axes: Any, chart: Box) -> None:
    """Tukey's box plot, lying."""
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


def boxen(axes: Any, chart: Boxen) -> None:
    """Nested boxes of letter values, lying."""
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


def matrix(axes: Any, chart: Matrix) -> None:
    """Cells shaded by their count."""
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
            axes.text(x, y, f"{n:,}", ha="center", va="center", fontsize=SMALL)
    places = range(len(chart.labels))
    axes.set_xticks(places, chart.labels, rotation=30, ha="right")
    axes.set_yticks(places, chart.labels)
    axes.spines[:].set_visible(False)


def _widen(axes: Any, center: float) -> None:
    """Lets values that are almost the same look so, instead of filling the axis with the last digit."""
    low, high = axes.get_xlim()
    least = LEAST_SPAN * abs(center)
    if high - low < least:
        axes.set_xlim((low + high - least) / 2, (low + high + least) / 2)
