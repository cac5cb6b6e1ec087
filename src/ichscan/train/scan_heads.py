"""One logit per label for the whole scan, from the logits of its slices; padding takes no part."""

import math

import torch
from torch import Tensor, nn

from ichscan.train.scan_layers import blank_padding


class TopMeanHead(nn.Module):
    """Mean of the `top` highest slice logits per label; a shorter scan repeats its lowest. No weights.

    The rule of `ichscan.train.sequence.top_mean`, for padded batches.
    forward: logits (scans, slices, labels), states (unused), mask -> (scans, labels).
    """

    def __init__(self, top: int) -> None:
        super().__init__()
        self.top = top

    def forward(self, logits: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        del states
        absent = ~mask[..., None]
        lowest = logits.masked_fill(absent, math.inf).amin(1, keepdim=True)
        # repeated whether they are missing or not: what is written as ONNX must not depend on the example's length
        repeated = lowest.expand(-1, self.top - 1, -1)
        filled = torch.cat([torch.where(absent, lowest, logits), repeated], 1)
        return filled.topk(self.top, 1).values.mean(1)


class AttentionHead(nn.Module):
    """Learned attention per label over the slices; the scan's logit is the weighted mean of the slice logits.

    The weights come from the states (a gated score as in Ilse et al. 2018, equation 9); what is weighted are the slice
    logits, so that a scan's score can always be traced to its slices.
    forward: logits (scans, slices, labels), states (scans, slices, width), mask -> (scans, labels).
    """

    def __init__(self, width: int, labels: int, hidden: int = 64) -> None:
        super().__init__()
        self.content = nn.Linear(width, hidden)
        self.gate = nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, labels)

    def forward(self, logits: Tensor, states: Tensor, mask: Tensor) -> Tensor:
        x = blank_padding(states, mask)
        score = self.score(torch.tanh(self.content(x)) * torch.sigmoid(self.gate(x)))
        weight = torch.softmax(score.masked_fill(~mask[..., None], -math.inf), 1)
        return (weight * blank_padding(logits, mask)).sum(1)
