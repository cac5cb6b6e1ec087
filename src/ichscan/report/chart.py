"""Probabilities along the slices: a bar per slice for `any`, a strip per type."""

import numpy as np

from ichscan.explain.draw import ALERT, CALM, DIM, TEXT, UInt8, box, canvas, text
from ichscan.labels import ANY, LABELS, TYPES
from ichscan.types import Prediction

MARGIN_LEFT = 140
MARGIN_RIGHT = 20
BARS = 90
STRIP = 15
TOP = 26
BOTTOM = 24
HEIGHT = TOP + BARS + 10 + STRIP * len(TYPES) + BOTTOM


def chart(prediction: Prediction, width: int) -> UInt8:
    """The chart as a picture, uint8 (HEIGHT, width, 3) BGR; slices from left (inferior) to right (superior)."""
    picture = canvas(HEIGHT, width)
    count = len(prediction.slices)
    edges = np.linspace(MARGIN_LEFT, width - MARGIN_RIGHT, count + 1).astype(int)
    text(picture, "probability per slice, inferior to superior (line: threshold)", MARGIN_LEFT, 16, 0.42, DIM)
    _bars(picture, prediction, edges)
    _strips(picture, prediction, edges)
    every = max(1, round(count / 12))
    for i in range(0, count, every):
        text(picture, str(i + 1), int(edges[i]), HEIGHT - 8, 0.38, DIM)
    return picture


def _bars(picture: UInt8, prediction: Prediction, edges: np.ndarray[tuple[int], np.dtype[np.int_]]) -> None:
    bottom = TOP + BARS
    threshold = float(prediction.slice_thresholds[ANY])
    text(picture, "any", 12, TOP + BARS // 2, 0.45, TEXT, bold=True)
    for value in (0.0, 0.5, 1.0):
        y = bottom - round(value * BARS)
        box(picture, y, MARGIN_LEFT, y, int(edges[-1]), (60, 60, 60))
        text(picture, f"{value:.1f}", MARGIN_LEFT - 32, y + 4, 0.36, DIM)
    for i, value in enumerate(prediction.slices[:, ANY]):
        top = bottom - round(float(value) * BARS)
        right = max(int(edges[i + 1]) - 2, int(edges[i]))
        box(picture, top, int(edges[i]), bottom, right, ALERT if value >= threshold else CALM)
    y = bottom - round(threshold * BARS)
    box(picture, y, MARGIN_LEFT, y, int(edges[-1]), TEXT)


def _strips(picture: UInt8, prediction: Prediction, edges: np.ndarray[tuple[int], np.dtype[np.int_]]) -> None:
    top = TOP + BARS + 10
    for label in range(len(TYPES)):
        y = top + label * STRIP
        text(picture, LABELS[label], 12, y + STRIP - 4, 0.4, TEXT)
        for i, value in enumerate(prediction.slices[:, label]):
            right = max(int(edges[i + 1]) - 2, int(edges[i]))
            positive = value >= prediction.slice_thresholds[label]
            level = 0.15 + 0.85 * float(value)
            base = ALERT if positive else CALM
            shade = (round(base[0] * level), round(base[1] * level), round(base[2] * level))
            box(picture, y + 1, int(edges[i]), y + STRIP - 2, right, shade)
