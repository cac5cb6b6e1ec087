"""Charts as SVG: transparent, text in the colour of the page, so that they suit a light and a dark screen."""

import io
import math
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from ichscan.errors import MissingExtraError
from ichscan.pages import draw_counts, draw_curves, draw_groups
from ichscan.pages.ink import INK
from ichscan.pages.section import (
    Bars,
    Box,
    Boxen,
    Confusion,
    Curves,
    Figure,
    Forest,
    Histogram,
    Lines,
    Matrix,
    Overlaid,
    Reliability,
    Shares,
    Track,
)  # fmt: skip

WIDTH_IN: Final = 4.8
SMALL_IN: Final = 3.1
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
        canvas = Canvas(figsize=_size(figure), layout="constrained")
        DRAWN[type(figure.chart)](canvas.subplots(), figure.chart)
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return _inline(buffer.getvalue(), figure)


def _size(figure: Figure) -> tuple[float, float]:
    """Width and height in inches."""
    chart = figure.chart
    width = SMALL_IN if figure.small else WIDTH_IN
    if isinstance(chart, Bars):
        return width, 0.9 + 0.27 * max(len(chart.labels), 2)
    if isinstance(chart, Forest):
        return width, 0.7 + 0.21 * len(draw_groups.forest_rows(chart))
    if isinstance(chart, Box | Boxen):
        return width, 1.7
    if isinstance(chart, Curves):
        return width, 0.9 * width + 0.17 * math.ceil(len(chart.curves) / 2)
    if isinstance(chart, Reliability | Confusion):
        return width, 0.92 * width  # the plot is a square
    if isinstance(chart, Matrix):
        return width, 0.75 * width
    return width, (0.72 if figure.small else 0.6) * width


def _inline(text: str, figure: Figure) -> str:
    """Cuts the XML prolog, lets the page set size and colour, and names the figure for screen readers."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(
        r'(<svg[^>]*?) height="[^"]*"', rf'\1 role="img" aria-label="{_escaped(figure.title)}"', text, count=1
    )
    text = re.sub(r'\bd="[^"]*"', _coarser, text)
    text = re.sub(r'\bid="', f'id="{figure.key}-', text)
    text = text.replace("url(#", f"url(#{figure.key}-").replace('href="#', f'href="#{figure.key}-')
    return text.replace(INK, "currentColor")


def _coarser(path: re.Match[str]) -> str:
    """Two digits after the point: a hundredth of a point is not seen, and the rest is half of the page."""
    return re.sub(r"(\.\d\d)\d+", r"\1", path.group())


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


DRAWN: Final[Mapping[type, Callable[[Any, Any], None]]] = MappingProxyType(
    {
        Bars: draw_counts.bars,
        Shares: draw_counts.shares,
        Histogram: draw_counts.histogram,
        Box: draw_counts.box,
        Boxen: draw_counts.boxen,
        Matrix: draw_counts.matrix,
        Lines: draw_curves.lines,
        Curves: draw_curves.curves,
        Reliability: draw_curves.reliability,
        Track: draw_curves.track,
        Confusion: draw_groups.confusion,
        Overlaid: draw_groups.overlaid,
        Forest: draw_groups.forest,
    }
)
