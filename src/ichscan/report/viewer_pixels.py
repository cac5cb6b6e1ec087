"""Pixels for the HTML viewer: HU that the browser can window, and heat, both as deflated bytes in base64.

A slice is coded as differences along its rows, folded to be positive (zigzag), low bytes before high bytes, then
deflated (RFC 1950), which every current browser inflates by itself (Compression Streams). Of 512 x 512 pixels about
80 kB remain. Display flips are done here: the patient's right is on the left and anterior is up.
"""

import base64
import os
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np

from ichscan.explain.draw import UInt8
from ichscan.explain.heat import Heat
from ichscan.explain.overlay import flipped_axes
from ichscan.report.contact_sheet import tiles_shown
from ichscan.report.findings import Findings
from ichscan.types import Int16, Prediction, Volume

LOWEST: Final = -512
HIGHEST: Final = 1535
"""What the widest window (bone, 500/2000) shows; the noise of air below it would double the size."""
SIDE: Final = 512
"""Larger slices are made as small as this."""
HEAT_SIDE: Final = 128
"""Heat is as smooth as the maps, of at most 64 cells."""
LEVEL: Final = 4
"""Of deflate: the highest saves another 1 % for a third more time."""
THREADS: Final = 4


def slices_shown(prediction: Prediction, findings: Findings) -> list[int]:
    """Indices of the slices in the viewer, ascending: all, or of very many the most suspicious of each few neighbours.

    The strongest slice of each finding is always among them.
    """
    shown, _ = tiles_shown(prediction)
    return sorted({*shown, *(finding.strongest for finding in findings.findings)})


def packed_slices(volume: Volume, indices: Sequence[int]) -> list[str]:
    """`packed_slice` of several, a few at a time: zlib lets other threads run."""
    with ThreadPoolExecutor(min(THREADS, os.cpu_count() or 1), "ichscan-viewer") as pool:
        return list(pool.map(lambda index: packed_slice(volume, index), indices))


def packed_slice(volume: Volume, index: int) -> str:
    """One slice: int16 HU, clipped to `LOWEST`..`HIGHEST`, of `shown_shape` pixels, as base64 text."""
    hu = _flipped(_resized(volume.hu[index], shown_shape(volume)), flipped_axes(volume))
    clipped = np.clip(hu, LOWEST, HIGHEST).astype(np.int32)
    steps = np.diff(clipped, axis=1, prepend=LOWEST)
    folded = ((steps << 1) ^ (steps >> 31)).astype(np.uint16)
    return _packed((folded & 255).astype(np.uint8).tobytes() + (folded >> 8).astype(np.uint8).tobytes())


def packed_heat(hot: Heat, index: int, volume: Volume) -> str:
    """Heat of one slice, uint8 (`HEAT_SIDE`, `HEAT_SIDE`) over the whole slice, as base64 text; "" without any."""
    if not hot.maps[index].any():
        return ""
    small = cv2.resize(hot.on(index), (HEAT_SIDE, HEAT_SIDE), interpolation=cv2.INTER_AREA)
    grey: UInt8 = np.rint(255 * np.clip(small, 0, 1)).astype(np.uint8)
    for axis in flipped_axes(volume):
        grey = np.flip(grey, axis)
    return _packed(np.ascontiguousarray(grey).tobytes()) if grey.any() else ""


def shown_shape(volume: Volume) -> tuple[int, int]:
    """(rows, cols) of a slice in the viewer: at most `SIDE` along each side."""
    rows, cols = volume.hu.shape[1:]
    scale = min(1.0, SIDE / max(rows, cols))
    return max(1, round(rows * scale)), max(1, round(cols * scale))


def shown_point(volume: Volume, row: float, column: float) -> tuple[float, float]:
    """A pixel of a slice as shares (down, across) of the picture shown, from its top left corner."""
    rows, cols = volume.hu.shape[1:]
    down, across = (row + 0.5) / rows, (column + 0.5) / cols
    flipped: Sequence[int] = flipped_axes(volume)
    return (1 - down if 0 in flipped else down), (1 - across if 1 in flipped else across)


def _resized(hu: Int16, shape: tuple[int, int]) -> Int16:
    if hu.shape == shape:
        return hu
    return np.asarray(cv2.resize(hu, (shape[1], shape[0]), interpolation=cv2.INTER_AREA), np.int16)


def _flipped(hu: Int16, axes: Sequence[int]) -> Int16:
    for axis in axes:
        hu = np.flip(hu, axis)
    return hu


def _packed(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, LEVEL)).decode("ascii")
