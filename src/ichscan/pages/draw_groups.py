"""Charts of classes and groups: decisions against truth, scores by class, estimates by group."""

from typing import Any

from ichscan.pages.draw_curves import DASHED, FAINT
from ichscan.pages.ink import COLORS, SMALL, color, shortened
from ichscan.pages.section import Confusion, Forest, Overlaid


def confusion(axes: Any, chart: Confusion) -> None:
    """Four cells, each with its count and its share of the row: specificity and sensitivity on the diagonal."""
    for y, row in enumerate(((chart.tn, chart.fp), (chart.fn, chart.tp))):
        total = sum(row)
        for x, n in enumerate(row):
            share = n / total if total else 0.0
            shade = COLORS[0] if x == y else COLORS[3]
            axes.barh(y, 0.96, left=x - 0.48, height=0.96, color=shade, alpha=0.1 + 0.5 * share, linewidth=0)
            axes.text(x, y - 0.08, f"{n:,}", ha="center", va="center", fontsize=13)
            told = f"{share:.1%}" if total else "-"
            axes.text(x, y + 0.24, told, ha="center", va="center", fontsize=SMALL)
    axes.set_xticks([0, 1], ["negative", "positive"])
    axes.set_yticks([0, 1], ["negative", "positive"], rotation=90, va="center")
    axes.set(xlabel="decision", ylabel="truth", xlim=(-0.5, 1.5), ylim=(1.5, -0.5), aspect="equal")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def overlaid(axes: Any, chart: Overlaid) -> None:
    """Each class as shares of itself, the first as a line over the filled others."""
    for k, (name, counts) in enumerate(chart.counts.items()):
        total = sum(counts) or 1
        shares = [n / total for n in counts]
        label = f"{name} ({sum(counts):,})"
        axes.stairs(shares, chart.edges, fill=True, color=color(k), alpha=0.45, linewidth=0, label=label)
        axes.stairs(shares, chart.edges, color=color(k), linewidth=1.2)
    if chart.mark is not None:
        axes.axvline(chart.mark, **DASHED)
    axes.set(xlabel=chart.axis, ylabel="share of the class", ylim=(0, None))
    axes.legend(frameon=False, fontsize=SMALL, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def forest(axes: Any, chart: Forest) -> None:
    """A row per estimate below the name of its group; the numbers stand on the right."""
    rows = forest_rows(chart)
    edge = axes.get_yaxis_transform()
    if chart.reference is not None:
        axes.axvline(chart.reference, **DASHED)
    shown = [v for _, e in rows if e for v in (e.value, e.low, e.high) if v is not None]
    low = min([*shown, 1.0 if chart.reference is None else chart.reference], default=0.0)
    for y, (_, estimate) in enumerate(rows):
        if estimate is None:
            continue
        if estimate.value is not None:
            if estimate.low is not None and estimate.high is not None:
                axes.plot([estimate.low, estimate.high], [y, y], color=COLORS[0], linewidth=1.6)
            axes.plot(estimate.value, y, "s", color=COLORS[0], markersize=4.5)
        axes.text(1.02, y, estimate.text, transform=edge, va="center", fontsize=SMALL)
    axes.set_yticks(range(len(rows)), [shortened(label, 26) for label, _ in rows])
    for label, (_, estimate) in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_fontweight("normal" if estimate else "bold")
    floor = max(0.0, min(0.5, low - 0.05) if low < 0.5 else 0.45)
    axes.set(xlabel=chart.axis, xlim=(floor, 1.01), ylim=(len(rows) - 0.4, -0.6))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", **{**FAINT, "alpha": 0.15})


def forest_rows(chart: Forest) -> list[tuple[str, Any]]:
    """(label, estimate) from top to bottom; the estimate of a group's heading is None."""
    rows: list[tuple[str, Any]] = []
    for name, estimates in chart.groups.items():
        rows.append((name, None))
        rows += [(estimate.label, estimate) for estimate in estimates]
    return rows
