"""Losses of slice classifiers on logits of independent sigmoids: one value per slice.

A step's loss is the sum over its slices, each times its weight, divided by their number (`ichscan.train.batch`).
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ichscan.errors import DataError, UsageError
from ichscan.labels import LABELS
from ichscan.train.workbench_tables import Loss

ANY = LABELS[-1]


class SliceLoss:
    """The loss that a recipe asks for.

    Args:
        config: table [loss].
        labels: names of the learned labels, in the order of the logits.
        targets: uint8 (slices, k), labels of the training slices; needed where positives are balanced.

    Raises:
        UsageError: weights do not fit the labels, or "composite" without `any` or without types.
        DataError: positives are to be balanced and a label has none.
    """

    def __init__(self, config: Loss, labels: Sequence[str], targets: NDArray[np.uint8] | None = None) -> None:
        self.config, self.labels = config, tuple(labels)
        self.any = self.labels.index(ANY) if ANY in self.labels else None
        if config.kind == "composite" and (self.any is None or len(self.labels) < 2):
            raise UsageError(f'[loss].kind: "composite" needs `any` and types in [data].labels, found {self.labels}')
        self.pos_weight = self._numbers("pos_weight", _positives(config, self.labels, targets))
        self.label_weights = self._numbers("label_weights", config.label_weights)

    def _numbers(self, name: str, values: Sequence[float]) -> Tensor:
        if values and len(values) != len(self.labels):
            raise UsageError(f"[loss].{name}: expected one number for each of {self.labels}, found {tuple(values)}")
        return torch.tensor(values or [1.0] * len(self.labels), dtype=torch.float32)

    def __call__(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Float32 (n,) of logits (n, k) and targets (n, k) of 0 and 1."""
        logits, targets = logits.float(), targets.float()
        smooth = targets * (1 - self.config.smoothing) + self.config.smoothing / 2
        per_label = self._per_label(logits, smooth)
        return self._over_labels(per_label) * self._of_slice(targets)

    def _per_label(self, logits: Tensor, targets: Tensor) -> Tensor:
        config = self.config
        if config.kind == "asymmetric":
            return asymmetric(logits, targets, config.gamma, config.gamma_negative, config.margin)
        if config.kind == "focal":
            return focal(logits, targets, config.gamma, config.alpha)
        weight = self.pos_weight.to(logits.device)
        return F.binary_cross_entropy_with_logits(logits, targets, pos_weight=weight, reduction="none")

    def _over_labels(self, per_label: Tensor) -> Tensor:
        weights = self.label_weights.to(per_label.device)
        if self.config.kind != "composite":
            total = (per_label * weights).sum(1)
            return total if self.config.sum_labels else total / weights.sum()
        if self.any is None:
            raise UsageError("composite loss without `any`")
        types = weights.clone()
        if not self.config.any_in_types:
            types[self.any] = 0.0
        of_types = (per_label * types).sum(1) / types.sum()
        six, one = self.config.types_weight, self.config.any_weight
        return (six * of_types + one * per_label[:, self.any]) / (six + one)

    def _of_slice(self, targets: Tensor) -> Tensor:
        bleeds = targets.amax(1) > 0.5
        high = torch.tensor(self.config.hemorrhage, device=targets.device)
        return torch.where(bleeds, high, torch.tensor(self.config.healthy, device=targets.device))


def _positives(config: Loss, labels: Sequence[str], targets: NDArray[np.uint8] | None) -> list[float]:
    if "balance" not in config.pos_weight:
        return [float(w) for w in config.pos_weight]
    if targets is None:
        raise UsageError('[loss].pos_weight: "balance" needs the labels of the training slices')
    return balance(targets, labels)


def balance(targets: NDArray[np.uint8], labels: Sequence[str]) -> list[float]:
    """Negatives / positives per label (P4 section 3.2).

    Args:
        targets: uint8 (slices, k).
        labels: their names.

    Raises:
        DataError: a label without positives.
    """
    positives = (targets == 1).sum(axis=0)
    if (positives == 0).any():
        empty = [name for name, n in zip(labels, positives, strict=True) if n == 0]
        raise DataError(
            f"training slices: no positive for {', '.join(empty)} among {len(targets)}; positives cannot be balanced: "
            "leave these out of [data].labels, or set [loss].pos_weight to numbers"
        )
    return [float(n) for n in (len(targets) - positives) / positives]


def focal(logits: Tensor, targets: Tensor, gamma: float, alpha: float) -> Tensor:
    """alpha_t (1 - p_t)^gamma BCE, elementwise (Lin et al. 2017, arXiv:1708.02002, equation 5)."""
    p = torch.sigmoid(logits)
    of_truth = p * targets + (1 - p) * (1 - targets)
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none") * (1 - of_truth) ** gamma
    return loss if alpha < 0 else loss * (alpha * targets + (1 - alpha) * (1 - targets))


def asymmetric(logits: Tensor, targets: Tensor, gamma: float, gamma_negative: float, margin: float) -> Tensor:
    """Focusing of its own for negatives, and negatives below `margin` cost nothing (Ridnik 2021, arXiv:2009.14119)."""
    p = torch.sigmoid(logits)
    shifted = (p - margin).clamp(min=0)
    positive = -F.logsigmoid(logits) * (1 - p) ** gamma
    negative = -torch.log1p(-shifted.clamp(max=1 - 1e-7)) * shifted**gamma_negative
    return targets * positive + (1 - targets) * negative
