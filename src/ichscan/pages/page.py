"""The report as one HTML file that needs nothing else: styles and figures inside, no scripts, nothing fetched."""

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from typing import Final

from ichscan.pages.draw import svg
from ichscan.pages.section import Cell, Figure, Grid, Picture, Section

STYLE: Final = """
:root { color-scheme: light dark; --line: rgba(128, 128, 128, .32); --faint: rgba(128, 128, 128, .09); }
* { box-sizing: border-box; }
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  margin: 0 auto; padding: 1rem 1rem 4rem; max-width: 74rem; }
h1 { font-size: 1.6rem; margin: .5rem 0; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .2rem; padding-top: .8rem; border-top: 1px solid var(--line); }
h3, summary { font-size: 1rem; font-weight: 600; margin: 1.2rem 0 .4rem; }
summary { cursor: pointer; }
p { margin: .4rem 0; max-width: 46rem; }
.source { opacity: .7; font-size: .85rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem; margin: 1rem 0; }
.tile { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem .8rem; background: var(--faint); }
.tile b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
nav { columns: 15rem auto; font-size: .92rem; margin: 1rem 0; }
nav a { display: block; padding: .12rem 0; color: inherit; }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch; }
table { border-collapse: collapse; font-size: .88rem; }
th, td { padding: .28rem .55rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; white-space: normal; background: var(--faint); vertical-align: bottom; }
td:first-child, th:first-child { position: sticky; left: 0; background: Canvas; }
th:first-child { background: linear-gradient(var(--faint), var(--faint)), Canvas; }
td.long { white-space: normal; min-width: min(22rem, 60vw); }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 25rem), 1fr)); gap: 1rem 2rem; }
.small { grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr)); gap: .4rem 1.2rem; }
figure { margin: .6rem 0; min-width: 0; }
figcaption { font-size: .92rem; font-weight: 600; margin-bottom: .2rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(46%, 14rem), 1fr)); gap: .6rem 1rem; }
.wide { grid-template-columns: repeat(auto-fill, minmax(min(100%, 32rem), 1fr)); }
.widest { grid-template-columns: 1fr; }
.pictures figcaption { font-weight: 400; font-size: .82rem; margin: .2rem 0; overflow-wrap: anywhere; }
img { max-width: 100%; height: auto; display: block; }
svg { width: 100%; max-width: 34rem; height: auto; }
.small svg { max-width: 22rem; }
footer { margin-top: 3rem; border-top: 1px solid var(--line); padding-top: .6rem; font-size: .85rem; opacity: .75; }
@media print {
  html { font-size: 10pt; }
  body { max-width: none; padding: 0; font-size: 1rem; }
  h2, h3, summary { break-after: avoid; }
  figure, tr, .tile { break-inside: avoid; }
  .scroll { overflow: visible; }
  table { font-size: 6.5pt; }
  th, td { padding: .1rem .3rem; white-space: normal; }
  .pictures { grid-template-columns: repeat(4, 1fr); }
  .pictures.wide { grid-template-columns: 1fr 1fr; }
  .pictures.widest { grid-template-columns: 1fr; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""

FOOTER: Final = "Holds no patient identifiers. ichscan is an assistant, not a medical device."
SENTENCE: Final = 60
"""Cells of more characters may break into lines."""
LONG: Final = 30
"""Tables of more rows are folded until asked for."""
ROOMS: Final = ((1000, " widest"), (400, " wide"))
"""Pictures wider than so many pixels get more room."""


def to_html(
    title: str, subtitle: str, counts: Mapping[str, int], sections: Sequence[Section], footer: str = FOOTER
) -> str:
    """The whole page.

    Args:
        title: heading, and name of the page.
        subtitle: versions and digests, in small print.
        counts: tiles below the heading.
        sections: in order.
        footer: sentences at the end.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    contents = "".join(f'<a href="#{s.key}">{escape(s.title)}</a>' for s in sections)
    body = "\n".join(_section(section) for section in sections)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body>
<h1>{escape(title)}</h1>
<p class="source">{escape(subtitle)}</p>
{_tiles(counts)}
<nav aria-label="Contents">{contents}</nav>
{body}
<footer>{escape(footer)}</footer>
</body>
</html>
"""


def _tiles(counts: Mapping[str, int]) -> str:
    tiles = "".join(f'<div class="tile"><b>{n:,}</b>{escape(name)}</div>' for name, n in counts.items())
    return f'<div class="tiles">{tiles}</div>'


def _section(section: Section) -> str:
    notes = "".join(f"<p>{escape(note)}</p>" for note in section.notes)
    grids = "".join(_grid(grid) for grid in section.grids)
    drawn = "".join(_figures(list(figures)) for _, figures in groupby(section.figures, lambda f: (f.small, f.fold)))
    shown = "".join(_pictures(list(pictures)) for _, pictures in groupby(section.pictures, _room))
    return (
        f'<section id="{section.key}"><h2>{escape(section.title)}</h2>'
        f'<p class="source">{escape(section.source)}</p>{notes}{grids}{drawn}{shown}</section>'
    )


def _figures(figures: Sequence[Figure]) -> str:
    """Neighbours of one size and fold."""
    size = " small" if figures[0].small else ""
    drawn = f'<div class="figures{size}">{"".join(_figure(figure) for figure in figures)}</div>'
    fold = figures[0].fold
    return f"<details><summary>{escape(fold)}</summary>{drawn}</details>" if fold else drawn


def _figure(figure: Figure) -> str:
    return f"<figure><figcaption>{escape(figure.title)}</figcaption>{svg(figure)}</figure>"


def _pictures(pictures: Sequence[Picture]) -> str:
    return f'<div class="pictures{_room(pictures[0])}">{"".join(_picture(picture) for picture in pictures)}</div>'


def _picture(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    width, height = _png_size(picture.png)
    return (
        f'<figure><img src="data:image/png;base64,{data}" width="{width}" height="{height}" loading="lazy" '
        f'alt="{escape(picture.alt)}"><figcaption>{escape(picture.title)}</figcaption></figure>'
    )


def _room(picture: Picture) -> str:
    width, _ = _png_size(picture.png)
    return next((name for least, name in ROOMS if width > least), "")


def _png_size(png: bytes) -> tuple[int, int]:
    """Width and height in pixels, from the IHDR chunk that every PNG file starts with (ISO/IEC 15948, 11.2.2)."""
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def _grid(grid: Grid) -> str:
    if not grid.rows:
        return ""
    right = [_numeric(grid, c) for c in range(len(grid.columns))]
    head = "".join(_cell("th", escape(name), number) for name, number in zip(grid.columns, right, strict=True))
    rows = "".join(
        "<tr>"
        + "".join(
            _cell("td", escape(_text(value, name)), number)
            for value, name, number in zip(row, grid.columns, right, strict=True)
        )
        + "</tr>"
        for row in grid.rows
    )
    table = f'<div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'
    if len(grid.rows) > LONG:
        return f"<details><summary>{escape(grid.title)}</summary>{table}</details>"
    return f"<h3>{escape(grid.title)}</h3>{table}"


def _cell(tag: str, text: str, number: bool) -> str:
    kind = "number" if number else "long" if len(text) > SENTENCE else ""
    return f'<{tag} class="{kind}">{text}</{tag}>' if kind else f"<{tag}>{text}</{tag}>"


def _numeric(grid: Grid, column: int) -> bool:
    values = [row[column] for row in grid.rows if row[column] not in (None, "")]
    return bool(values) and all(isinstance(value, int | float) for value in values)


def _text(value: Cell, column: str) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    if column.startswith("share"):
        return _percent(float(value))
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if value.is_integer() else f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.1f}"


def _percent(value: float) -> str:
    """One digit after the point, more where that would hide how rare, or how close to all, something is."""
    rare = min(value, 1 - value)
    digits = 1 if rare <= 0 or rare >= 0.1 else min(5, -math.floor(math.log10(rare)))
    return f"{value:.{digits}%}"
