"""Colours and small habits that all charts share."""

from typing import Any, Final

INK: Final = "#010203"
"""Stands for the colour of the page's text until the SVG is written."""
COLORS: Final = ("#4c8edb", "#e69f00", "#2aa876", "#e0643c", "#b07cc6", "#8a94a0")
"""Told apart by people with any colour vision, and on black as on white."""
SMALL: Final = 8.5
"""Points: size of legends and numbers inside a chart."""


def color(k: int) -> str:
    """The k-th colour, from the start again when they run out."""
    return COLORS[k % len(COLORS)]


def thousands(axis: Any) -> None:
    """At most five whole numbers along an axis, 1,000 written with a comma."""
    from matplotlib.ticker import MaxNLocator

    axis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_major_formatter(with_commas())


def with_commas() -> Any:
    """Writes 1000 as 1,000."""
    from matplotlib.ticker import FuncFormatter

    return FuncFormatter(lambda value, _: f"{value:,.0f}")


def shortened(label: str, most: int = 34) -> str:
    """The label, cut to `most` characters."""
    return label if len(label) <= most else f"{label[: most - 1]}…"


def unknown_as_nan(values: tuple[float | None, ...]) -> list[float]:
    """None becomes NaN, which leaves a gap in a line."""
    return [float("nan") if v is None else v for v in values]
