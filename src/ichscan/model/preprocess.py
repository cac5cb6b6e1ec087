"""HU -> windows -> crop -> resize -> normalise. The only preprocessing: training, evaluation and serving call it.

The order is the papers' (window, then resize): resizing first changes pixels at bone edges by up to 190 grey levels.
A lookup table of all 65,536 HU values makes the windows exact and costs one memory access per pixel.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.model.crop import Int32, head_boxes, slice_box, whole_boxes
from ichscan.model.spec import Channel, InputSpec
from ichscan.model.unclip import unclip
from ichscan.types import Float32, Float64, Int16

UInt8 = NDArray[np.uint8]
AIR_HU: Final = -1024


@lru_cache(maxsize=32)
def window_table(center: float, width: float) -> UInt8:
    """Grey value of every int16 HU, indexed by `hu` seen as uint16.

    grey = floor(255 * clip((HU - (center - width/2)) / width, 0, 1)), in float64
    (Alqaisi & Almashagbeh 2025, section 3.3.3; Burduja et al. 2020, section 3).

    Returns:
        uint8 (65536,).
    """
    hu = np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.float64)
    low, high = center - width / 2, center + width / 2
    table: UInt8 = ((np.clip(hu, low, high) - low) / (high - low) * 255).astype(np.uint8)
    return table


def windowed(hu: Int16, center: float, width: float) -> UInt8:
    """Applies one window to int16 HU of any shape; uint8 of the same shape."""
    plane = np.ascontiguousarray(hu).view(np.uint16).reshape(hu.shape[0], -1)
    grey = cv2.LUT(plane, window_table(center, width))  # 16-bit tables need OpenCV 5; four times as fast as numpy
    return np.asarray(grey, np.uint8).reshape(hu.shape)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What preprocessing needs to know of the whole scan before it can treat single slices.

    Attributes:
        hu: int16 (slices, rows, cols), after slab averaging if the spec asks for it.
        source: int (slices, channels), the slice that each channel is taken from.
        boxes: int32 (slices, 3), (top, left, side) of the square crop; for crop "slice" it is filled per slice.
        averaged: number of slices averaged into each (1 = as acquired).
        unclipped: True when air and bone were put back where a display window had cut them off.
    """

    hu: Int16
    source: NDArray[np.intp]
    boxes: Int32
    averaged: int
    unclipped: bool


def prepare(hu: Int16, positions_mm: Float64, spec: InputSpec, column_spacing_mm: float | None = None) -> Preparation:
    """Finds neighbours and crop boxes of a scan.

    Args:
        hu: int16 (slices, rows, cols), HU, inferior to superior.
        positions_mm: float64 (slices,), ascending.
        spec: the bundle's input contract.
        column_spacing_mm: pixel size, when recorded.
    """
    hu = np.ascontiguousarray(hu, np.int16)
    positions = np.asarray(positions_mm, np.float64)
    hu, unclipped = unclip(hu) if spec.unclip else (hu, False)
    hu, averaged = _slabs(hu, positions, spec.slab_mm)
    offsets = np.array([channel.offset_mm for channel in spec.channels])
    wanted = positions[:, None] + offsets[None, :]
    source = np.abs(positions[None, None, :] - wanted[:, :, None]).argmin(axis=2)
    if spec.crop == "head":
        boxes = head_boxes(hu, column_spacing_mm)
    elif spec.crop == "none":
        boxes = whole_boxes(hu)
    else:
        boxes = np.array([slice_box(_visible(hu, source[i], spec.channels)) for i in range(len(hu))], np.int32)
    return Preparation(hu, source, boxes, averaged, unclipped)


def _slabs(hu: Int16, positions: Float64, slab_mm: float) -> tuple[Int16, int]:
    """Moving average over `slab_mm` of slices that lie closer than half of it; else as they are."""
    if slab_mm <= 0 or len(hu) < 3:
        return hu, 1
    step = float(np.median(np.diff(positions)))
    count = round(slab_mm / step) if step > 0 else 1
    if count < 2:
        return hu, 1
    below = (count - 1) // 2
    out = np.empty_like(hu)
    for i in range(len(hu)):
        part = hu[max(0, i - below) : i - below + count]
        out[i] = np.rint(part.mean(axis=0, dtype=np.float32))
    return out, count


def _visible(hu: Int16, source: NDArray[np.intp], channels: tuple[Channel, ...]) -> UInt8:
    """Where any window of a slice is above 0: uint8 (rows, cols, 1). A window rises with HU, so a comparison tells."""
    shown = np.zeros(hu.shape[1:], np.bool_)
    for j, channel in zip(source, channels, strict=True):
        shown |= hu[j] > darkest(channel.center, channel.width)
    return shown.view(np.uint8)[:, :, None]


@lru_cache(maxsize=32)
def darkest(center: float, width: float) -> np.int16:
    """The highest HU that a window shows as 0; -32768, which no scan holds, when it shows none as 0."""
    black = np.flatnonzero(window_table(center, width)[np.arange(-32768, 32768, dtype=np.int16).view(np.uint16)] == 0)
    return np.int16(black[-1] - 32768 if len(black) else -32768)


def grey_slice(prepared: Preparation, index: int, spec: InputSpec) -> UInt8:
    """One slice, windowed, cropped and resized, not yet normalised: uint8 (channels, size, size)."""
    top, left, side = (int(v) for v in prepared.boxes[index])
    rows, cols = prepared.hu.shape[1:]
    y0, y1 = max(top, 0), min(top + side, rows)
    x0, x1 = max(left, 0), min(left + side, cols)
    pad = (y0 - top, top + side - y1, x0 - left, left + side - x1)
    out = np.empty((len(spec.channels), spec.size, spec.size), np.uint8)
    for c, (j, channel) in enumerate(zip(prepared.source[index], spec.channels, strict=True)):
        cut = np.ascontiguousarray(prepared.hu[j, y0:y1, x0:x1])
        grey: NDArray[Any] = windowed(cut, channel.center, channel.width)
        if any(pad):
            grey = cv2.copyMakeBorder(grey, *pad, cv2.BORDER_CONSTANT, value=0)
        out[c] = resize(grey, spec.size, spec.interpolation)
    return out


def resize(grey: UInt8, size: int, interpolation: str) -> UInt8:
    """uint8 (side, side) -> (size, size), bilinear; "smooth" blurs first by a kernel as wide as the shrinking needs.

    The blur averages noise as area interpolation does, at a fifth of its time.
    """
    if interpolation == "smooth":
        kernel = 2 * round(grey.shape[0] / size / 2) + 1
        if kernel > 1:
            grey = cv2.GaussianBlur(grey, (kernel, kernel), 0).astype(np.uint8, copy=False)
    return np.asarray(cv2.resize(grey, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def normalise(grey: UInt8, spec: InputSpec) -> Float32:
    """(grey / 255 - mean) / std per channel, by table: uint8 (n, channels, size, size) -> float32, same shape."""
    out = np.empty(grey.shape, np.float32)
    for one, target in zip(grey, out, strict=True):
        _normalise_into(one, spec, target)
    return out


def _normalise_into(grey: UInt8, spec: InputSpec, out: Float32) -> None:
    for plane, table, target in zip(grey, _tables(spec.mean, spec.std), out, strict=True):
        cv2.LUT(plane, table, dst=target)


@lru_cache(maxsize=8)
def _tables(mean: tuple[float, ...], std: tuple[float, ...]) -> tuple[Float32, ...]:
    """Per channel, the network's value of every grey level: float32 (256,)."""
    levels = np.arange(256, dtype=np.float64) / 255
    return tuple(((levels - m) / s).astype(np.float32) for m, s in zip(mean, std, strict=True))


def _input(prepared: Preparation, spec: InputSpec, start: int, stop: int) -> Float32:
    out = np.empty((stop - start, len(spec.channels), spec.size, spec.size), np.float32)
    for i in range(start, stop):
        _normalise_into(grey_slice(prepared, i, spec), spec, out[i - start])
    return out


def chunks(prepared: Preparation, spec: InputSpec, size: int = 4) -> Iterator[Float32]:
    """Model input in chunks of at most `size` slices: float32 (<= size, channels, spec.size, spec.size)."""
    for start in range(0, len(prepared.hu), size):
        yield _input(prepared, spec, start, min(start + size, len(prepared.hu)))


def model_input(
    hu: Int16, positions_mm: Float64, spec: InputSpec, column_spacing_mm: float | None = None
) -> tuple[Float32, Int32]:
    """A whole scan at once: float32 (slices, channels, size, size), and the boxes int32 (slices, 3) it shows."""
    prepared = prepare(hu, positions_mm, spec, column_spacing_mm)
    return _input(prepared, spec, 0, len(prepared.hu)), prepared.boxes
