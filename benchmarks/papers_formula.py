"""Model input as the papers compute it: float64 arithmetic on every pixel, slice by slice.

HU -> window, clip, scale -> 8 bit -> crop to the head, pad to a square -> resize -> normalise
(Alqaisi & Almashagbeh 2025, sections 3.3.3 and 3.3.4; Burduja et al. 2020, section 3).
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.model.crop import head_boxes
from ichscan.model.spec import InputSpec


def papers_input(
    hu: NDArray[np.float64], positions_mm: Sequence[float], spec: InputSpec, column_spacing_mm: float | None = None
) -> NDArray[np.float32]:
    """float64 HU (slices, rows, cols) -> float32 (slices, channels, size, size)."""
    positions = np.asarray(positions_mm)
    boxes = head_boxes(hu.astype(np.int16), column_spacing_mm) if spec.crop == "head" else None
    images = []
    for i, position in enumerate(positions):
        channels = []
        for channel in spec.channels:
            neighbour = int(np.abs(positions - (position + channel.offset_mm)).argmin())
            channels.append(window(hu[neighbour], channel.center, channel.width))
        image = np.stack(channels, axis=2)
        top, left, side = content_box(image) if boxes is None else (int(v) for v in boxes[i])
        image = square(image, top, left, side)
        if spec.interpolation == "smooth":
            kernel = 2 * round(side / spec.size / 2) + 1
            image = cv2.GaussianBlur(image, (kernel, kernel), 0)
        image = cv2.resize(image, (spec.size, spec.size), interpolation=cv2.INTER_LINEAR)
        image = image.reshape(spec.size, spec.size, -1)
        scaled = (image.astype(np.float64) / 255 - np.array(spec.mean)) / np.array(spec.std)
        images.append(scaled.transpose(2, 0, 1).astype(np.float32))
    return np.stack(images)


def window(hu: NDArray[np.float64], center: float, width: float) -> NDArray[np.uint8]:
    low, high = center - width / 2, center + width / 2
    return ((np.clip(hu, low, high) - low) / (high - low) * 255).astype(np.uint8)


def content_box(image: NDArray[np.uint8]) -> tuple[int, int, int]:
    rows, cols = np.nonzero(image.max(axis=2) > 0)
    if len(rows) == 0:
        side = max(image.shape[:2])
        return -(side - image.shape[0]) // 2, -(side - image.shape[1]) // 2, side
    height, width = int(rows.max() - rows.min()) + 1, int(cols.max() - cols.min()) + 1
    side = max(height, width)
    return int(rows.min()) - (side - height) // 2, int(cols.min()) - (side - width) // 2, side


def square(image: NDArray[np.uint8], top: int, left: int, side: int) -> NDArray[np.uint8]:
    rows, cols = image.shape[:2]
    out = np.zeros((side, side, image.shape[2]), np.uint8)
    y0, y1, x0, x1 = max(top, 0), min(top + side, rows), max(left, 0), min(left + side, cols)
    out[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return out
