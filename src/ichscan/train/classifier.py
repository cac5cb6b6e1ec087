"""Slice classifier: a backbone, and the head of a paper.

Linear heads: P0 section 3.4.3 (Linear(2048, 6)), P2 section 3.2, P4 section 3.2; P1 with one output. "dense128" is P3
section 3.2: Dense 128, ReLU, dropout .3, outputs. All outputs are logits of independent sigmoids.
"""

from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from ichscan.errors import UsageError
from ichscan.train.backbones import Backbone, build
from ichscan.train.workbench_tables import HEADS, Network, one_of

DENSE: Final = 128


class ClassifierOutput(NamedTuple):
    """Outputs for n slices.

    Attributes:
        logits: (n, k), one per learned label.
        embedding: (n, width), the pooled features that the head sees.
        features: (n, width, h, w), the last feature map.
    """

    logits: Tensor
    embedding: Tensor
    features: Tensor


class SliceClassifier(nn.Module):
    """Input float32 (n, c, s, s), normalised; see `ClassifierOutput`.

    Args:
        backbone: see `ichscan.train.backbones.build`.
        head: "linear" or "dense128".
        outputs: number of labels.
        dropout: rate before the last layer.
        frozen_norm: batch normalisation keeps the statistics it was loaded with, also while training.
    """

    def __init__(
        self,
        backbone: Backbone,
        head: str = "linear",
        outputs: int = 6,
        dropout: float = 0.0,
        frozen_norm: bool = False,
    ) -> None:
        super().__init__()
        one_of("head", head, HEADS)
        if outputs < 1:
            raise UsageError(f"outputs: expected at least one label, found {outputs}")
        self.backbone = backbone.to(memory_format=torch.channels_last)
        self.frozen_norm = frozen_norm
        if head == "dense128":
            dense = nn.Linear(backbone.width, DENSE)
            self.head = nn.Sequential(dense, nn.ReLU(), nn.Dropout(dropout), nn.Linear(DENSE, outputs))
        else:
            self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(backbone.width, outputs))

    @property
    def last(self) -> nn.Linear:
        """The last layer; its weight (k, width or 128) is what P2 selects features by."""
        layer = self.head[-1]
        if not isinstance(layer, nn.Linear):
            raise TypeError("the head does not end in a linear layer")
        return layer

    def train(self, mode: bool = True) -> "SliceClassifier":
        super().train(mode)
        if mode and self.frozen_norm:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def forward(self, x: Tensor) -> ClassifierOutput:
        # Channels last: 1.2 to 1.5 times as many slices a second on CPUs, and what tensor cores want (PyTorch's guide).
        embedding, features = self.backbone(x.contiguous(memory_format=torch.channels_last))
        return ClassifierOutput(self.head(embedding), embedding, features)


def build_classifier(network: Network, channels: int, outputs: int, size: int) -> SliceClassifier:
    """The classifier that a recipe asks for, with its weights loaded. Raises UsageError when they do not fit."""
    backbone = build(network.backbone, channels, network.weights, size)
    return SliceClassifier(backbone, network.head, outputs, network.dropout, network.batch_norm == "frozen")
