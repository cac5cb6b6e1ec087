"""Class activation as a heat map over a slice: where the network saw what it calls hemorrhage.

For a network that ends in global average pooling and a linear layer, ReLU(class map) is its Grad-CAM up to a constant
(Selvaraju et al. 2017, appendix A). Maps are never stretched to their own maximum: that lights up every healthy slice.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.anatomy import intracranial_mask
from ichscan.labels import ANY
from ichscan.model.preprocess import windowed
from ichscan.types import Float32, Int16, Prediction, Volume

UInt8 = NDArray[np.uint8]
Bool = NDArray[np.bool_]
BRAIN: Final = (40.0, 80.0)
"""Brain window, (centre, width) in HU."""
SOFT_TISSUE_HU: Final = (-20, 120)
OPACITY: Final = 0.7
MARGIN: Final = 4
"""Pixels by which the inside of the head is widened: blood against the skull is part of it."""


def gates(prediction: Prediction, label: int = ANY) -> Float32:
    """How much of each slice's map is shown, float32 (slices,).

    0 up to half the slice's threshold, 1 from the threshold on, linear between.
    """
    half = np.float32(max(float(prediction.slice_thresholds[label]), 1e-6) / 2)
    shown: Float32 = np.clip((prediction.slices[:, label] - half) / half, 0, 1)
    return shown


def heat(volume: Volume, prediction: Prediction, index: int, label: int = ANY, inside: Bool | None = None) -> Float32:
    """Heat of one slice: gate * ReLU(class map) / largest ReLU(class map) of all slices that are shown at all.

    One scale for the whole scan, and nothing on slices that the model calls clear.

    Args:
        volume: the slices.
        prediction: with class maps; without, the heat is 0.
        index: slice.
        label: index into `ichscan.labels.LABELS`.
        inside: bool (rows, cols), where heat may be; everywhere when None.

    Returns:
        float32 (rows, cols) in [0, 1].
    """
    rows, cols = volume.hu.shape[1:]
    out = np.zeros((rows, cols), np.float32)
    maps = prediction.class_maps
    if maps is None:
        return out
    shown = gates(prediction, label)
    if shown[index] == 0:
        return out
    largest = maps[shown > 0, label].max(initial=0)
    if largest <= 0:
        return out
    scaled = np.maximum(maps[index, label], 0) * (shown[index] / largest)
    top, left, side = (int(v) for v in prediction.boxes[index])
    square = cv2.resize(scaled, (side, side), interpolation=cv2.INTER_LINEAR)
    y0, y1 = max(top, 0), min(top + side, rows)
    x0, x1 = max(left, 0), min(left + side, cols)
    out[y0:y1, x0:x1] = square[y0 - top : y1 - top, x0 - left : x1 - left]
    if inside is not None:
        out[~inside] = 0
    return out


def inside_head(volume: Volume, prediction: Prediction) -> Bool | None:
    """Bool (slices, rows, cols), the inside of the skull a little widened, where heat may be shown.

    Where no closed skull is found (base, vertex, craniectomy) it is all soft tissue of the slice.

    Returns:
        None when pixel spacing is not recorded, or when no slice has heat.
    """
    lit = np.flatnonzero(gates(prediction))
    if volume.spacing_mm is None or prediction.class_maps is None or len(lit) == 0:
        return None
    mask = intracranial_mask(volume.hu, volume.spacing_mm)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * MARGIN + 1, 2 * MARGIN + 1))
    for i in lit:
        one = mask[i]
        mask[i] = cv2.dilate(one.astype(np.uint8), kernel) > 0 if one.any() else _soft_tissue(volume.hu[i])
    return mask


def _soft_tissue(hu: Int16) -> Bool:
    low, high = SOFT_TISSUE_HU
    return (hu > low) & (hu < high)


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
