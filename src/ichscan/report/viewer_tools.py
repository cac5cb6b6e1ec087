"""The left half of the HTML viewer: image, buttons, sliders and the probability strip."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ichscan.report.wording import Wording

Edges = tuple[str, str, str, str]
"""Letters at the left, right, upper and lower edge, see `ichscan.explain.overlay.edge_letters`."""


def tools(
    data: Mapping[str, Any],
    presets: Sequence[tuple[str, int, int]],
    edges: Edges | None,
    words: Wording,
) -> str:
    """The elements that the script fills and listens to.

    Args:
        data: what the script works on: `total`, `slices`, `rows`, `cols`, `aspect`, `start`.
        presets: key of the wording, centre and width in HU.
        edges: see `ichscan.explain.overlay.edge_letters`; None = it is not known which way the patient lies.
        words: the language.
    """
    shown = len(data["slices"])
    some = f'<p class="small">{escape(words["some_slices"].format(total=data["total"]))}</p>'
    return f"""<section class="viewer" aria-label="{escape(words["images"])}">
<div class="bar">{_buttons(presets, words)}
<label><input type="checkbox" id="overlay" checked> {escape(words["overlay"])}</label>
<label><span class="visually-hidden">{escape(words["opacity"])}</span>
<input type="range" id="opacity" min="0" max="100" value="70" title="{escape(words["opacity"])}"></label>
<button type="button" id="print">{escape(words["print"])}</button></div>
<div class="stage" id="stage"><div class="frame" style="aspect-ratio: {data["aspect"]}">
<canvas id="picture" width="{data["cols"]}" height="{data["rows"]}" role="img"></canvas>
{edge_marks(edges, words)}<div id="mark" hidden></div></div></div>
<p id="where" role="status" aria-live="polite"></p>
<svg id="strip" preserveAspectRatio="none" role="img" aria-label="{escape(words["strip"])}"></svg>
<input type="range" id="slice" min="0" max="{shown - 1}" value="{data["start"]}"
 aria-label="{escape(words["slice_slider"])}">
<p class="legend"><span class="ramp"></span> {escape(words["legend"])} {escape(words["no_heat"])}</p>
{some if shown < data["total"] else ""}{_keys(len(presets), words)}
<noscript><p>{escape(words["no_script"])}</p></noscript>
</section>"""


def _buttons(presets: Sequence[tuple[str, int, int]], words: Wording) -> str:
    return "".join(
        f'<button type="button" data-preset="{i}" aria-pressed="false" '
        f'title="{escape(words["window"].format(name=words[name], centre=centre, width=width, key=i + 1))}">'
        f"{escape(words[name])} {centre}/{width}</button>"
        for i, (name, centre, width) in enumerate(presets)
    )


def edge_marks(edges: Edges | None, words: Wording) -> str:
    """The patient's directions at the edges of a picture; "" where they are not known."""
    if edges is None:
        return ""
    places = zip(("at-left", "at-right", "at-top", "at-bottom"), edges, strict=True)
    return "".join(f'<span class="edge {place}">{escape(words[key])}</span>' for place, key in places)


def _keys(presets: int, words: Wording) -> str:
    return (
        f'<p class="small keys"><kbd>↑</kbd> <kbd>↓</kbd> {escape(words["key_slices"])}; '
        f"<kbd>1</kbd>-<kbd>{presets}</kbd> {escape(words['key_windows'])}; "
        f"<kbd>o</kbd> {escape(words['key_overlay'])}</p>"
    )
