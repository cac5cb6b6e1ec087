"""Augmentation: parameters are drawn, then applied to the image and to its maps alike.

Ranges follow the papers (shift, scale, rotation, flip: Alqaisi 2025 and Hoseyni 2024) plus noise and grey shifts, which
stand for other scanners: the default model learns from JPEG images that hold less noise than real DICOM.
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

UInt8 = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Augmentation:
    """One draw. Angles in degrees; shifts as a share of the side; grey values of 255."""

    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    flip: bool = False
    gain: float = 1.0
    bias: float = 0.0
    noise: float = 0.0
    blur: float = 0.0
    alone: bool = False
    """The neighbouring slices are replaced by the slice itself (as at the ends of a scan)."""


def draw(rng: np.random.Generator) -> Augmentation:
    """Draws the parameters of one augmentation."""
    return Augmentation(
        angle=float(rng.uniform(-25, 25)),
        scale=float(rng.uniform(0.85, 1.15)),
        shift=(float(rng.uniform(-0.06, 0.06)), float(rng.uniform(-0.06, 0.06))),
        flip=bool(rng.random() < 0.5),
        gain=float(rng.uniform(0.92, 1.08)),
        bias=float(rng.uniform(-10, 10)),
        noise=float(rng.uniform(0, 12)) if rng.random() < 0.5 else 0.0,
        blur=float(rng.uniform(0.3, 1.0)) if rng.random() < 0.2 else 0.0,
        alone=bool(rng.random() < 0.05),
    )


def apply(
    drawn: Augmentation, grey: UInt8, maps: UInt8, rng: np.random.Generator, middle: int = 1
) -> tuple[UInt8, UInt8]:
    """Applies one draw.

    Args:
        drawn: the parameters.
        grey: uint8 (channels, size, size).
        maps: uint8 (classes, map size, map size), moved with the image.
        rng: for the noise.
        middle: the channel that shows the slice itself; it and the channels beside it are the neighbours.

    Returns:
        Both, of the same shapes.
    """
    if drawn.alone and 0 < middle < len(grey) - 1:
        grey = grey.copy()
        grey[middle - 1] = grey[middle + 1] = grey[middle]
    grey = _move(drawn, grey)
    values: NDArray[Any] = grey.astype(np.float32) * drawn.gain + drawn.bias
    values[grey == 0] = 0  # air stays black
    if drawn.noise:
        values += rng.standard_normal(values.shape, np.float32) * drawn.noise
    if drawn.blur:
        values = np.stack([cv2.GaussianBlur(plane, (0, 0), drawn.blur) for plane in values])
    return np.clip(values, 0, 255).astype(np.uint8), _move(drawn, maps)


def _move(drawn: Augmentation, image: UInt8) -> UInt8:
    side = image.shape[2]
    center = (side - 1) / 2
    transform = cv2.getRotationMatrix2D((center, center), drawn.angle, drawn.scale)
    transform[:, 2] += np.array(drawn.shift) * side
    if drawn.flip:
        transform = transform @ np.array([[-1, 0, side - 1], [0, 1, 0], [0, 0, 1]], np.float64)
    moved: list[Any] = [cv2.warpAffine(plane, transform, (side, side), flags=cv2.INTER_LINEAR) for plane in image]
    return np.stack(moved)
