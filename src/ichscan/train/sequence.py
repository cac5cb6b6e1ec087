"""The scan network: reads the evidence of all slices of a scan and settles each slice in the light of its neighbours.

Two parts are added. A smooth one mixes each label's logit with its strongest lesion cells and averages it with the
neighbours (weights start at .6, 1.8, .6: second place of RSNA 2019). A recurrent one, optional, corrects it: a
bidirectional GRU over [e, e - e(before), e - e(after), e - mean(e)] (deltas: Alqaisi & Almashagbeh 2025, section 3.4;
predictions as features: Burduja et al. 2020, table 3; the mean stands for what is usual in this head). Both are small
on purpose: there are tens of scans to learn from. They learn from out-of-fold evidence only (stacking), so that they
see slices as uncertain as they will be at work.

The scan's logit is the mean of the highest slice logits before smoothing: cross-validation ranks scans best by it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ichscan.labels import ANY, LABELS
from ichscan.train.slice_network import EVIDENCE

Arrays = Sequence[NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class SequenceTraining:
    """Recipe table [sequence]: how the scan network is trained. `hidden` = 0 leaves the recurrent part out."""

    hidden: int = 0
    epochs: int = 30
    batch: int = 8
    learning_rate: float = 4e-3
    weight_decay: float = 0.3
    dropout: float = 0.5
    jitter: float = 0.3
    seeds: int = 3
    top: int = 2


class ScanNetwork(nn.Module):
    """Evidence of one scan (slices, 16), inferior to superior -> slice logits (slices, 6), scan logits (6,)."""

    mean: Tensor
    std: Tensor

    def __init__(self, hidden: int, dropout: float, top: int) -> None:
        super().__init__()
        self.top = top
        self.register_buffer("mean", torch.zeros(EVIDENCE))
        self.register_buffer("std", torch.ones(EVIDENCE))
        self.mix = nn.Parameter(torch.tensor([[1.0], [0.5]]).repeat(1, len(LABELS)))
        self.kernel = nn.Parameter(torch.log(torch.tensor([0.6, 1.8, 0.6])))
        self.dropout = nn.Dropout(dropout)
        self.gru = nn.GRU(4 * EVIDENCE, hidden, bidirectional=True, batch_first=True) if hidden else None
        self.head = nn.Linear(2 * hidden, len(LABELS)) if hidden else None
        if self.head is not None:
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)

    def forward(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        slices = self._smooth(evidence)
        if self.gru is not None and self.head is not None:
            e = (evidence - self.mean) / self.std
            before, after = _neighbours(e)
            x = torch.cat([e, e - before, e - after, e - e.mean(dim=0, keepdim=True)], dim=1)
            states, _ = self.gru(self.dropout(x)[None])
            slices = slices + self.head(self.dropout(states[0]))
        return slices, top_mean(evidence[:, : len(LABELS)], self.top)

    def _smooth(self, evidence: Tensor) -> Tensor:
        n = len(LABELS)
        mixed = self.mix[0] * evidence[:, :n] + self.mix[1] * evidence[:, n : 2 * n]
        before, after = _neighbours(mixed)
        a, b, c = torch.softmax(self.kernel, dim=0)
        smoothed: Tensor = a * before + b * mixed + c * after
        return smoothed


def _neighbours(rows: Tensor) -> tuple[Tensor, Tensor]:
    """The row before and the row after each; the ends repeat themselves."""
    return torch.cat([rows[:1], rows[:-1]]), torch.cat([rows[1:], rows[-1:]])


def top_mean(logits: Tensor, top: int) -> Tensor:
    """Mean of the `top` highest slices per label, (slices, 6) -> (6,); scans shorter than that repeat their lowest."""
    padded = torch.cat([logits, logits.min(dim=0, keepdim=True).values.repeat(top - 1, 1)]) if top > 1 else logits
    return padded.topk(top, dim=0).values.mean(dim=0)


class ScanEnsemble(nn.Module):
    """The mean of several scan networks' logits."""

    def __init__(self, members: Sequence[ScanNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        outputs = [member(evidence) for member in self.members]
        return torch.stack([s for s, _ in outputs]).mean(dim=0), outputs[0][1]


def train_scan_ensemble(
    evidence: Arrays, labels: Sequence[NDArray[np.uint8]], config: SequenceTraining, seed: int
) -> ScanEnsemble:
    """Trains `config.seeds` networks on the evidence (slices, 16) and labels (slices, 6) of whole scans."""
    return ScanEnsemble([_train_one(evidence, labels, config, seed * 100 + s) for s in range(config.seeds)]).eval()


def _train_one(
    evidence: Arrays, labels: Sequence[NDArray[np.uint8]], config: SequenceTraining, seed: int
) -> ScanNetwork:
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = ScanNetwork(config.hidden, config.dropout, config.top)
    everything = np.concatenate(evidence)
    network.mean.copy_(torch.from_numpy(everything.mean(axis=0)))
    network.std.copy_(torch.from_numpy(everything.std(axis=0) + 1e-3))
    smooth = [network.mix, network.kernel]
    recurrent = [p for part in (network.gru, network.head) if part is not None for p in part.parameters()]
    groups: list[dict[str, Any]] = [
        {"params": smooth, "weight_decay": 0.0, "lr": config.learning_rate / 4},
        {"params": recurrent},
    ]
    optimiser = torch.optim.AdamW(
        groups,
        config.learning_rate,
        weight_decay=config.weight_decay,
    )
    steps = config.epochs * math.ceil(len(evidence) / config.batch)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    weight = torch.ones(len(LABELS))
    weight[ANY] = 2.0
    network.train()
    for _ in range(config.epochs):
        order = rng.permutation(len(evidence))
        for start in range(0, len(order), config.batch):
            losses = []
            for k in order[start : start + config.batch]:
                x, y = torch.from_numpy(evidence[k]), torch.from_numpy(labels[k].astype(np.float32))
                # a scan-wide shift, as between scanners
                x = x + config.jitter * network.std * torch.randn(1, x.shape[1])
                if rng.random() < 0.5:
                    x, y = x.flip(0), y.flip(0)
                per_slice = F.binary_cross_entropy_with_logits(network(x)[0], y, reduction="none")
                losses.append((per_slice.mean(dim=0) * weight).sum() / 7)
            optimiser.zero_grad(set_to_none=True)
            torch.stack(losses).mean().backward()
            optimiser.step()
            schedule.step()
    return network.eval()


@torch.no_grad()
def scan_logits(
    ensemble: ScanEnsemble, evidence: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Slice logits float32 (slices, 6) and scan logits float32 (6,) of one scan."""
    slices, scan = ensemble(torch.from_numpy(evidence))
    return slices.numpy(), scan.numpy()
