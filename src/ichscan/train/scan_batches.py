"""Batches of whole scans for the training loop, and what they are fitted to.

The item of a batch is a scan; its weight is its number of slices, so that a step's loss is the mean over all real
slices in it (the "masked loss" of Alqaisi & Almashagbeh 2025, section 3.4.7), however the scans are spread over
devices and parts.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ichscan.train.batch import Batch, Share
from ichscan.train.scan_loss import scan_losses
from ichscan.train.scan_set import UNKNOWN, Scans


def padded(scans: Scans, chosen: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Chosen scans, padded with zeros to the longest of them.

    Returns:
        features float32 (scans, slices, width), logits float32 (scans, slices, labels), lengths int64 (scans,) and
        labels uint8 (scans, slices, labels), unknown in the padding.
    """
    lengths = scans.lengths[chosen]
    shape = (len(chosen), int(lengths.max()))
    features = torch.zeros(*shape, scans.features.shape[1])
    logits = torch.zeros(*shape, scans.logits.shape[1])
    labels = torch.full((*shape, scans.labels.shape[1]), UNKNOWN, dtype=torch.uint8)
    for i, scan in enumerate(chosen):
        a, b = int(scans.starts[scan]), int(scans.stops[scan])
        features[i, : b - a] = torch.from_numpy(np.array(scans.features[a:b], np.float32))
        logits[i, : b - a] = torch.from_numpy(np.array(scans.logits[a:b], np.float32))
        labels[i, : b - a] = torch.from_numpy(np.array(scans.labels[a:b]))
    return features, logits, torch.from_numpy(lengths.copy()), labels


@dataclass(frozen=True, slots=True)
class ScanBatches:
    """Shuffled batches of an epoch; the order follows from (seed, epoch) alone.

    Attributes:
        scans: labelled training scans.
        size: scans per optimiser step.
        parts: that each device works through its share of a step in.
        seed: of the order.
    """

    scans: Scans
    size: int
    parts: int
    seed: int

    @property
    def steps(self) -> int:
        """Optimiser steps per epoch; the last may hold fewer scans."""
        return -(-len(self.scans) // self.size)

    def __call__(self, epoch: int, first: int, share: Share) -> Iterator[Batch]:
        """Parts of the steps from `first` on, for one device."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.scans))
        for step in range(first, self.steps):
            chosen = order[step * self.size : (step + 1) * self.size]
            yield from self._step(chosen, share)

    def _step(self, chosen: NDArray[np.int64], share: Share) -> Iterator[Batch]:
        total = float(self.scans.lengths[chosen].sum())
        own = chosen[share.rank :: share.world]
        weights = self.scans.lengths[own].astype(np.float32)
        if len(own) * share.world < len(chosen) or len(own) == 0:  # keeps the devices in step; weighs nothing
            own, weights = np.append(own, chosen[0]), np.append(weights, np.float32(0))
        pieces = min(self.parts, len(chosen) // share.world or 1)
        split = list(zip(np.array_split(own, pieces), np.array_split(weights, pieces), strict=True))
        for k, (part, weight) in enumerate(split, 1):
            features, logits, lengths, labels = padded(self.scans, part)
            names = tuple(self.scans.names[i] for i in part)
            inputs = (features, logits, lengths)
            yield Batch(inputs, labels, torch.from_numpy(weight.copy()), total, k == len(split), names)


@dataclass(frozen=True, slots=True)
class ScanObjective:
    """Sum over scans of slices x loss (see `ichscan.train.scan_loss.scan_losses`)."""

    scan_weight: float
    any_weight: float = 2.0

    def __call__(self, network: nn.Module, batch: Batch) -> Tensor:
        features, logits, lengths = batch.inputs
        out = network(features, logits, lengths)
        slices, scan = out.slices.float(), out.scan.float()
        losses = scan_losses(slices, scan, batch.targets, lengths, self.scan_weight, self.any_weight)
        return (losses * batch.weights).sum()
