"""Text, lines and rectangles on a BGR picture, in one place so that all pictures look alike."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]
Colour = tuple[int, int, int]
BACKGROUND: Final[Colour] = (24, 20, 18)
TEXT: Final[Colour] = (225, 225, 225)
DIM: Final[Colour] = (150, 150, 150)
ALERT: Final[Colour] = (60, 80, 255)
UNSURE: Final[Colour] = (102, 199, 255)
CALM: Final[Colour] = (170, 130, 90)
FONT: Final = cv2.FONT_HERSHEY_SIMPLEX


def canvas(height: int, width: int) -> UInt8:
    """An empty picture, uint8 (height, width, 3)."""
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def text(
    picture: UInt8, words: str, x: int, y: int, scale: float = 0.45, colour: Colour = TEXT, bold: bool = False
) -> None:
    """Writes ASCII with its baseline at row y; other characters become `?` (the vector font has no more)."""
    plain = "".join(c if c.isprintable() and c.isascii() else "?" for c in words)
    cv2.putText(picture, plain, (x, y), FONT, scale, colour, 2 if bold else 1, cv2.LINE_AA)


def box(picture: UInt8, top: int, left: int, bottom: int, right: int, colour: Colour, thickness: int = -1) -> None:
    """A rectangle, ends included; filled when thickness is -1."""
    cv2.rectangle(picture, (left, top), (right, bottom), colour, thickness)


def paste(picture: UInt8, part: UInt8, top: int, left: int) -> None:
    """Copies `part` into `picture`; both uint8 (rows, cols, 3)."""
    picture[top : top + part.shape[0], left : left + part.shape[1]] = part
