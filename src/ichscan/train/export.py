"""Trained networks -> the two ONNX files of a bundle, proven equal to torch before they are kept."""

import copy
import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from ichscan.errors import BundleError
from ichscan.labels import LABELS
from ichscan.train.slice_network import SliceNetwork

PARITY = 1e-4
OPSET = 17
SLICE_OUTPUTS = ("features", "class_maps", "evidence")
_Network = TypeVar("_Network", bound=nn.Module)


class SliceEnsemble(nn.Module):
    """Several slice networks as one that still ends in a mean and a linear layer.

    Their features are laid side by side and their heads divided by their number, so that the class-activation maps of
    the ensemble are exact as well.
    """

    def __init__(self, members: Sequence[SliceNetwork]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        weight = torch.cat([m.head.weight for m in members], dim=1) / len(members)
        self.head = nn.Conv2d(weight.shape[1], len(LABELS), 1, bias=False)
        self.head.weight = nn.Parameter(weight.detach()[:, :, None, None].clone())

    def forward(self, slices: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Float32 (n, channels, size, size) -> the four tensors below.

        features (n, k, h, w), class maps (n, 6, h, w), evidence (n, 16), lesion maps (n, 6, h, w).
        """
        outputs = [member(slices) for member in self.members]
        features = torch.cat([o.features for o in outputs], dim=1)
        evidence = torch.stack([o.evidence for o in outputs]).mean(dim=0)
        lesion_maps = torch.stack([o.lesion_maps for o in outputs]).mean(dim=0)
        return features, self.head(features), evidence, lesion_maps


def with_static_padding(network: _Network, shape: tuple[int, int, int]) -> _Network:
    """A copy whose "same" padding is fixed for one input size: plain Pad and Conv nodes instead of shape arithmetic.

    Args:
        network: takes float32 (n, channels, size, size).
        shape: (channels, size, size).
    """
    network = copy.deepcopy(network).cpu().eval()
    seen: dict[str, tuple[int, int]] = {}
    convolutions = {n: m for n, m in network.named_modules() if type(m).__name__ == "Conv2dSame"}

    def note(name: str) -> Any:
        return lambda _module, inputs: seen.__setitem__(name, tuple(inputs[0].shape[2:]))

    hooks = [m.register_forward_pre_hook(note(n)) for n, m in convolutions.items()]
    if convolutions:
        with torch.no_grad():
            network(torch.zeros(1, *shape))
    for hook in hooks:
        hook.remove()
    for name, conv in convolutions.items():
        pads = [_same(side, k, s) for side, k, s in zip(seen[name], conv.kernel_size, conv.stride, strict=True)]
        plain = nn.Conv2d(
            conv.in_channels,
            conv.out_channels,
            conv.kernel_size,
            conv.stride,
            groups=conv.groups,
            bias=conv.bias is not None,
        )
        plain.load_state_dict(conv.state_dict())
        parent, _, child = name.rpartition(".")
        setattr(network.get_submodule(parent), child, nn.Sequential(nn.ZeroPad2d((*pads[1], *pads[0])), plain))
    return network


def _same(side: int, kernel: int, stride: int) -> tuple[int, int]:
    total = max((math.ceil(side / stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def export_slices(members: Sequence[SliceNetwork], size: int, path: Path, example: np.ndarray[Any, Any]) -> float:
    """Writes slice.onnx of the default model. Returns the largest difference to torch on `example`.

    Args:
        members: its networks.
        size: side of the input, pixels.
        path: the file.
        example: float32 (n, channels, size, size).

    Raises BundleError when it exceeds 1e-4.
    """
    shape = (example.shape[1], size, size)
    ensemble = SliceEnsemble([with_static_padding(m, shape) for m in members])
    reference = SliceEnsemble([m.cpu().eval() for m in members])
    return export_slice_network(ensemble, reference, path, example, (*SLICE_OUTPUTS, "lesion_maps"), free_size=True)


def export_slice_network(
    network: nn.Module,
    reference: nn.Module,
    path: Path,
    example: np.ndarray[Any, Any],
    names: Sequence[str] = SLICE_OUTPUTS,
    *,
    free_size: bool = False,
) -> float:
    """Writes slice.onnx: slices -> `names`. Returns the largest difference to torch.

    Args:
        network: what is exported; without operations that ONNX has not.
        reference: what it has to equal.
        path: the file.
        example: float32 (n, channels, size, size), what both are compared on.
        names: of its outputs, in order.
        free_size: the file takes slices of any size, for finer maps. Padding stays as it is at the example's size; so
            both have to be multiples of the network's stride.

    Raises BundleError when it exceeds 1e-4.
    """
    first = torch.from_numpy(example[:2])
    axes = {name: {0: "n"} for name in ["slices", *names]}
    if free_size:
        axes |= {name: {0: "n", 2: f"{name}_rows", 3: f"{name}_cols"} for name in axes if name != "evidence"}
    write_onnx(network.eval(), first, path, ["slices"], list(names), axes)
    with torch.no_grad():
        expected = reference.eval()(torch.from_numpy(example))
    return _parity(path, {"slices": example}, dict(zip(names, expected, strict=True)))


def export_scan(
    ensemble: nn.Module, path: Path, example: np.ndarray[Any, Any], reference: nn.Module | None = None
) -> float:
    """Writes scan.onnx: evidence -> slice_logits, scan_logits. Returns the largest difference to torch.

    Args:
        ensemble: what is exported; takes one scan, float32 (slices, evidence).
        path: the file.
        example: float32 (slices, evidence), what it is compared on, also shortened to 1, 2 and 3 slices.
        reference: what it has to equal; None = itself.

    Raises BundleError when it exceeds 1e-4.
    """
    names = ["slice_logits", "scan_logits"]
    axes = {"evidence": {0: "t"}, "slice_logits": {0: "t"}}
    write_onnx(ensemble, torch.zeros(5, example.shape[1]), path, ["evidence"], names, axes)
    worst = 0.0
    for length in sorted({min(n, len(example)) for n in (1, 2, 3, len(example))}):
        with torch.no_grad():
            expected = (reference or ensemble)(torch.from_numpy(example[:length]))
        worst = max(worst, _parity(path, {"evidence": example[:length]}, dict(zip(names, expected, strict=True))))
    return worst


def write_onnx(
    network: nn.Module,
    example: Tensor,
    path: Path,
    inputs: list[str],
    outputs: list[str],
    axes: dict[str, dict[int, str]],
) -> None:
    """Exports by tracing. torch's newer exporter does not take a recurrent layer of free length."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=UserWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)  # type: ignore[attr-defined]
        torch.onnx.export(
            network,
            (example,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=inputs,
            output_names=outputs,
            dynamic_axes=axes,
        )


def _parity(path: Path, inputs: dict[str, Any], expected: dict[str, Tensor]) -> float:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for name, value in zip(expected, session.run(list(expected), inputs), strict=True):
        scale = max(1.0, float(expected[name].abs().max()))
        worst = max(worst, float(np.abs(value - expected[name].numpy()).max()) / scale)
    if not worst <= PARITY:
        raise BundleError(f"{path}: ONNX and torch differ by {worst:.2e}, expected at most {PARITY}")
    return worst
