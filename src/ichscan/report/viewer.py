"""The result as one HTML file that needs nothing else: slices, heat, findings and the draft report."""

import base64
import hashlib
import json
from html import escape
from itertools import groupby
from typing import Any, Final

import numpy as np

from ichscan.anatomy import intracranial_mask
from ichscan.explain.heat import Bool, Heat, heat, widened
from ichscan.explain.overlay import edge_letters
from ichscan.labels import LABELS
from ichscan.report import viewer_pixels as pixels
from ichscan.report.findings import ABSENT, Finding, Findings
from ichscan.report.ranges import ranges
from ichscan.report.text import ORDER, one_line, sentences, subject
from ichscan.report.viewer_script import SCRIPT
from ichscan.report.viewer_style import STYLE
from ichscan.report.viewer_tools import Edges, edge_marks, tools
from ichscan.report.wording import ENGLISH, Wording
from ichscan.types import Prediction, Volume

PRESETS: Final = (("brain", 40, 80), ("subdural_window", 80, 200), ("soft_tissue", 40, 380), ("bone", 500, 2000))
"""Key of the wording, centre and width in HU; the number keys follow this order."""
DIGITS: Final = 4


def viewer(
    findings: Findings,
    prediction: Prediction | None = None,
    volume: Volume | None = None,
    mask: Bool | None = None,
    words: Wording = ENGLISH,
) -> str:
    """The whole page. The same arguments give the same bytes; no patient data but what the pixels show.

    Args:
        findings: of a series, analysed or not.
        prediction: that the findings were made from, with maps where heat is to be shown.
        volume: the slices; without them or the prediction, the page is the report alone.
        mask: bool (slices, rows, cols), `ichscan.anatomy.intracranial_mask` of the volume where it is known already.
        words: the language.
    """
    if not findings.analysed or prediction is None or volume is None:
        left = f"<section><h2>{escape(words['images'])}</h2><p>{escape(words['no_images'])}</p></section>"
        return _page(findings, left, "", "", None, words)
    data = _data(findings, prediction, volume, mask, words)
    edges = edge_letters(volume)
    left = tools(data, PRESETS, edges, words)
    embedded = f'<script type="application/json" id="data">{_safe_json(data)}</script>'
    return _page(findings, left, embedded, SCRIPT, edges, words)


def _page(findings: Findings, left: str, embedded: str, script: str, edges: Edges | None, words: Wording) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii")
    # only this script may run, whatever else a file might smuggle in, and nothing may be fetched
    policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    return f"""<!doctype html>
<html lang="{escape(words["language"])}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(words["page"])}</title>
<style>{STYLE}
@page {{ margin: 14mm 12mm 18mm; @bottom-center {{ content: {json.dumps(words["warn"])}; font: 9pt sans-serif; }} }}
</style>
</head>
<body>
<header><h1>{escape(words["page"])}</h1><p class="notice">{escape(words["warn"])}</p></header>
<main>
{left}
<div class="panel">
{_list(findings, bool(script), words)}
{_figures(findings, edges, words) if script else ""}
{_report(findings, words)}
<p class="small">{escape(words["series_uid"].format(uid=one_line(findings.series_instance_uid)))}</p>
</div>
</main>
{embedded}
<script>{script}</script>
</body>
</html>
"""


def _list(findings: Findings, clickable: bool, words: Wording) -> str:
    """The impression in short, and the findings, each a button that shows its strongest slice."""
    if not findings.analysed:
        return (
            f'<section><h2>{escape(words["list"])}</h2><p class="summary">{escape(words["not_analysed"])}</p></section>'
        )
    rows = []
    for finding in map(findings.of, ORDER):
        side = f", {words[finding.side]}" if finding.side else ""
        inner = (
            f"<span>{escape(_capital(words[finding.label]))}</span>"
            f"<b>{escape(words[finding.state] + side)}</b>"
            f'<span class="small">{escape(_row(finding, words))}</span>'
        )
        marks = f'data-label="{finding.label}" data-number="{finding.strongest + 1}" aria-pressed="false"'
        row = f'<button type="button" {marks}>{inner}</button>' if clickable else f"<p>{inner}</p>"
        rows.append(f'<li class="{finding.state}">{row}</li>')
    first = next(sentence for sentence in sentences(findings, words) if sentence.section == "impression")
    summary = f'<p class="summary {findings.verdict}">{escape(first.text)}</p>'
    hint = f'<p class="small keys">{escape(words["choose"])}</p>' if clickable else ""
    return (
        f'<section><h2>{escape(words["list"])}</h2>{summary}<ul class="findings">{"".join(rows)}</ul>{hint}</section>'
    )


def _row(finding: Finding, words: Wording) -> str:
    return words["row_slices" if finding.slices else "row"].format(
        probability=f"{finding.probability:.3f}",
        threshold=f"{finding.threshold:.3f}",
        slices=ranges(finding.slices),
        slice=finding.strongest + 1,
    )


def _figures(findings: Findings, edges: Edges | None, words: Wording) -> str:
    """For print: the strongest slice of what is not absent. The script draws them."""
    told = [f for f in map(findings.of, ORDER) if f.state != ABSENT]
    figures = "".join(
        f'<figure><div class="pictured"><canvas data-figure="{f.label}" data-number="{f.strongest + 1}"></canvas>'
        f"{edge_marks(edges, words)}</div><figcaption>"
        f"{escape(words['figure'].format(label=_capital(words[f.label]), slice=f.strongest + 1))}</figcaption></figure>"
        for f in told
    )
    return f'<div class="figures" aria-hidden="true">{figures}</div>' if figures else ""


def _report(findings: Findings, words: Wording) -> str:
    parts = []
    for section, group in groupby(sentences(findings, words), lambda sentence: sentence.section):
        lines = "".join(
            f"<p>{escape(' '.join(sentence.text for sentence in told))}</p>" for _, told in groupby(group, subject)
        )
        parts.append(f"<h3>{escape(words[section])}</h3>{lines}")
    # focusable, so that arrow keys can scroll it: elsewhere they change the slice
    return f'<section class="report" tabindex="0"><h2>{escape(words["report"])}</h2>{"".join(parts)}</section>'


def _data(
    findings: Findings, prediction: Prediction, volume: Volume, mask: Bool | None, words: Wording
) -> dict[str, Any]:
    """What the script works on."""
    shown = pixels.slices_shown(prediction, findings)
    rows, cols = pixels.shown_shape(volume)
    row_mm, col_mm = volume.spacing_mm or (1.0, 1.0)
    strongest = findings.of("any").strongest
    at_threshold = [set(findings.of(label).slices) for label in LABELS]
    return {
        "rows": rows,
        "cols": cols,
        "aspect": round(volume.hu.shape[2] * col_mm / (volume.hu.shape[1] * row_mm), DIGITS),
        "lowest": pixels.LOWEST,
        "highest": pixels.HIGHEST,
        "heatSide": pixels.HEAT_SIDE,
        "labels": list(LABELS),
        "total": len(volume.hu),
        "start": shown.index(strongest),
        "thresholds": [round(t, 6) for t in findings.slice_thresholds],
        "presets": [{"window": [centre, width]} for _, centre, width in PRESETS],
        "slices": [
            {
                "number": i + 1,
                "position": round(findings.positions_mm[i], 2),
                "probabilities": [round(p, 6) for p in findings.slice_probabilities[i]],
                "over": [i in positive for positive in at_threshold],
                "pixels": packed,
            }
            for i, packed in zip(shown, pixels.packed_slices(volume, shown), strict=True)
        ],
        "heat": _heat(findings, prediction, volume, mask, shown),
        "places": _places(findings, volume),
        "words": {key: words[key] for key in ("where", "over", "old_browser")},
        "names": {label: _capital(words[label]) for label in LABELS},
    }


def _heat(
    findings: Findings, prediction: Prediction, volume: Volume, mask: Bool | None, shown: list[int]
) -> dict[str, dict[str, str]]:
    """Label -> slice number -> packed heat, of what is not absent."""
    labels = [f.label for f in findings.findings if f.state != ABSENT]
    hot: dict[str, Heat] = {label: heat(volume, prediction, LABELS.index(label)) for label in labels}
    lit = np.flatnonzero(np.any([h.maps.any(axis=(1, 2)) for h in hot.values()], axis=0)) if hot else np.array([], int)
    if len(lit) and volume.spacing_mm is not None:
        inside = widened(intracranial_mask(volume.hu, volume.spacing_mm) if mask is None else mask, volume.hu, lit)
        hot = {label: Heat(h.maps, h.boxes, h.shape, inside) for label, h in hot.items()}
    packed = {label: {str(i + 1): pixels.packed_heat(h, i, volume) for i in shown} for label, h in hot.items()}
    return {label: {number: text for number, text in of.items() if text} for label, of in packed.items()}


def _places(findings: Findings, volume: Volume) -> dict[str, dict[str, float]]:
    found = {}
    for finding in findings.findings:
        if finding.place is not None:
            down, across = pixels.shown_point(volume, finding.place.row, finding.place.column)
            number = finding.place.slice_index + 1
            found[finding.label] = {"number": number, "down": round(down, DIGITS), "across": round(across, DIGITS)}
    return found


def _safe_json(data: dict[str, Any]) -> str:
    """JSON that cannot end the script element it stands in (HTML, 4.12.1.3)."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
