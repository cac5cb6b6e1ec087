"""Charts of curves: over any axis, of shares, along a scan, and how probabilities keep their word."""

from typing import Any, Final

from ichscan.pages.ink import COLORS, INK, SMALL, color, unknown_as_nan
from ichscan.pages.section import Curves, Lines, Reliability, Track

FAINT: Final[dict[str, Any]] = {"color": INK, "linewidth": 0.8, "alpha": 0.5}
DASHED: Final[dict[str, Any]] = {**FAINT, "linestyle": (0, (4, 3))}
TICKS: Final = ((0, 0.25, 0.5, 0.75, 1), ("0", "0.25", "0.5", "0.75", "1"))
EDGE: Final = 0.02
"""Room around the unit square, so that a line along its border is seen."""


def lines(axes: Any, chart: Lines) -> None:
    """Curves over a common axis, from zero."""
    for k, (name, values) in enumerate(chart.curves.items()):
        axes.plot(chart.x, unknown_as_nan(values), color=color(k), linewidth=_width(k), label=name)
    if len(chart.curves) > 1:
        axes.legend(frameon=False, fontsize=SMALL)
    axes.set(xlabel=chart.axis, ylabel=chart.unit)
    axes.set_ylim(bottom=0)
    if all(float(x).is_integer() for x in chart.x):  # slices or epochs: there is nothing between two
        axes.locator_params(axis="x", integer=True)


def curves(axes: Any, chart: Curves) -> None:
    """Curves in the unit square, the first above the others, with bands, marked points and lines of reference."""
    for k, (name, curve) in enumerate(chart.curves.items()):
        if curve.band_x:
            band = (unknown_as_nan(curve.low), unknown_as_nan(curve.high))
            axes.fill_between(curve.band_x, *band, color=color(k), alpha=0.22, linewidth=0)
        axes.plot(curve.x, unknown_as_nan(curve.y), color=color(k), linewidth=_width(k), label=name, zorder=3 - 0.1 * k)
        if name in chart.points:
            axes.plot(*chart.points[name], "o", markersize=6, mfc=color(k), mec=INK, zorder=4)
    if chart.diagonal:
        axes.plot([0, 1], [0, 1], **DASHED)
    if chart.level is not None:
        axes.axhline(chart.level, **DASHED)
    if chart.place is not None:
        axes.axvline(chart.place, **DASHED)
    axes.set(xlabel=chart.axis, ylabel=chart.unit)
    if chart.curves:  # above the square: within it, the legend would hide a curve
        axes.legend(frameon=False, fontsize=SMALL, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    _unit_square(axes)


def reliability(axes: Any, chart: Reliability) -> None:
    """Frequency over probability with intervals; along the bottom, how many cases have what probability."""
    counted = axes.inset_axes((0, 0, 1, 0.2), zorder=-1)
    counted.stairs(chart.counts, chart.edges, fill=True, color=COLORS[5], alpha=0.35, linewidth=0)
    counted.set(xlim=(-EDGE, 1 + EDGE), ylim=(0, max(chart.counts, default=0) or 1))
    counted.set_axis_off()
    axes.plot([0, 1], [0, 1], **DASHED)
    for x, low, high in zip(chart.predicted, chart.low, chart.high, strict=True):
        axes.plot([x, x], [low, high], color=COLORS[0], linewidth=1.4)
    axes.plot(chart.predicted, chart.observed, "o-", color=COLORS[0], linewidth=1, markersize=4.5)
    axes.set(xlabel="mean probability", ylabel="share that is positive")
    _unit_square(axes)


def track(axes: Any, chart: Track) -> None:
    """Probability along a scan; where the first label is true is shaded, where others are true is barred below."""
    names = list(chart.curves)
    for start, end in chart.spans.get(names[0], ()):
        axes.axvspan(start, end, color=COLORS[0], alpha=0.16, linewidth=0)
    barred = [k for k, name in enumerate(names) if k and chart.spans.get(name)]
    for row, k in enumerate(barred):
        for start, end in chart.spans[names[k]]:
            axes.barh(-0.06 * (row + 1), end - start, left=start, height=0.04, color=color(k), linewidth=0)
    for k, (name, values) in enumerate(chart.curves.items()):
        few = {"marker": "o", "markersize": 3} if len(chart.x) < 3 else {}
        y = unknown_as_nan(values)
        axes.plot(chart.x, y, color=color(k), linewidth=_width(k), label=name, zorder=3 - 0.1 * k, **few)
    if chart.threshold is not None:
        axes.axhline(chart.threshold, **DASHED)
    axes.set(xlabel=chart.axis, ylabel=chart.unit, ylim=(-0.04 - 0.06 * len(barred), 1.02))
    axes.set_yticks(*TICKS)
    axes.legend(frameon=False, fontsize=SMALL, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _width(k: int) -> float:
    return 2.4 if k == 0 else 1.3


def _unit_square(axes: Any) -> None:
    axes.set(xlim=(-EDGE, 1 + EDGE), ylim=(-EDGE, 1 + EDGE))
    axes.set_xticks(*TICKS)
    axes.set_yticks(*TICKS)
    axes.set_aspect("equal")
