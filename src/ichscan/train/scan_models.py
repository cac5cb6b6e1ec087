"""Scan models: features and logits of all slices of a scan -> slice logits that know their neighbours, and scan logits.

    bilstm_residual   Alqaisi & Almashagbeh 2025, sections 3.4.5-3.4.8 (table 9): deltas, two BiLSTMs, residual sum
    bilstm            Burduja et al. 2020, section 3.2: BiLSTM, predictions of the CNN joined before the classifier
    gru_conv          the idea of Wang et al. 2021 (first place, RSNA 2019): features to a GRU, predictions to dilated
                      convolutions and a GRU, both joined; widths are our own
    transformer       Vaswani et al. 2017, encoder, normalisation first
    mean              weighted moving mean .6, 1.8, .6 of the logits (second place, RSNA 2019); nothing to train
    none              the logits as they are; nothing to train

All take padded batches of scans of any length. What is in the padding changes neither outputs nor gradients.
"""

from collections.abc import Callable
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from ichscan.errors import UsageError
from ichscan.train.scan_heads import AttentionHead, TopMeanHead
from ichscan.train.scan_layers import (
    DilatedStack,
    PackedRecurrent,
    SpatialDropout,
    blank_padding,
    neighbours,
    sinusoids,
    slice_mask,
    with_deltas,
)
from ichscan.train.workbench_sequence_tables import Sequence


class ScanOutput(NamedTuple):
    """Slice logits (scans, slices, labels), zero in the padding; scan logits (scans, labels)."""

    slices: Tensor
    scan: Tensor


class ResidualBiLstm(nn.Module):
    """h1 + h2 + relu(Linear1(h1)) + relu(Linear2(h2)) + [e, e]; width 2 x hidden.

    Table 9 of the paper repeats the embedding, [e, e], which needs hidden = its width. For other widths the embedding
    is mapped linearly first: "a skip-connected projection of the original input embedding" (section 3.4.6).
    """

    def __init__(self, inputs: int, labels: int, config: Sequence) -> None:
        super().__init__()
        del labels
        hidden = config.hidden
        self.embedding = inputs // 3 if config.deltas else inputs
        self.width = 2 * hidden
        self.dropout = SpatialDropout(config.dropout)
        self.first = PackedRecurrent("lstm", inputs, hidden)
        self.second = PackedRecurrent("lstm", 2 * hidden, hidden)
        self.linear1 = nn.Linear(2 * hidden, 2 * hidden)
        self.linear2 = nn.Linear(2 * hidden, 2 * hidden)
        self.skip: nn.Module = nn.Identity()
        if hidden != self.embedding:
            self.skip = nn.Linear(self.embedding, hidden, bias=False)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        x = self.dropout(features)
        e = self.skip(x[..., : self.embedding])  # after the dropout, as in table 9
        h1 = self.first(x, lengths)
        h2 = self.second(h1, lengths)
        residual = torch.relu(self.linear1(h1)) + torch.relu(self.linear2(h2))
        states: Tensor = h1 + h2 + residual + torch.cat([e, e], 2)
        return states


class BiLstm(nn.Module):
    """`layers` x `hidden` units per direction; width 2 x hidden."""

    def __init__(self, inputs: int, labels: int, config: Sequence) -> None:
        super().__init__()
        del labels
        self.width = 2 * config.hidden
        self.recurrent = PackedRecurrent("lstm", inputs, config.hidden, config.layers, config.dropout)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.recurrent(features, lengths)
        return states


class GruConv(nn.Module):
    """Two paths: features -> BiGRU; predictions -> dilated convolutions -> BiGRU; joined. Width 2 hidden + hidden."""

    def __init__(self, inputs: int, labels: int, config: Sequence) -> None:
        super().__init__()
        narrow = max(1, config.hidden // 2)
        self.width = 2 * config.hidden + 2 * narrow
        self.features = PackedRecurrent("gru", inputs, config.hidden, config.layers, config.dropout)
        self.convolutions = DilatedStack(labels, narrow)
        self.predictions = PackedRecurrent("gru", narrow, narrow)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        seen = self.convolutions(torch.sigmoid(logits), mask)
        return torch.cat([self.features(features, lengths), self.predictions(seen, lengths)], 2)


class TransformerEncoder(nn.Module):
    """Projection, position codes, `layers` encoder layers of width `hidden`; padding is no key for attention."""

    def __init__(self, inputs: int, labels: int, config: Sequence) -> None:
        super().__init__()
        del labels
        self.width = config.hidden
        if self.width % config.heads:
            raise UsageError(f"[sequence].hidden: expected a multiple of heads = {config.heads}, found {self.width}")
        self.projection = nn.Linear(inputs, self.width)
        layer = nn.TransformerEncoderLayer(
            self.width, config.heads, 4 * self.width, config.dropout, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, config.layers, nn.LayerNorm(self.width), enable_nested_tensor=False)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        x = self.projection(features) + sinusoids(features.shape[1], self.width, features)
        states: Tensor = self.encoder(x, src_key_padding_mask=~mask)
        return states


class ScanModel(nn.Module):
    """Encoder -> states -> classifier per slice -> scan head.

    forward:
        features: (scans, slices, width), logits: (scans, slices, labels) of the slice network, lengths: int64 (scans,).
    """

    def __init__(self, encoder: nn.Module, width: int, labels: int, config: Sequence) -> None:
        super().__init__()
        self.encoder = encoder
        self.join, self.deltas = config.join, config.deltas
        joined = width + (labels if config.join else 0)
        self.classifier = nn.Linear(joined, labels)
        self.head: nn.Module = AttentionHead(joined, labels) if config.scan_head else TopMeanHead(config.scan_top)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor) -> ScanOutput:
        mask = slice_mask(lengths.to(features.device), features.shape[1])
        x, logits = blank_padding(features, mask), blank_padding(logits, mask)
        states = self.encoder(with_deltas(x, mask) if self.deltas else x, logits, lengths, mask)
        if self.join:
            states = torch.cat([states, torch.sigmoid(logits)], 2)
        slices = blank_padding(self.classifier(states), mask)
        return ScanOutput(slices, self.head(slices, states, mask))


class MovingMean(nn.Module):
    """The slice network's logits, averaged with their neighbours' by fixed weights; same interface as `ScanModel`.

    An odd number of weights, centred; beyond the ends of a scan its first and last slice repeat.
    """

    weights: Tensor

    def __init__(self, weights: tuple[float, ...], top: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights) / sum(weights))
        self.head = TopMeanHead(top)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor) -> ScanOutput:
        del features
        mask = slice_mask(lengths.to(logits.device), logits.shape[1])
        x = blank_padding(logits, mask)
        reach = len(self.weights) // 2
        slices = self.weights[reach] * x
        before = after = x
        for distance in range(1, reach + 1):
            before, after = neighbours(before, mask)[0], neighbours(after, mask)[1]
            slices = slices + self.weights[reach - distance] * before + self.weights[reach + distance] * after
        slices = blank_padding(slices, mask)
        return ScanOutput(slices, self.head(slices, slices, mask))


ENCODERS: Final[dict[str, Callable[[int, int, Sequence], nn.Module]]] = {
    "bilstm_residual": ResidualBiLstm,
    "bilstm": BiLstm,
    "gru_conv": GruConv,
    "transformer": TransformerEncoder,
}
"""Kinds of [sequence] that are trained; (width of the input, labels, config) -> encoder."""


def build_scan_model(config: Sequence, inputs: int, labels: int) -> ScanModel | MovingMean:
    """The scan model for features of width `inputs` and `labels` outputs per slice.

    Raises UsageError when the sizes in `config` contradict each other.
    """
    if config.kind == "none":
        return MovingMean((1.0,), config.scan_top)
    if config.kind == "mean":
        return MovingMean(config.weights, config.scan_top)
    encoder = ENCODERS[config.kind]((3 if config.deltas else 1) * inputs, labels, config)
    return ScanModel(encoder, encoder.width, labels, config)  # type: ignore[arg-type]
