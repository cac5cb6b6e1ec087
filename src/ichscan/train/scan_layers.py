"""Layers over padded batches of scans. What lies in the padding never reaches a real slice, nor any gradient.

Everywhere: `mask` bool (scans, slices), True where there is a slice; slices from inferior to superior. Padding is
overwritten, not multiplied by zero, so that even NaN in it changes nothing.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


def slice_mask(lengths: Tensor, slices: int) -> Tensor:
    """Bool (scans, slices) from the number of slices of each scan, int64 (scans,)."""
    return torch.arange(slices, device=lengths.device) < lengths[:, None]


def blank_padding(x: Tensor, mask: Tensor) -> Tensor:
    """Zeros where there is no slice; x (scans, slices, channels)."""
    return x.masked_fill(~mask[..., None], 0.0)


def with_deltas(x: Tensor, mask: Tensor) -> Tensor:
    """[e_t, e_t - e_(t-1), e_t - e_(t+1)], zero at the ends; (scans, slices, d) -> (scans, slices, 3 d).

    Alqaisi & Almashagbeh 2025, section 3.4.5: embedding and its two directional deltas, 6144 values for d = 2048.
    """
    step = blank_padding(x[:, 1:] - x[:, :-1], mask[:, 1:] & mask[:, :-1])
    nothing = x.new_zeros(x.shape[0], 1, x.shape[2])
    return torch.cat([x, torch.cat([nothing, step], 1), torch.cat([-step, nothing], 1)], 2)


def neighbours(x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The slice before and the slice after each; the first and the last of a scan repeat themselves."""
    before = torch.cat([x[:, :1], x[:, :-1]], 1)
    follows = torch.cat([mask[:, 1:], torch.zeros_like(mask[:, :1])], 1)
    after = torch.where(follows[..., None], torch.cat([x[:, 1:], x[:, -1:]], 1), x)
    return before, after


class PackedRecurrent(nn.Module):
    """A bidirectional LSTM or GRU that stops at the end of each scan, in both directions.

    forward: x (scans, slices, inputs), lengths int64 (scans,) -> (scans, slices, 2 hidden), zeros in the padding.
    """

    def __init__(self, kind: str, inputs: int, hidden: int, layers: int = 1, dropout: float = 0.0) -> None:
        super().__init__()
        cell = {"lstm": nn.LSTM, "gru": nn.GRU}[kind]
        between = dropout if layers > 1 else 0.0
        self.recurrent = cell(inputs, hidden, layers, batch_first=True, bidirectional=True, dropout=between)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        states: Tensor = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True, total_length=x.shape[1])[0]
        return states


class SpatialDropout(nn.Module):
    """Drops whole channels for all slices of a scan (Alqaisi & Almashagbeh 2025, section 3.4.6; their rate is 0)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout1d(rate)

    def forward(self, x: Tensor) -> Tensor:
        dropped: Tensor = self.dropout(x.transpose(1, 2)).transpose(1, 2)
        return dropped


class DilatedStack(nn.Module):
    """1-D convolutions over the slices with doubling dilation, each followed by layer norm and ReLU.

    Layer norm works on one slice at a time: batch statistics would depend on the padding. The padding is blanked before
    each convolution, so that it looks like the zeros beyond the ends of a scan.
    forward: x (scans, slices, inputs), mask -> (scans, slices, channels).
    """

    def __init__(self, inputs: int, channels: int, layers: int = 3) -> None:
        super().__init__()
        widths = [inputs] + [channels] * (layers - 1)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(width, channels, 3, padding=2**depth, dilation=2**depth) for depth, width in enumerate(widths)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(channels) for _ in widths)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            seen = convolution(blank_padding(x, mask).transpose(1, 2)).transpose(1, 2)
            x = torch.relu(norm(seen))
        return blank_padding(x, mask)


def sinusoids(slices: int, width: int, like: Tensor) -> Tensor:
    """Position codes (slices, width) of Vaswani et al. 2017, section 3.5; position 0 is the most inferior slice."""
    pairs = (width + 1) // 2
    rate = torch.exp(torch.arange(pairs, device=like.device, dtype=like.dtype) * (-9.210340372 / pairs))  # ln 10,000
    angle = torch.arange(slices, device=like.device, dtype=like.dtype)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], 2).reshape(slices, 2 * pairs)[:, :width]
