"""The networks of an experiment as the two modules of a bundle: slices -> evidence, evidence -> logits.

The evidence of a slice is, network after network, its logits, followed by its embedding where a scan model looks at it.
Selection, deltas, scan models and the mean over all of them are in the second module.
"""

import copy
import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ichscan.evaluate.metrics import CLIP
from ichscan.train.classifier import SliceClassifier
from ichscan.train.feature_pass import TRANSFORMS
from ichscan.train.scan_layers import PackedRecurrent
from ichscan.train.select import Selector


class ScanPart(NamedTuple):
    """What follows one slice network.

    Attributes:
        selector: None where the scan models look at logits alone.
        models: scan models, one per seed and kept epoch.
        width: of the embedding in the evidence; 0 = not in it.
    """

    selector: Selector | None
    models: Sequence[nn.Module]
    width: int


class SliceMembers(nn.Module):
    """Float32 (n, c, s, s) -> features (n, k, h, w), class maps (n, labels, h, w), evidence (n, sum over members).

    The class maps are the heads applied to each cell, averaged over the members: for average pooling and a linear head
    these are exact class activation maps (Zhou et al. 2016, arXiv:1512.04150), otherwise an approximation.
    """

    def __init__(self, members: Sequence[SliceClassifier], variants: Sequence[str], embedding: bool) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.variants, self.embedding = tuple(variants), embedding

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features, maps, evidence = [], [], []
        for member in self.members:
            outputs = [member(TRANSFORMS[v](slices)) for v in self.variants]
            plain = outputs[self.variants.index("none")] if "none" in self.variants else member(slices)
            features.append(plain.features)
            maps.append(cell_maps(member, plain.features))
            evidence.append(torch.stack([o.logits for o in outputs]).mean(0))
            if self.embedding:
                evidence.append(torch.stack([o.embedding for o in outputs]).mean(0))
        return torch.cat(features, 1), torch.stack(maps).mean(0), torch.cat(evidence, 1)


def cell_maps(member: nn.Module, features: Tensor) -> Tensor:
    """A classifier's head on every cell of features (n, k, h, w), without its constant part: (n, labels, h, w)."""
    head = member.head
    if not isinstance(head, nn.Module):
        raise TypeError("expected a classifier with a head")
    cells = features.permute(0, 2, 3, 1)
    maps: Tensor = head(cells) - head(torch.zeros_like(cells[:1, :1, :1]))
    return maps.permute(0, 3, 1, 2)


class SelectFeatures(nn.Module):
    """`Selector.transform` for one scan: embedding (slices, width), logits (slices, labels) -> (slices, count)."""

    columns: Tensor
    mean: Tensor
    components: Tensor

    def __init__(self, selector: Selector) -> None:
        super().__init__()
        self.method = selector.method
        self.register_buffer("columns", torch.from_numpy(selector.columns))
        self.register_buffer("mean", torch.from_numpy(selector.mean).float())
        self.register_buffer("components", torch.from_numpy(selector.components).float())

    def forward(self, embedding: Tensor, logits: Tensor) -> Tensor:
        if self.method == "predictions":
            return torch.sigmoid(logits)
        if self.method == "all":
            return embedding
        if self.method == "pca":
            return (embedding - self.mean) @ self.components.T
        return embedding.index_select(1, self.columns)


class ScanMembers(nn.Module):
    """Evidence of one scan (slices, evidence), inferior to superior -> slice logits (slices, labels), scan logits.

    Args:
        parts: what follows each slice network, in the order of the evidence.
        labels: number of them.
        of, clip: see [ensemble].
        by_head: scan logits are the scan models' own; otherwise those of the most suspicious slice.
    """

    def __init__(self, parts: Sequence[ScanPart], labels: int, of: str, clip: float, by_head: bool) -> None:
        super().__init__()
        self.labels, self.of, self.clip, self.by_head = labels, of, max(clip, CLIP), by_head
        self.widths = [part.width for part in parts]
        self.groups = nn.ModuleList(nn.ModuleList(part.models) for part in parts)
        self.selectors = nn.ModuleList(
            nn.Identity() if part.selector is None else SelectFeatures(part.selector) for part in parts
        )

    def forward(self, evidence: Tensor) -> tuple[Tensor, Tensor]:
        lengths = torch.ones(1, dtype=torch.int64) * evidence.shape[0]
        slices, scans, at = [], [], 0
        for width, selector, group in zip(self.widths, self.selectors, self.groups, strict=True):
            logits = evidence[:, at : at + self.labels]
            embedding = evidence[:, at + self.labels : at + self.labels + width]
            at += self.labels + width
            seen = selector(embedding, logits) if isinstance(selector, SelectFeatures) else logits
            for model in group:  # type: ignore[attr-defined]
                out = model(seen[None], logits[None], lengths)
                slices.append(out.slices[0])
                scans.append(out.scan[0])
        mean = self._mean(torch.stack(slices))
        return mean, self._mean(torch.stack(scans)) if self.by_head else mean.amax(0)

    def _mean(self, logits: Tensor) -> Tensor:
        """Log-odds of the mean over members, of logits (members, ...); never through probabilities, which round off."""
        bound = math.log((1 - self.clip) / self.clip)
        if self.of == "logit":
            mean = logits.clamp(-bound, bound).mean(0)
        else:
            mean = torch.logsumexp(F.logsigmoid(logits), 0) - torch.logsumexp(F.logsigmoid(-logits), 0)
        return mean.clamp(-bound, bound)


class _Whole(nn.Module):
    """A recurrent layer over whole scans: without packing, which ONNX has not."""

    def __init__(self, packed: PackedRecurrent) -> None:
        super().__init__()
        self.recurrent = packed.recurrent

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        states: Tensor = self.recurrent(x)[0]
        return states


class _WholeAttention(nn.Module):
    """Self-attention over one scan, batch first: torch's own would write down the number of slices of the example."""

    batch_first = True

    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        self.heads, self.width = attention.num_heads, attention.head_dim
        self.weight, self.bias = attention.in_proj_weight, attention.in_proj_bias
        self.out_proj = attention.out_proj

    def forward(self, x: Tensor, *_: Tensor, **__: object) -> tuple[Tensor, None]:
        parts = F.linear(x, self.weight, self.bias).chunk(3, 2)
        q, k, v = (part.reshape(1, -1, self.heads, self.width).transpose(1, 2) for part in parts)
        weights = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(self.width), 3)
        joined = (weights @ v).transpose(1, 2).reshape(1, -1, self.heads * self.width)
        return self.out_proj(joined), None


def without_packing(network: ScanMembers) -> ScanMembers:
    """A copy that treats one scan without padding, in operations that ONNX has: the same numbers."""
    network = copy.deepcopy(network)
    for name, module in list(network.named_modules()):
        plain: nn.Module | None = None
        if isinstance(module, PackedRecurrent):
            plain = _Whole(module)
        elif isinstance(module, nn.MultiheadAttention):
            plain = _WholeAttention(module)
        if plain is not None:
            parent, _, child = name.rpartition(".")
            setattr(network.get_submodule(parent), child, plain)
    return network
