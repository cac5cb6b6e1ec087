"""The maps that are shown: how strongly each cell of a slice speaks for each label.

A network with lesion maps (supervised, logits per cell) is shown by these, settled by their neighbours as the scan
network settles logits; one without by its class activation, ReLU(map) (Zhou et al. 2016, arXiv:1512.04150). Out of fold
the settled lesion maps point at the lesion more often, and at small lesions above all: docs/explain.md has the figures.
"""

from typing import Final

import cv2
import numpy as np

from ichscan.model.predict import sequence_stride
from ichscan.types import Float32, Float64, Prediction

KERNEL: Final = (0.25, 0.5, 0.25)
"""Weights of the slice below, the slice itself and the slice above. The shipped scan network learned .22, .56, .22."""
SHARPNESS: Final = 2.0
"""The odds of a cell are taken to this power, since the maps were taught to rather mark too much (lesions weigh three
times as much as their background). The order of the cells stays; a halo of small values goes."""
NEIGHBOUR_MM: Final = 5.0
"""Distance of the neighbours; slices closer together are passed over, as in the scan network."""


def shown_maps(prediction: Prediction, positions_mm: Float64 | tuple[float, ...]) -> Float32 | None:
    """Maps that can be shown and compared between slices: float32 (slices, 6, map rows, map cols), at least 0.

    In [0, 1] from lesion maps, otherwise ReLU(class map) in units of the logit; None without either.

    Args:
        prediction: with maps.
        positions_mm: float64 (slices,), ascending.
    """
    if prediction.lesion_maps is not None:
        return sigmoid(np.float32(SHARPNESS) * settled_logits(prediction.lesion_maps, positions_mm))
    return None if prediction.class_maps is None else np.maximum(prediction.class_maps, 0)


def settled_logits(lesion_maps: Float32, positions_mm: Float64 | tuple[float, ...]) -> Float32:
    """Lesion maps settled by their neighbours: logits of the same shape, which do not saturate as what is shown does.

    Args:
        lesion_maps: float32 (slices, 6, map rows, map cols), logits.
        positions_mm: float64 (slices,), ascending.
    """
    return settle(lesion_maps, sequence_stride(np.asarray(positions_mm, np.float64), NEIGHBOUR_MM))


def settle(maps: Float32, stride: int = 1) -> Float32:
    """Weighted mean with the slices `stride` below and above, by `KERNEL`; the ends repeat themselves.

    Args:
        maps: float32 (slices, ...).
        stride: distance of the neighbours in slices.
    """
    index = np.arange(len(maps))
    below, above = np.maximum(index - stride, index % stride), index + stride
    above = np.where(above < len(maps), above, index)
    a, b, c = (np.float32(w) for w in KERNEL)
    settled: Float32 = a * maps[below] + b * maps + c * maps[above]
    return settled


def sigmoid(logits: Float32) -> Float32:
    """1 / (1 + exp(-logits)), float32 of any shape; written so that it cannot overflow."""
    small = np.exp(-np.abs(logits))
    result: Float32 = (np.where(logits >= 0, 1, small) / (1 + small)).astype(np.float32)
    return result


def on_slice(values: Float32, box: tuple[int, int, int], shape: tuple[int, int], outside: float = 0.0) -> Float32:
    """One map in the pixels of its slice, float32 (rows, cols), bilinear.

    Args:
        values: float32 (map rows, map cols).
        box: (top, left, side) in pixels of the square that the map covers; may reach beyond the image.
        shape: (rows, cols) of the slice.
        outside: value of the pixels that the map does not cover.
    """
    top, left, side = box
    rows, cols = shape
    out = np.full(shape, outside, np.float32)
    square = cv2.resize(values.astype(np.float32, copy=False), (side, side), interpolation=cv2.INTER_LINEAR)
    y0, y1 = max(top, 0), min(top + side, rows)
    x0, x1 = max(left, 0), min(left + side, cols)
    if y0 < y1 and x0 < x1:
        out[y0:y1, x0:x1] = square[y0 - top : y1 - top, x0 - left : x1 - left]
    return out
