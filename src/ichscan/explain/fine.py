"""Finer maps for small lesions: the slice is read a second time, larger, and both maps are averaged.

The network has convolutions only, so that it takes slices of any size; its cells then cover less of the head. The
larger reading costs about (`ZOOM` squared) of the first, so it is done for slices called positive and their neighbours
only.
"""

from dataclasses import replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from ichscan.explain.maps import NEIGHBOUR_MM
from ichscan.labels import ANY
from ichscan.model.bundle import Bundle
from ichscan.model.predict import sequence_stride
from ichscan.model.preprocess import grey_slice, normalise, prepare
from ichscan.model.upright import turn_of
from ichscan.types import Float32, Prediction, Volume

ZOOM: Final = 1.5
"""The second reading's size in that of the first. 2 was worse: that far from its training the network errs."""
MULTIPLE: Final = 32
"""Sides that the strides of the network divide, so that its padding is the same at every size."""
FINER: Final = 2
"""Cells of the averaged maps per cell of the first, along each side."""


def can_refine(bundle: Bundle) -> bool:
    """Whether the bundle has lesion maps and takes slices of any size."""
    shape = bundle.slice_network.inputs["slices"]
    return "lesion_maps" in bundle.slice_network.outputs and not any(isinstance(side, int) for side in shape[2:])


def refine(
    prediction: Prediction, volume: Volume, bundle: Bundle, chosen: NDArray[np.bool_] | None = None
) -> Prediction:
    """The prediction with lesion maps of twice as many cells along each side, read at two sizes where `chosen`.

    Probabilities stay as they are. Returned as it is when the bundle cannot do it or nothing is chosen.

    Args:
        prediction: of the volume, with maps.
        volume: the slices.
        bundle: the model that made the prediction.
        chosen: bool (slices,); None = slices at or above their threshold for any hemorrhage. Their neighbours, which
            settle them, are read again as well.

    Raises:
        BundleError: the network fails.
    """
    if chosen is None:
        chosen = prediction.slices[:, ANY] >= prediction.slice_thresholds[ANY]
    if prediction.lesion_maps is None or not can_refine(bundle) or not chosen.any():
        return prediction
    stride = sequence_stride(volume.positions_mm, NEIGHBOUR_MM)
    again = chosen.copy()
    again[:-stride] |= chosen[stride:]
    again[stride:] |= chosen[:-stride]
    spec = replace(bundle.spec.input, size=round(bundle.spec.input.size * ZOOM / MULTIPLE) * MULTIPLE)
    turn = turn_of(volume)
    prepared = prepare(turn.pixels(volume.hu), volume.positions_mm, spec, turn.column_spacing(volume.spacing_mm))
    side = prediction.lesion_maps.shape[-1] * FINER
    maps = np.stack([_resized(m, side) for m in prediction.lesion_maps])
    for i in np.flatnonzero(again):
        (larger,) = bundle.slice_network.run(
            ["lesion_maps"], slices=normalise(grey_slice(prepared, int(i), spec)[None], spec)
        )
        maps[i] = (maps[i] + _resized(turn.maps(larger[0]), side)) / 2
    return replace(prediction, lesion_maps=maps)


def _resized(maps: Float32, side: int) -> Float32:
    """Float32 (6, h, w) -> (6, side, side), bilinear."""
    return np.stack([cv2.resize(m, (side, side), interpolation=cv2.INTER_LINEAR) for m in maps]).astype(np.float32)
