"""The loss of whole scans: binary cross entropy over real slices with a known label, and over the scans."""

import torch
from torch import Tensor
from torch.nn import functional as F

from ichscan.labels import ANY, LABELS
from ichscan.train.scan_layers import slice_mask

UNKNOWN = 255


def label_weights(labels: int) -> Tensor:
    """Weight of each label, summing to 1: `any` counts twice among the six, otherwise all the same.

    For six labels this is at once the weighting of the RSNA 2019 score and the loss of Alqaisi & Almashagbeh 2025,
    (6 BCE(all six, mean) + 1 BCE(any)) / 7.
    """
    weight = torch.ones(labels)
    if labels == len(LABELS):
        weight[ANY] = 2.0
    return weight / weight.sum()


def scan_labels(labels: Tensor, mask: Tensor) -> Tensor:
    """Uint8 (scans, slices, labels) -> (scans, labels): 1 with a positive slice, 0 when all are known and negative."""
    real = labels.masked_fill(~mask[..., None], 0)
    positive = (real == 1).any(1)
    unknown = (real == UNKNOWN).any(1) & ~positive
    return positive.to(torch.uint8).masked_fill(unknown, UNKNOWN)


def masked_bce(logits: Tensor, labels: Tensor, mask: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross entropy of real entries with a known label: mean per label, then the weighted sum. Scalar.

    Args:
        logits: (..., labels).
        labels: uint8 (..., labels); 0, 1 or 255 = unknown.
        mask: bool (...), False in the padding.
        weight: (labels,), see `label_weights`.
    """
    known = mask[..., None] & (labels != UNKNOWN)
    target = labels.masked_fill(~known, 0).to(logits.dtype)
    loss = F.binary_cross_entropy_with_logits(logits.masked_fill(~known, 0.0), target, reduction="none")
    axes = tuple(range(logits.ndim - 1))
    count = known.sum(axes)
    per_label = loss.masked_fill(~known, 0.0).sum(axes) / count.clamp(min=1)
    return (per_label * weight.to(logits)).sum()


def scan_model_loss(slices: Tensor, scan: Tensor, labels: Tensor, lengths: Tensor, scan_weight: float) -> Tensor:
    """Slice loss + `scan_weight` x scan loss; the papers train with slices alone (0)."""
    mask = slice_mask(lengths.to(slices.device), slices.shape[1])
    weight = label_weights(labels.shape[-1])
    loss = masked_bce(slices, labels, mask, weight)
    if scan_weight > 0:
        whole = scan_labels(labels, mask)
        everything = torch.ones(len(whole), dtype=torch.bool, device=whole.device)
        loss = loss + scan_weight * masked_bce(scan, whole, everything, weight)
    return loss
