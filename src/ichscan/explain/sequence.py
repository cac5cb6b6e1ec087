"""Class activation through the sequence model: which cells of which slices made the logit of one slice.

The scan network reads `evidence`: columns 0-5 are the mean of the class maps over their cells (plus a constant),
columns 6-11 of a network with lesion maps are the mean of these over their strongest cells. So the gradient of a
settled logit with respect to a cell, averaged over a map as Grad-CAM does (Selvaraju et al. 2017, equation 1), is
the gradient with respect to the evidence, divided by the number of cells:

    map(u) = sum over labels k of (d logit / d evidence[u, k]) * class_map[u, k] + the same of the lesion maps

which is Grad-CAM at the last feature maps times the number of cells, before ReLU, over all slices u.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ichscan.errors import UsageError
from ichscan.labels import LABELS
from ichscan.model.predict import run_scan
from ichscan.model.session import Network
from ichscan.types import Float32

STEP: Final = 0.05
"""Of the central differences, in logits. For a linear scan network, such as the shipped one, any step is exact."""
MOST_RUNS: Final = 200_000


@dataclass(frozen=True, slots=True, eq=False)
class Gradients:
    """How the logits of a scan follow its evidence.

    Attributes:
        slices: float32 (outputs, 6, slices, evidence), of the settled logits of the slices that were asked for.
        scan: float32 (6, slices, evidence), of the logits of the scan.
    """

    slices: Float32
    scan: Float32


def gradients(network: Network, evidence: Float32, outputs: Sequence[int], stride: int = 1) -> Gradients:
    """Gradients of a scan network by central differences; ONNX Runtime has none of its own.

    Args:
        network: the bundle's scan network.
        evidence: float32 (slices, evidence), inferior to superior.
        outputs: slices whose logits are asked for.
        stride: number of interleaved sequences, see `ichscan.model.predict.sequence_stride`.

    Raises:
        UsageError: the evidence is so wide that this would take minutes.
        BundleError: the network fails.
    """
    n, width = evidence.shape
    if 2 * n * width > MOST_RUNS:
        raise UsageError(
            f"{network.name}: expected at most {MOST_RUNS // 2:,} values of evidence, found {n} slices x {width}; "
            "explain a scan model that reads logits instead of embeddings"
        )
    slices = np.zeros((len(outputs), len(LABELS), n, width), np.float32)
    scan = np.zeros((len(LABELS), n, width), np.float32)
    varied = np.array(evidence, np.float32)
    for u in range(n):
        for k in range(width):
            value = varied[u, k]
            varied[u, k] = high = value + np.float32(STEP)
            above = run_scan(varied, network, stride)
            varied[u, k] = low = value - np.float32(STEP)
            below = run_scan(varied, network, stride)
            varied[u, k] = value
            slices[:, :, u, k] = (above[0] - below[0])[list(outputs)] / (high - low)
            scan[:, u, k] = (above[1] - below[1]) / (high - low)
    return Gradients(slices, scan)


def sequence_maps(gradient: Float32, class_maps: Float32, lesion_maps: Float32 | None = None) -> Float32:
    """What each slice's cells add to one logit: float32 (slices, map rows, map cols), before ReLU.

    Args:
        gradient: float32 (slices, evidence), of one logit: an entry of `Gradients`.
        class_maps: float32 (slices, 6, map rows, map cols).
        lesion_maps: the same shape, of networks that have them.

    Raises:
        UsageError: the logit also follows evidence that is pooled from neither.
    """
    labels = len(LABELS)
    maps = class_maps if lesion_maps is None else np.concatenate([class_maps, lesion_maps], axis=1)
    known = labels if lesion_maps is None else 2 * labels
    if gradient.shape[1] < known or np.abs(gradient[:, known:]).max(initial=0) > 1e-4:
        raise UsageError(
            f"expected a scan network that follows {known} columns of evidence, found {gradient.shape[1]}, of which "
            "others count; there are no maps of these"
        )
    found: Float32 = np.einsum("uk,ukij->uij", gradient[:, :known], maps).astype(np.float32)
    return found


def shares(maps: Float32) -> Float32:
    """How much of the positive activation each slice holds: float32 (slices,), sum 1; all 0 without any.

    Args:
        maps: float32 (slices, map rows, map cols), see `sequence_maps`.
    """
    positive = np.maximum(maps, 0).sum(axis=(1, 2))
    total = positive.sum()
    result: Float32 = (positive / total if total > 0 else positive).astype(np.float32)
    return result
