"""One picture of a whole scan: findings, every slice with its heat map, probabilities along the slices."""

from typing import Final

import cv2
import numpy as np

from ichscan import __version__
from ichscan.explain.draw import ALERT, DIM, TEXT, UNSURE, UInt8, box, canvas, paste, text
from ichscan.explain.heat import Bool, heat
from ichscan.explain.overlay import edge_letters, flipped_axes, ramp, slice_picture
from ichscan.labels import ANY, LABELS
from ichscan.report.chart import HEIGHT as CHART_HEIGHT
from ichscan.report.chart import chart
from ichscan.report.find import find
from ichscan.report.findings import ABSENT, INCOMPLETE, PRESENT, UNCERTAIN
from ichscan.report.text import one_line
from ichscan.report.wording import ENGLISH
from ichscan.types import Prediction, Report, Volume

TILE: Final = 176
CAPTION: Final = 18
HEADER: Final = 150
MAX_TILES: Final = 120
LEAST_COLUMNS: Final = 6
UID_SHOWN: Final = 20
DESCRIPTION_SHOWN: Final = 80
COLOURS: Final = {PRESENT: ALERT, UNCERTAIN: UNSURE, INCOMPLETE: UNSURE, ABSENT: TEXT}
NOTICE: Final = "Not for diagnostic use alone. ichscan is an assistant, not a medical device."


def contact_sheet(volume: Volume, report: Report, inside: Bool | None = None) -> UInt8:
    """Draws the sheet: the same input gives the same pixels.

    It holds no patient data, only the series description and the end of the series UID.

    Args:
        volume: the analysed slices.
        report: of the same series, with a prediction (and class maps, if heat is to be shown).
        inside: bool (slices, rows, cols), where heat may be; everywhere when None.

    Returns:
        uint8 (rows, cols, 3), BGR.
    """
    if report.prediction is None:
        raise ValueError("contact_sheet: expected an analysed series")
    prediction = report.prediction
    shown, per_tile = tiles_shown(prediction)
    columns = int(np.clip(np.ceil(np.sqrt(len(shown) * 1.7)), LEAST_COLUMNS, 15))
    rows = -(-len(shown) // columns)
    sheet = canvas(HEADER + rows * (TILE + CAPTION) + CHART_HEIGHT, columns * TILE)
    _header(sheet, report, prediction, per_tile)
    hot = heat(volume, prediction, ANY, inside)
    for place, index in enumerate(shown):
        picture = slice_picture(volume, index, hot.on(index))
        tile = _tile(_cut(picture, volume, prediction), volume, report, index)
        paste(sheet, tile, HEADER + place // columns * (TILE + CAPTION), place % columns * TILE)
    paste(sheet, chart(prediction, sheet.shape[1]), HEADER + rows * (TILE + CAPTION), 0)
    return sheet


def tiles_shown(prediction: Prediction) -> tuple[list[int], int]:
    """Which slices get a tile, and how many slices stand behind each.

    All, up to `MAX_TILES`; of more, the most suspicious of every few neighbours, so that none is missed.
    """
    score = prediction.slices[:, ANY]
    per_tile = -(-len(score) // MAX_TILES)
    starts = range(0, len(score), per_tile)
    return [start + int(np.argmax(score[start : start + per_tile])) for start in starts], per_tile


def _header(sheet: UInt8, report: Report, prediction: Prediction, per_tile: int) -> None:
    model = prediction.model
    uid = report.series_instance_uid[-UID_SHOWN:] or "without UID"
    text(sheet, f"ichscan {__version__}   series ...{uid}   {len(prediction.slices)} slices", 12, 24, 0.55, TEXT)
    said = one_line(report.description, DESCRIPTION_SHOWN)  # tells that a bleed is simulated
    text(sheet, f"{said}   model {model.name} {model.version} ({model.sha256[:8]})", 12, 44, 0.4, DIM)
    findings = find(report)
    text(sheet, ENGLISH[f"verdict_{findings.verdict}"], 12, 72, 0.6, COLOURS[findings.verdict], bold=True)
    for i, finding in enumerate(findings.findings):
        x = 12 + i * (sheet.shape[1] - 24) // len(LABELS)
        text(sheet, f"{finding.label} {finding.probability:.2f}", x, 96, 0.42, COLOURS[finding.state])
    text(sheet, NOTICE, 12, 120, 0.45, TEXT)
    more = f"; each tile is the most suspicious of {per_tile} slices" if per_tile > 1 else ""
    text(
        sheet,
        f"red frame: slice at or above its threshold{more}; colour: where the model sees 'any'",
        12,
        140,
        0.4,
        DIM,
    )
    _legend(sheet)


def _legend(sheet: UInt8) -> None:
    """Colour bar: activation from none to the strongest of the scan."""
    left = sheet.shape[1] - 200
    ramp(sheet, 131, left, 120)
    text(sheet, "0", left - 14, 140, 0.4, DIM)
    text(sheet, "scan max", left + 124, 140, 0.4, DIM)


def _cut(picture: UInt8, volume: Volume, prediction: Prediction) -> UInt8:
    """The region that holds the head in all slices: the union of the boxes the network saw, within the image."""
    rows, cols = volume.hu.shape[1:]
    boxes = prediction.boxes
    y0, x0 = max(int(boxes[:, 0].min()), 0), max(int(boxes[:, 1].min()), 0)
    y1 = min(int((boxes[:, 0] + boxes[:, 2]).max()), rows)
    x1 = min(int((boxes[:, 1] + boxes[:, 2]).max()), cols)
    flipped = flipped_axes(volume)
    if 0 in flipped:
        y0, y1 = rows - y1, rows - y0
    if 1 in flipped:
        x0, x1 = cols - x1, cols - x0
    return picture[y0:y1, x0:x1]


def _tile(picture: UInt8, volume: Volume, report: Report, index: int) -> UInt8:
    """One slice in true proportions with its number, position and probability below; framed when suspicious."""
    prediction = report.prediction
    if prediction is None:
        raise ValueError("_tile: expected an analysed series")
    tile = canvas(TILE + CAPTION, TILE)
    row_mm, col_mm = volume.spacing_mm or (1.0, 1.0)
    height, width = picture.shape[0] * row_mm, picture.shape[1] * col_mm
    scale = (TILE - 6) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    paste(tile, small, (TILE - size[1]) // 2, (TILE - size[0]) // 2)
    edges = edge_letters(volume)
    if edges is not None:
        text(tile, edges[0], 6, TILE // 2, 0.35, DIM)
    probability = float(prediction.slices[index, ANY])
    alert = probability >= float(prediction.slice_thresholds[ANY])
    if alert:
        box(tile, 1, 1, TILE - 2, TILE - 2, ALERT, 2)
    caption = f"{index + 1}: {report.positions_mm[index]:.1f} mm  {probability:.2f}"
    text(tile, caption, 6, TILE + CAPTION - 6, 0.4, ALERT if alert else TEXT)
    return tile
