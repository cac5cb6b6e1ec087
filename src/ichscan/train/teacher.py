"""Soft masks from BLAST-CT, a 3-D segmentation network trained on 184 other head CTs with voxel labels.

Monteiro et al., Lancet Digital Health 2020; weights under Apache-2.0, read from safetensors. The architecture is
DeepMedic (Kamnitsas et al. 2017, doi 10.1016/j.media.2016.10.004) as that project configures it: three paths at strides
5, 3 and 1, eight pre-activation blocks of 3x3x3 each, then three of 1x1x1. Only training patients are shown to it, and
it is not part of the bundle.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ichscan.datasets.scan import LabelledScan
from ichscan.errors import DataError, MissingExtraError
from ichscan.train.export import write_onnx

MAPS: Final = (30, 30, 40, 40, 40, 40, 50, 50)
STRIDES: Final = (5, 3, 1)
TILE: Final = (30, 120, 120)
"""Output voxels (1 mm) per tile; a multiple of 15 keeps all three paths aligned."""
CLASSES: Final = ("intraparenchymal", "extra-axial", "oedema", "intraventricular")
Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


class _Block(nn.Module):
    """Batch norm, PReLU, unpadded convolution; plus the cropped input where the width is the same."""

    def __init__(self, inputs: int, outputs: int, kernel: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm3d(inputs)
        self.conv = nn.Conv3d(inputs, outputs, kernel, bias=False)
        self.prelu = nn.PReLU()
        self.edge = kernel // 2

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(self.prelu(self.bn(x)))
        if x.shape[1] != y.shape[1]:
            return y
        e = self.edge
        return y + (x[:, :, e:-e, e:-e, e:-e] if e else x)


class _Path(nn.Module):
    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride
        blocks = [_Block(a, b, 3) for a, b in zip((1, *MAPS[:-1]), MAPS, strict=True)]
        self.path = nn.Sequential(nn.Identity(), *blocks)  # the identity keeps the published numbering

    def input_size(self, output: tuple[int, ...]) -> tuple[int, ...]:
        return tuple((math.ceil(n / self.stride) + 2 * len(MAPS)) * self.stride for n in output)

    def forward(self, x: Tensor) -> Tensor:
        s = self.stride
        x = self.path(_center(x, self.input_size(TILE))[:, :, s // 2 :: s, s // 2 :: s, s // 2 :: s])
        return _center(F.interpolate(x, scale_factor=float(s), mode="nearest") if s > 1 else x, TILE)


def _center(x: Tensor, size: tuple[int, ...]) -> Tensor:
    z, y, w = (int(n) // 2 - m // 2 for n, m in zip(x.shape[2:], size, strict=True))
    return x[:, :, z : z + size[0], y : y + size[1], w : w + size[2]]


class Teacher(nn.Module):
    """float32 (1, 1, depth, rows, cols) at 1 mm -> logits (1, 5, *TILE) of background and CLASSES."""

    def __init__(self) -> None:
        super().__init__()
        for i, s in enumerate(STRIDES):
            self.add_module(f"path{(s, s, s)}{i}", _Path(s))
        self.fully_connected = nn.Sequential(_Block(150, 250, 1), _Block(250, 250, 1), _Block(250, 5, 1))

    def forward(self, x: Tensor) -> Tensor:
        paths = [module for name, module in self.named_children() if name.startswith("path")]
        logits: Tensor = self.fully_connected(torch.cat([path(x) for path in paths], dim=1))
        return logits


INPUT: Final = _Path(STRIDES[0]).input_size(TILE)


def compile_teacher(weights: Path, folder: Path) -> Run:
    """Loads the weights, strictly, and compiles the network with OpenVINO (bf16 where the processor has it).

    Five times faster than eager torch on a CPU: 0.7 s for a tile of 30x120x120 mm on two cores.
    """
    try:
        import openvino
    except ImportError as error:
        raise MissingExtraError("the teacher needs OpenVINO; pip install 'ichscan[train,teacher]'") from error
    network = Teacher().eval()
    tensors = load_file(weights)
    own = network.state_dict()
    missing = sorted(set(own) - set(tensors))
    if missing or any(own[k].shape != tensors[k].shape for k in own):
        raise DataError(f"{weights}: expected the layers of a BLAST-CT network, missing or misshapen: {missing[:5]}")
    network.load_state_dict({k: tensors[k] for k in own})
    path = folder / f"{weights.stem}.onnx"
    write_onnx(network, torch.zeros(1, 1, *INPUT), path, ["x"], ["y"], {})
    compiled: Any = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})
    return lambda x: np.asarray(compiled([x])[0], np.float32)


def soft_masks(run: Run, scan: LabelledScan, pixel_mm: float) -> NDArray[np.uint8]:
    """The teacher's probabilities at the scan's own slices.

    Args:
        run: from `compile_teacher`.
        scan: a training patient.
        pixel_mm: assumed pixel size.

    Returns:
        uint8 (slices, 4, rows at 1 mm, cols at 1 mm), probability x 255 of CLASSES.
    """
    volume = _isotropic(scan, pixel_mm)
    depth, rows, cols = volume.shape
    slices = np.rint(scan.positions_mm - scan.positions_mm[0]).astype(int)
    tissue = (volume > 0) & (volume < 100)
    x = (2 * np.clip(volume, -15, 100) - 85) / 115
    pads = [(i // 2 - o // 2, i) for i, o in zip(INPUT, TILE, strict=True)]
    padded = np.pad(x, pads, constant_values=-1).astype(np.float32)
    out = np.zeros((len(slices), len(CLASSES), rows, cols), np.float32)
    head = (volume > -100).mean(axis=0)
    ys, xs = np.flatnonzero(head.mean(axis=1) > 0.05), np.flatnonzero(head.mean(axis=0) > 0.05)
    for z in _starts(0, depth, TILE[0]):
        for y in _starts(int(ys[0]), int(ys[-1]) + 1, TILE[1]):
            for w in _starts(int(xs[0]), int(xs[-1]) + 1, TILE[2]):
                if tissue[z : z + TILE[0], y : y + TILE[1], w : w + TILE[2]].mean() < 0.05:
                    continue  # air: nothing to segment
                tile = padded[z : z + INPUT[0], y : y + INPUT[1], w : w + INPUT[2]]
                logits = run(tile[None, None])[0]
                p = np.exp(logits - logits.max(axis=0))
                p = (p / p.sum(axis=0))[1:]
                h, v = min(TILE[1], rows - y), min(TILE[2], cols - w)
                for k in np.flatnonzero((slices >= z) & (slices < z + TILE[0])):
                    out[k, :, y : y + h, w : w + v] = p[:, slices[k] - z, :h, :v]
    return np.rint(out * 255).astype(np.uint8)


def _isotropic(scan: LabelledScan, pixel_mm: float) -> NDArray[np.float32]:
    """float32 (depth, rows, cols), HU at 1 mm; linear between slices, also across missing ones."""
    rows, cols = (round(n * pixel_mm) for n in scan.hu.shape[1:])
    clipped = np.clip(scan.hu, -200, 200).astype(np.float32)
    plane = np.stack([cv2.resize(s, (cols, rows), interpolation=cv2.INTER_AREA) for s in clipped])
    z = scan.positions_mm - scan.positions_mm[0]
    wanted = np.arange(int(z[-1]) + 1)
    below = np.clip(np.searchsorted(z, wanted, side="right") - 1, 0, len(z) - 2)
    share = ((wanted - z[below]) / (z[below + 1] - z[below]))[:, None, None].astype(np.float32)
    return np.asarray(plane[below] * (1 - share) + plane[below + 1] * share, np.float32)


def _starts(low: int, high: int, size: int) -> list[int]:
    count = max(1, math.ceil((high - low) / size))
    return [int(s) for s in np.linspace(low, max(low, high - size), count)]
