"""Augmentation of batches of slices, on the device that trains. Parameters are drawn first, then applied.

Each slice's parameters come from (seed, epoch, place in the epoch) alone: neither the number of devices nor the order
of threads changes them. Flip, shift + scale + rotation with replicated border, transposition: P0 section 3.3.5;
brightness: P2 section 3.1; drawn per batch: P3 section 3.1.
"""

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ichscan.train.workbench_tables import Augment

FLIP, AFFINE, TRANSPOSE, ANGLE, SCALE, RIGHT, DOWN, CONTRAST, BRIGHTNESS = range(9)
PARAMETERS: Final = 9
UNCHANGED: Final = (0, 0, 0, 0, 1, 0, 0, 1, 0)


def draw_augmentation(
    config: Augment, key: tuple[int, int, int], decision: tuple[int, int, int] | None = None
) -> NDArray[np.float32]:
    """Parameters of one slice.

    Args:
        config: table [augment].
        key: (seed, epoch, place in the epoch).
        decision: key that whether each change happens is drawn from, where all of a batch decide together.

    Returns:
        float32 (9,): flip, affine and transpose (0 or 1), angle in radians, scale, shift to the right and down as
        shares of the side, contrast factor, brightness in shares of the grey range.
    """
    rng = np.random.default_rng(key)
    happens = (np.random.default_rng((*decision, 1)) if decision else rng).random(4)
    amounts = rng.uniform(-1, 1, 6)
    out = np.array(UNCHANGED, np.float32)
    out[FLIP] = happens[0] < config.flip
    out[TRANSPOSE] = happens[2] < config.transpose
    if happens[1] < config.affine:
        out[AFFINE] = 1
        out[ANGLE] = math.radians(config.rotate) * amounts[0]
        out[SCALE] = 1 + config.scale * amounts[1]
        out[RIGHT], out[DOWN] = config.shift * amounts[2:4]
    if happens[3] < config.brightness:
        out[CONTRAST] = 1 + config.contrast_limit * amounts[4]
        out[BRIGHTNESS] = config.brightness_limit * amounts[5]
    return out


def apply_augmentation(x: Tensor, drawn: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """Applies flip, affine, transposition and brightness, in this order.

    Args:
        x: float32 (n, c, s, s), normalised.
        drawn: float32 (n, 9), see `draw_augmentation`, on the same device.
        mean: float32 (c,), of the normalisation; brightness acts on grey in [0, 1].
        std: float32 (c,).

    Returns:
        float32 (n, c, s, s). Slices that drew nothing are bit-equal to the input.
    """
    x = torch.where(drawn[:, FLIP, None, None, None] > 0, x.flip(3), x)
    moved = drawn[:, AFFINE].nonzero()[:, 0]
    if len(moved):
        x = x.index_copy(0, moved, _affine(x[moved], drawn[moved]))
    x = torch.where(drawn[:, TRANSPOSE, None, None, None] > 0, x.transpose(2, 3), x)
    lit = ((drawn[:, CONTRAST] != 1) | (drawn[:, BRIGHTNESS] != 0)).nonzero()[:, 0]
    if len(lit):
        m, s = mean[None, :, None, None], std[None, :, None, None]
        factor, offset = drawn[lit, CONTRAST, None, None, None], drawn[lit, BRIGHTNESS, None, None, None]
        grey = ((x[lit] * s + m) * factor + offset).clamp(0, 1)
        x = x.index_copy(0, lit, (grey - m) / s)
    return x


def _affine(x: Tensor, drawn: Tensor) -> Tensor:
    """Rotates about the middle, scales, then shifts the content; the border is replicated."""
    cos, sin = torch.cos(drawn[:, ANGLE]) / drawn[:, SCALE], torch.sin(drawn[:, ANGLE]) / drawn[:, SCALE]
    right, down = 2 * drawn[:, RIGHT], 2 * drawn[:, DOWN]
    # grid_sample asks where each output pixel comes from: the inverse of the motion
    top = torch.stack([cos, sin, -(cos * right + sin * down)], 1)
    bottom = torch.stack([-sin, cos, sin * right - cos * down], 1)
    grid = F.affine_grid(torch.stack([top, bottom], 1), list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="border", align_corners=False)
