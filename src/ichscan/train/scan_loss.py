"""The loss of whole scans: binary cross entropy over real slices with a known label, and over the scans."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ichscan.labels import ANY, LABELS
from ichscan.train.scan_layers import slice_mask

UNKNOWN = 255


def label_weights(labels: int, any_weight: float = 2.0) -> Tensor:
    """Weight of each label, summing to 1: `any_weight` for `any` among the six, otherwise all the same.

    2 is the weighting of the RSNA 2019 score, 1 the plain mean of Burduja et al. 2020, equation 1.
    """
    weight = torch.ones(labels)
    if labels == len(LABELS):
        weight[ANY] = any_weight
    return weight / weight.sum()


def scan_labels(labels: Tensor, mask: Tensor) -> Tensor:
    """Uint8 (scans, slices, labels) -> (scans, labels): 1 with a positive slice, 0 when all are known and negative."""
    real = labels.masked_fill(~mask[..., None], 0)
    positive = (real == 1).any(1)
    unknown = (real == UNKNOWN).any(1) & ~positive
    return positive.to(torch.uint8).masked_fill(unknown, UNKNOWN)


def entry_losses(logits: Tensor, labels: Tensor, known: Tensor, any_weight: float = 2.0) -> Tensor:
    """Weighted cross entropy (see `label_weights`) of each slice or scan; entries that are not known cost nothing.

    Args:
        logits: (..., labels); may hold anything where not known.
        labels: uint8 (..., labels), 0 or 1 where known.
        known: bool (..., labels).
        any_weight: of `any`, when there are six labels.

    Returns:
        (...).
    """
    target = labels.masked_fill(~known, 0).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits.masked_fill(~known, 0.0), target, reduction="none")
    weight = label_weights(logits.shape[-1], any_weight).to(logits)
    return (loss.masked_fill(~known, 0.0) * weight).sum(-1)


def scan_losses(
    slices: Tensor, scan: Tensor, labels: Tensor, lengths: Tensor, scan_weight: float, any_weight: float = 2.0
) -> Tensor:
    """Loss of each scan: mean over its slices + `scan_weight` x loss of the whole scan.

    Args:
        slices: logits (scans, slices, labels), padded.
        scan: logits (scans, labels).
        labels: uint8 (scans, slices, labels); 255 = unknown.
        lengths: int64 (scans,), real slices.
        scan_weight: the papers train with slices alone: 0.
        any_weight: of `any`, when there are six labels.

    Returns:
        (scans,).
    """
    lengths = lengths.to(slices.device)
    mask = slice_mask(lengths, slices.shape[1])
    loss = entry_losses(slices, labels, mask[..., None] & (labels != UNKNOWN), any_weight).sum(1) / lengths
    if scan_weight > 0:
        whole = scan_labels(labels, mask)
        loss = loss + scan_weight * entry_losses(scan, whole, whole != UNKNOWN, any_weight)
    return loss
