"""Frames as JPEG or PNG for a browser (PS3.18 sections 8.3.5 and 10.4.1.1.3), in a window. Not for diagnosis."""

import re
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from fastapi import HTTPException
from numpy.typing import NDArray

from ichscan.dicom.fragments import NATIVE
from ichscan.dicom.header import number, numbers
from ichscan.dicom.hu import to_hu
from ichscan.errors import PixelError
from ichscan.service.dicomweb.frames import decoded, stored_frame
from ichscan.service.dicomweb.opened import Opened

JPEG: Final = "image/jpeg"
PNG: Final = "image/png"
THUMBNAIL: Final = 128
"""Longest side in pixels."""
LARGEST: Final = 4096
Grey = NDArray[np.uint8]
_NUMBER: Final = r"[+-]?[0-9]{1,7}(?:\.[0-9]{1,6})?"
_WINDOW: Final = re.compile(rf"({_NUMBER}),({_NUMBER})(?:,(linear|linear-exact))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture is asked for.

    Attributes:
        window: (centre, width) in HU or stored values; None = as the file says, else all values.
        size: longest (columns, rows) in pixels; None = as acquired.
        quality: of JPEG, 1 to 100.
    """

    window: tuple[float, float] | None = None
    size: tuple[int, int] | None = None
    quality: int = 90


def parse_look(window: str | None, viewport: str | None, quality: str | None) -> Look:
    """The look of query parameters; 400 when one is not of its kind."""
    shown = _WINDOW.fullmatch(window or "")
    if window is not None and (shown is None or float(shown[2]) < 1):
        raise HTTPException(400, "window: expected centre,width[,linear] with a width of 1 or more")
    size = re.fullmatch(r"([0-9]{1,5}),([0-9]{1,5})", viewport or "")
    if viewport is not None and (size is None or not all(1 <= int(one) <= LARGEST for one in size.groups())):
        raise HTTPException(400, f"viewport: expected columns,rows of 1 to {LARGEST:,}")
    if quality is not None and not (re.fullmatch(r"[0-9]{1,3}", quality) and 1 <= int(quality) <= 100):
        raise HTTPException(400, "quality: expected 1 to 100")
    return Look(
        (float(shown[1]), float(shown[2])) if shown else None,
        (int(size[1]), int(size[2])) if size else None,
        int(quality) if quality else 90,
    )


def render(opened: Opened, frame: int, look: Look, media_type: str) -> bytes:
    """A frame, from 1 on, as JPEG or PNG.

    Raises:
        InputError: it has no pixels, or they cannot be decoded.
    """
    pixels = opened.slice.pixels
    picture = _coloured(opened, frame) if pixels.samples == 3 else _grey(opened, frame, look)
    if look.size is not None:
        picture = _fitted(picture, look.size)
    options = [cv2.IMWRITE_JPEG_QUALITY, look.quality] if media_type == JPEG else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    done, data = cv2.imencode(".jpg" if media_type == JPEG else ".png", picture, options)
    if not done:
        raise PixelError("the picture cannot be made")
    return bytes(data)


def _grey(opened: Opened, frame: int, look: Look) -> Grey:
    one = opened.slice
    raw = decoded(opened, frame)
    rescaled = one.slope is not None and one.intercept is not None and one.pixels.bits_allocated <= 16
    values = to_hu(raw, one).hu.astype(np.float32) if rescaled else raw.astype(np.float32)
    centre, width = look.window or _window(opened) or _all_of(values)
    # PS3.3 C.11.2.1.2.1; a width of 1 is a threshold
    shown = (values - (centre - 0.5)) / max(width - 1, 1e-6) + 0.5
    grey: Grey = np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8)
    if one.pixels.photometric == "MONOCHROME1":
        grey = np.subtract(255, grey, dtype=np.uint8)
    return grey


def _window(opened: Opened) -> tuple[float, float] | None:
    """The first Window Center and Width (0028,1050 and 1051)."""
    dataset: Any = opened.dataset
    centre, width = numbers(dataset, "WindowCenter", 1), number(dataset, "WindowWidth")
    if centre is None or width is None or width < 1 or not np.isfinite(centre[0]):
        return None
    return centre[0], width


def _all_of(values: NDArray[np.float32]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low + high + 1) / 2, high - low + 1


def _coloured(opened: Opened, frame: int) -> Grey:
    pixels = opened.slice.pixels
    if opened.syntax not in NATIVE or pixels.bits_allocated != 8 or pixels.photometric != "RGB":
        raise PixelError("only RGB pixel data of 8 bits that is not compressed is shown in colour")
    data = np.frombuffer(stored_frame(opened, frame), np.uint8)
    planar = number(opened.dataset, "PlanarConfiguration") == 1
    if planar:
        rgb = data.reshape(3, pixels.rows, pixels.columns).transpose(1, 2, 0)
    else:
        rgb = data.reshape(pixels.rows, pixels.columns, 3)
    return np.ascontiguousarray(rgb[..., ::-1])


def _fitted(picture: Grey, size: tuple[int, int]) -> Grey:
    """As large as fits into (columns, rows), with the same proportions."""
    rows, columns = picture.shape[:2]
    scale = min(size[0] / columns, size[1] / rows)
    target = (max(round(columns * scale), 1), max(round(rows * scale), 1))
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, target, interpolation=how), np.uint8)
