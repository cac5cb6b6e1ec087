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
from dataclasses import dataclass
from typing import Final, NamedTuple

import torch
from torch import Tensor, nn

from ichscan.errors import UsageError
from ichscan.train.outcome import MOVING_MEAN
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


@dataclass(frozen=True, slots=True)
class ScanModelConfig:
    """Which scan model, and how large.

    Attributes:
        variant: a key of `SCAN_MODELS`.
        hidden: units per direction of a recurrent layer, width of the transformer; 0 = as wide as the features
            (which "bilstm_residual" requires, for its residual sum).
        layers: recurrent or transformer layers ("bilstm_residual" always has two).
        dropout: between layers; of whole input channels in "bilstm_residual".
        join_predictions: the slice network's probabilities join the states before the classifier.
        attention_heads: of the transformer; must divide `hidden`.
        scan_head: "top_mean" (mean of the `top` highest slice logits) or "attention" (learned).
        top: slices in "top_mean".
    """

    variant: str = "bilstm"
    hidden: int = 256
    layers: int = 3
    dropout: float = 0.3
    join_predictions: bool = True
    attention_heads: int = 4
    scan_head: str = "top_mean"
    top: int = 2

    def __post_init__(self) -> None:
        if self.variant not in SCAN_MODELS:
            raise UsageError(f"scan model: expected variant of {sorted(SCAN_MODELS)}, found {self.variant!r}")
        if self.scan_head not in SCAN_HEADS:
            raise UsageError(f"scan model: expected scan_head of {SCAN_HEADS}, found {self.scan_head!r}")
        if self.hidden < 0 or self.layers < 1 or self.top < 1 or not 0 <= self.dropout < 1:
            raise UsageError(
                "scan model: expected hidden >= 0, layers >= 1, top >= 1, 0 <= dropout < 1; "
                f"found {self.hidden}, {self.layers}, {self.top}, {self.dropout}"
            )


class ScanOutput(NamedTuple):
    """Slice logits (scans, slices, labels), zero in the padding; scan logits (scans, labels)."""

    slices: Tensor
    scan: Tensor


class ResidualBiLstm(nn.Module):
    """h1 + h2 + relu(Linear1(h1)) + relu(Linear2(h2)) + [e, e] over deltas; width 2 x features."""

    def __init__(self, inputs: int, labels: int, config: ScanModelConfig) -> None:
        super().__init__()
        del labels
        hidden = config.hidden or inputs
        if hidden != inputs:
            raise UsageError(
                f"bilstm_residual adds its states to [e, e]: expected hidden = feature width {inputs} (or 0), "
                f"found {hidden}"
            )
        self.width = 2 * hidden
        self.dropout = SpatialDropout(config.dropout)
        self.first = PackedRecurrent("lstm", 3 * inputs, hidden)
        self.second = PackedRecurrent("lstm", 2 * hidden, hidden)
        self.linear1 = nn.Linear(2 * hidden, 2 * hidden)
        self.linear2 = nn.Linear(2 * hidden, 2 * hidden)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        x = self.dropout(with_deltas(features, mask))
        e = x[..., : features.shape[-1]]  # after the dropout, as in table 9
        h1 = self.first(x, lengths)
        h2 = self.second(h1, lengths)
        residual = torch.relu(self.linear1(h1)) + torch.relu(self.linear2(h2))
        states: Tensor = h1 + h2 + residual + torch.cat([e, e], 2)
        return states


class BiLstm(nn.Module):
    """`layers` x `hidden` units per direction; width 2 x hidden."""

    def __init__(self, inputs: int, labels: int, config: ScanModelConfig) -> None:
        super().__init__()
        del labels
        hidden = config.hidden or inputs
        self.width = 2 * hidden
        self.recurrent = PackedRecurrent("lstm", inputs, hidden, config.layers, config.dropout)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        states: Tensor = self.recurrent(features, lengths)
        return states


class GruConv(nn.Module):
    """Two paths: features -> BiGRU; predictions -> dilated convolutions -> BiGRU; joined. Width 2 hidden + hidden."""

    def __init__(self, inputs: int, labels: int, config: ScanModelConfig) -> None:
        super().__init__()
        hidden = config.hidden or inputs
        narrow = max(1, hidden // 2)
        self.width = 2 * hidden + 2 * narrow
        self.features = PackedRecurrent("gru", inputs, hidden, config.layers, config.dropout)
        self.convolutions = DilatedStack(labels, narrow)
        self.predictions = PackedRecurrent("gru", narrow, narrow)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor, mask: Tensor) -> Tensor:
        seen = self.convolutions(torch.sigmoid(logits), mask)
        return torch.cat([self.features(features, lengths), self.predictions(seen, lengths)], 2)


class TransformerEncoder(nn.Module):
    """Projection, position codes, `layers` encoder layers of width `hidden`; padding is no key for attention."""

    def __init__(self, inputs: int, labels: int, config: ScanModelConfig) -> None:
        super().__init__()
        del labels
        self.width = config.hidden or inputs
        if self.width % config.attention_heads:
            raise UsageError(
                f"transformer: expected hidden divisible by attention_heads {config.attention_heads}, "
                f"found {self.width}"
            )
        self.projection = nn.Linear(inputs, self.width)
        layer = nn.TransformerEncoderLayer(
            self.width, config.attention_heads, 4 * self.width, config.dropout, batch_first=True, norm_first=True
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

    def __init__(self, encoder: nn.Module, width: int, labels: int, config: ScanModelConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.join_predictions = config.join_predictions
        joined = width + (labels if config.join_predictions else 0)
        self.classifier = nn.Linear(joined, labels)
        attend = config.scan_head == "attention"
        self.head: nn.Module = AttentionHead(joined, labels) if attend else TopMeanHead(config.top)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor) -> ScanOutput:
        mask = slice_mask(lengths.to(features.device), features.shape[1])
        features, logits = blank_padding(features, mask), blank_padding(logits, mask)
        states = self.encoder(features, logits, lengths, mask)
        if self.join_predictions:
            states = torch.cat([states, torch.sigmoid(logits)], 2)
        slices = blank_padding(self.classifier(states), mask)
        return ScanOutput(slices, self.head(slices, states, mask))


class Untrained(nn.Module):
    """The slice network's logits, weighted with their neighbours' or as they are; same interface as `ScanModel`."""

    weights: Tensor

    def __init__(self, weights: tuple[float, float, float], top: int) -> None:
        super().__init__()
        self.register_buffer("weights", torch.tensor(weights) / sum(weights))
        self.head = TopMeanHead(top)

    def forward(self, features: Tensor, logits: Tensor, lengths: Tensor) -> ScanOutput:
        del features
        mask = slice_mask(lengths.to(logits.device), logits.shape[1])
        x = blank_padding(logits, mask)
        before, after = neighbours(x, mask)
        w = self.weights
        slices = blank_padding(w[0] * before + w[1] * x + w[2] * after, mask)
        return ScanOutput(slices, self.head(slices, slices, mask))


SCAN_MODELS: Final[dict[str, Callable[[int, int, ScanModelConfig], nn.Module] | tuple[float, float, float]]] = {
    "bilstm_residual": ResidualBiLstm,
    "bilstm": BiLstm,
    "gru_conv": GruConv,
    "transformer": TransformerEncoder,
    "mean": MOVING_MEAN,
    "none": (0.0, 1.0, 0.0),
}
"""Variant -> encoder class (inputs, labels, config), or the weights of a moving mean."""

SCAN_HEADS: Final = ("top_mean", "attention")


def build_scan_model(config: ScanModelConfig, inputs: int, labels: int) -> ScanModel | Untrained:
    """The scan model for features of width `inputs` and `labels` outputs per slice.

    Raises UsageError when the sizes in `config` contradict the features.
    """
    kind = SCAN_MODELS[config.variant]
    if isinstance(kind, tuple):
        return Untrained(kind, config.top)
    encoder = kind(inputs, labels, config)
    return ScanModel(encoder, encoder.width, labels, config)  # type: ignore[arg-type]
