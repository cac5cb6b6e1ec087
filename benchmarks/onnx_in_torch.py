"""Runs an exported network in plain eager torch: the same weights and the same operations, without ONNX Runtime.

The bundle's ONNX files are the truth about the network; this makes a torch function of them, so that the comparison
needs no training run. Only the operations that ichscan's networks consist of are known; another one is an error.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor
from torch.nn import functional as F

Attributes = Mapping[str, Any]


class OnnxInTorch:
    """A loaded ONNX graph; `run` takes the single input and returns the outputs by name."""

    def __init__(self, path: Path) -> None:
        graph = onnx.load(path).graph
        self.weights = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.steps = [_step(node) for node in graph.node]
        self.input = next(i.name for i in graph.input if i.name not in self.weights)
        self.outputs = [o.name for o in graph.output]

    @torch.no_grad()
    def run(self, x: Tensor) -> dict[str, Tensor]:
        values: dict[str, Tensor | None] = {**self.weights, self.input: x, "": None}
        for operation, inputs, outputs, attributes in self.steps:
            result = operation([values[name] for name in inputs], attributes)
            for name, value in zip(outputs, result if isinstance(result, tuple) else (result,), strict=False):
                values[name] = value
        return {name: values[name] for name in self.outputs}  # type: ignore[misc]


def _step(node: Any) -> tuple[Callable[..., Any], list[str], list[str], dict[str, Any]]:
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    if node.op_type not in OPERATIONS:
        raise NotImplementedError(f"operation {node.op_type}: expected one of {sorted(OPERATIONS)}")
    return OPERATIONS[node.op_type], list(node.input), list(node.output), attributes


def _ints(x: Tensor | None) -> list[int]:
    return [] if x is None else [int(v) for v in x.flatten().tolist()]


def _conv(x: Sequence[Tensor], a: Attributes) -> Tensor:
    pads = list(a.get("pads", [0, 0, 0, 0]))
    if pads[:2] == pads[2:]:
        image, padding = x[0], pads[:2]
    else:  # TensorFlow's "same" padding at stride 2 is one-sided
        image, padding = F.pad(x[0], (pads[1], pads[3], pads[0], pads[2])), [0, 0]
    bias = x[2] if len(x) > 2 else None
    stride, dilation = list(a.get("strides", [1, 1])), list(a.get("dilations", [1, 1]))
    return F.conv2d(image, x[1], bias, stride, padding, dilation, a.get("group", 1))


def _batch_norm(x: Sequence[Tensor], a: Attributes) -> Tensor:
    return F.batch_norm(x[0], x[3], x[4], x[1], x[2], eps=a.get("epsilon", 1e-5))


def _clip(x: Sequence[Tensor], a: Attributes) -> Tensor:
    low, high = (*x[1:], None, None)[:2]
    return torch.clamp(x[0], None if low is None else low.item(), None if high is None else high.item())


def _reduce(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(x: Sequence[Tensor], a: Attributes) -> Tensor:
        axes = _ints(x[1]) if len(x) > 1 else list(a.get("axes", range(x[0].ndim)))
        return function(x[0], dim=axes, keepdim=bool(a.get("keepdims", 1)))

    return reduce


def _resize(x: Sequence[Tensor], a: Attributes) -> Tensor:
    if a.get("mode") != b"linear" or a.get("coordinate_transformation_mode", b"half_pixel") not in (
        b"half_pixel",
        b"pytorch_half_pixel",
    ):
        raise NotImplementedError(f"Resize with {dict(a)}: expected linear, half pixel")
    if len(x) > 3:
        return F.interpolate(x[0], size=_ints(x[3])[2:], mode="bilinear", align_corners=False)
    return F.interpolate(x[0], scale_factor=x[2].tolist()[2:], mode="bilinear", align_corners=False)


def _slice(x: Sequence[Tensor], a: Attributes) -> Tensor:
    starts, ends = _ints(x[1]), _ints(x[2])
    axes = _ints(x[3]) if len(x) > 3 else list(range(len(starts)))
    steps = _ints(x[4]) if len(x) > 4 else [1] * len(starts)
    out = x[0]
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = out.shape[axis]
        if step < 0:
            picked = range(size)[slice(start, end if end >= -size else None, step)]
            out = out.index_select(axis, torch.tensor(list(picked), dtype=torch.long))
        else:
            index: list[slice] = [slice(None)] * out.ndim
            index[axis] = slice(start, end, step)
            out = out[tuple(index)]
    return out


def _reshape(x: Sequence[Tensor], a: Attributes) -> Tensor:
    shape = [x[0].shape[i] if n == 0 else n for i, n in enumerate(_ints(x[1]))]
    return x[0].reshape(shape)


def _gather(x: Sequence[Tensor], a: Attributes) -> Tensor:
    axis = a.get("axis", 0) % x[0].ndim
    index = torch.where(x[1] < 0, x[1] + x[0].shape[axis], x[1]).long()
    picked = x[0].index_select(axis, index.flatten())
    return picked.reshape(x[0].shape[:axis] + index.shape + x[0].shape[axis + 1 :])


def _gemm(x: Sequence[Tensor], a: Attributes) -> Tensor:
    left = x[0].T if a.get("transA", 0) else x[0]
    right = x[1].T if a.get("transB", 0) else x[1]
    out = a.get("alpha", 1.0) * (left @ right)
    return out + a.get("beta", 1.0) * x[2] if len(x) > 2 else out


def _top_k(x: Sequence[Tensor], a: Attributes) -> tuple[Tensor, Tensor]:
    found = x[0].topk(_ints(x[1])[0], dim=a.get("axis", -1), largest=bool(a.get("largest", 1)))
    return found.values, found.indices


def _constant_of_shape(x: Sequence[Tensor], a: Attributes) -> Tensor:
    value = torch.from_numpy(numpy_helper.to_array(a["value"]).copy()) if "value" in a else torch.zeros(1)
    return value.repeat(_ints(x[0])) if x[0].numel() else value[0]


def _pad(x: Sequence[Tensor], a: Attributes) -> Tensor:
    if a.get("mode", b"constant") != b"constant":
        raise NotImplementedError(f"Pad with {dict(a)}: expected constant")
    pads = _ints(x[1])
    half = len(pads) // 2
    ordered = [p for axis in reversed(range(half)) for p in (pads[axis], pads[axis + half])]  # torch: last axis first
    return F.pad(x[0], ordered, value=float(x[2]) if len(x) > 2 and x[2] is not None else 0.0)


def _split(x: Sequence[Tensor], a: Attributes) -> tuple[Tensor, ...]:
    return x[0].split(_ints(x[1]), dim=a.get("axis", 0))


def _unsqueeze(x: Sequence[Tensor], a: Attributes) -> Tensor:
    out = x[0]
    for axis in sorted(_ints(x[1])):
        out = out.unsqueeze(axis)
    return out


def _squeeze(x: Sequence[Tensor], a: Attributes) -> Tensor:
    return x[0].squeeze(tuple(_ints(x[1]))) if len(x) > 1 else x[0].squeeze()


def _gru(x: Sequence[Tensor | None], a: Attributes) -> tuple[Tensor, Tensor]:
    """ONNX stacks the gates update, reset, new; torch reset, update, new. Input (t, batch, k)."""
    data, weight, recurrent, bias = x[0], x[1], x[2], x[3]
    if data is None or weight is None or recurrent is None or bias is None or not a.get("linear_before_reset", 0):
        raise NotImplementedError("GRU: expected biases and linear_before_reset=1, as torch exports it")
    hidden, directions = int(a["hidden_size"]), weight.shape[0]

    def torch_order(gates: Tensor) -> Tensor:
        update, reset, new = gates.split(hidden)
        return torch.cat([reset, update, new])

    flat = []
    for d in range(directions):
        flat += [torch_order(weight[d]), torch_order(recurrent[d])]
        flat += [torch_order(part) for part in bias[d].split(3 * hidden)]
    start = torch.zeros(directions, data.shape[1], hidden) if len(x) < 6 or x[5] is None else x[5]
    out, last = torch.gru(data, start, flat, True, 1, 0.0, False, directions == 2, False)
    return out.view(*out.shape[:2], directions, hidden).permute(0, 2, 1, 3), last


OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": lambda x, a: x[0] + x[1],
    "BatchNormalization": _batch_norm,
    "Cast": lambda x, a: x[0].to({1: torch.float32, 6: torch.int32, 7: torch.int64, 9: torch.bool}[a["to"]]),
    "Clip": _clip,
    "Concat": lambda x, a: torch.cat(list(x), dim=a["axis"]),
    "Constant": lambda x, a: torch.from_numpy(numpy_helper.to_array(a["value"]).copy()),
    "ConstantOfShape": _constant_of_shape,
    "Conv": _conv,
    "Div": lambda x, a: x[0] / x[1],
    "Expand": lambda x, a: x[0] * torch.ones(_ints(x[1]), dtype=x[0].dtype),
    "Flatten": lambda x, a: x[0].flatten(a.get("axis", 1)),
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda x, a: x[0].mean(dim=(2, 3), keepdim=True),
    "GRU": _gru,
    "Identity": lambda x, a: x[0],
    "MatMul": lambda x, a: x[0] @ x[1],
    "Mul": lambda x, a: x[0] * x[1],
    "Pad": _pad,
    "ReduceMax": _reduce(torch.amax),
    "ReduceMean": _reduce(torch.mean),
    "ReduceMin": _reduce(torch.amin),
    "ReduceSum": _reduce(torch.sum),
    "Relu": lambda x, a: F.relu(x[0]),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda x, a: torch.tensor(x[0].shape)[a.get("start", 0) : a.get("end")],
    "Sigmoid": lambda x, a: torch.sigmoid(x[0]),
    "Slice": _slice,
    "Softmax": lambda x, a: torch.softmax(x[0], dim=a.get("axis", -1)),
    "Split": _split,
    "Squeeze": _squeeze,
    "Sub": lambda x, a: x[0] - x[1],
    "Tile": lambda x, a: x[0].repeat(_ints(x[1])),
    "TopK": _top_k,
    "Transpose": lambda x, a: x[0].permute(list(a["perm"])),
    "Unsqueeze": _unsqueeze,
}
