"""Heat laid over a slice in the brain window, with a legend that says what the colours and numbers mean."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from ichscan.explain.draw import ALERT, DIM, TEXT, UInt8, canvas, paste, text
from ichscan.model.preprocess import windowed
from ichscan.types import Float32, Float64, Volume

BRAIN: Final = (40.0, 80.0)
"""Brain window, (centre, width) in HU."""
OPACITY: Final = 0.7
NOTICE: Final = "AI result, not for diagnostic use alone"
LEGEND: Final = 62
"""Rows of the legend."""
LEAST_WIDTH: Final = 370
"""Columns that the legend's words need."""
LETTERS: Final = (("R", "L"), ("A", "P"), ("F", "H"))
"""Directions (negative, positive) of the axes of LPS."""


def colour(grey: UInt8, heat_map: Float32) -> UInt8:
    """Lays heat over grey values: red where there is some, yellow where there is most.

    Args:
        grey: uint8 (rows, cols).
        heat_map: float32 (rows, cols) in [0, 1].

    Returns:
        uint8 (rows, cols, 3), BGR.
    """
    picture = np.repeat(grey[..., None], 3, axis=2).astype(np.float32)
    tint = np.zeros_like(picture)
    tint[..., 1] = 255 * heat_map
    tint[..., 2] = 255
    alpha = (OPACITY * heat_map)[..., None]
    mixed: UInt8 = np.rint(picture + alpha * (tint - picture)).astype(np.uint8)
    return mixed


def slice_picture(volume: Volume, index: int, heat_map: Float32) -> UInt8:
    """One slice in the brain window with its heat, uint8 (rows, cols, 3) BGR, as radiologists look at it.

    When the orientation is recorded, the patient's right is on the left and anterior is up.
    """
    picture = colour(windowed(volume.hu[index], *BRAIN), heat_map)
    for axis in flipped_axes(volume):
        picture = np.flip(picture, axis)
    return np.ascontiguousarray(picture)


def flipped_axes(volume: Volume) -> tuple[int, ...]:
    """Image axes (0 rows, 1 columns) to reverse for display; LPS: +x is the patient's left, +y posterior."""
    if volume.orientation is None:
        return ()
    along_row, along_column = volume.orientation[0], volume.orientation[4]
    return tuple(axis for axis, cosine in ((0, along_column), (1, along_row)) if cosine < 0)


def shown_axes(volume: Volume) -> tuple[Float64, Float64] | None:
    """Where the rows and the columns of a picture run to, LPS unit vectors (3,), after its flips for display.

    None when not recorded.
    """
    if volume.orientation is None:
        return None
    flipped = flipped_axes(volume)
    row = np.array(volume.orientation[:3], np.float64) * (-1 if 1 in flipped else 1)
    column = np.array(volume.orientation[3:], np.float64) * (-1 if 0 in flipped else 1)
    return row, column


def edge_letters(volume: Volume) -> tuple[str, str, str, str] | None:
    """Patient's directions at the left, right, upper and lower edge of a picture: usually R, L, A, P.

    Others where the patient lay on a side: flips alone do not put the face up. None when not recorded.
    """
    axes = shown_axes(volume)
    if axes is None:
        return None
    return *_ends(axes[0]), *_ends(axes[1])


def _ends(direction: Float64) -> tuple[str, str]:
    """Letters of where a line that runs along `direction` comes from and goes to; heads and feet are never named."""
    axis = int(abs(direction[1]) > abs(direction[0]))
    negative, positive = LETTERS[axis]
    return (negative, positive) if direction[axis] > 0 else (positive, negative)


@dataclass(frozen=True, slots=True)
class Legend:
    """What stands below a picture.

    Attributes:
        label: whose heat is shown, of `ichscan.labels.LABELS`.
        probability: of the label in the slice.
        threshold: positive from here on.
        place: which slice it is, in words.
        edges: letters on the picture's edges, see `edge_letters`; None = it is not known how the patient lies.
    """

    label: str
    probability: float
    threshold: float
    place: str = ""
    edges: tuple[str, str, str, str] | None = None


def with_legend(picture: UInt8, legend: Legend) -> UInt8:
    """The picture with a legend below: colour bar, label, probability, threshold, and what this is not.

    Args:
        picture: uint8 (rows, cols, 3), BGR; narrower ones than the words need are centred on a wider canvas.
        legend: its words.
    """
    rows, cols = picture.shape[:2]
    width = max(cols, LEAST_WIDTH)
    out = canvas(rows + LEGEND, width)
    left = (width - cols) // 2
    paste(out, picture, 0, left)
    if legend.edges is not None:
        _mark_edges(out[:rows, left : left + cols], legend.edges)
    alert = legend.probability >= legend.threshold
    words = f"{legend.label} hemorrhage: probability {legend.probability:.3f}, threshold {legend.threshold:.3f}"
    text(out, words, 8, rows + 16, 0.4, ALERT if alert else TEXT)
    ramp(out, rows + 24, 8 + 16, width // 3)
    text(out, "0", 8, rows + 34, 0.36, DIM)
    text(out, " | ".join(filter(None, ("scan max", legend.place))), 8 + 22 + width // 3, rows + 34, 0.36, DIM)
    text(out, NOTICE, 8, rows + 54, 0.4, TEXT)
    return out


def _mark_edges(picture: UInt8, edges: tuple[str, str, str, str]) -> None:
    """Writes the letters of the left, right, upper and lower edge, dark below so that they can be read on bone."""
    rows, cols = picture.shape[:2]
    places = ((5, rows // 2), (cols - 16, rows // 2), (cols // 2 - 5, 15), (cols // 2 - 5, rows - 6))
    for letter, (x, y) in zip(edges, places, strict=True):
        text(picture, letter, x + 1, y + 1, 0.5, (0, 0, 0), bold=True)
        text(picture, letter, x, y, 0.5, TEXT)


def ramp(picture: UInt8, top: int, left: int, width: int) -> None:
    """Draws the colour bar, from no heat to the strongest of the scan, 10 pixels high."""
    values = np.repeat(np.linspace(0, 1, width, dtype=np.float32)[None], 10, axis=0)
    paste(picture, colour(np.full(values.shape, 90, np.uint8), values), top, left)


def png(picture: UInt8) -> bytes:
    """PNG of a BGR picture, uint8 (rows, cols, 3). Raises ValueError for an empty picture."""
    done, data = cv2.imencode(".png", picture)
    if not done:
        raise ValueError(f"a picture of {picture.shape} could not be encoded as PNG")
    return bytes(data)
