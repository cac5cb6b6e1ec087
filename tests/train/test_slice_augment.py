"""Augmentation: exact where it can be, and the same however a batch is split."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from ichscan.train.slice_augment import UNCHANGED, apply_augmentation, draw_augmentation
from ichscan.train.workbench_tables import Augment

P0 = Augment(flip=0.5, transpose=0.5, affine=0.3, shift=0.05, scale=0.05, rotate=20)
MEAN, STD = torch.tensor([0.2, 0.3]), torch.tensor([0.5, 0.25])


def images(n: int = 3, side: int = 8) -> torch.Tensor:
    return torch.randn(n, 2, side, side, generator=torch.Generator().manual_seed(0))


def drawn(**changes: float) -> torch.Tensor:
    names = ("flip", "affine", "transpose", "angle", "scale", "right", "down", "contrast", "brightness")
    out = torch.tensor(UNCHANGED, dtype=torch.float32)
    for name, value in changes.items():
        out[names.index(name)] = value
    return out


def apply(x: torch.Tensor, *each: torch.Tensor) -> torch.Tensor:
    return apply_augmentation(x, torch.stack(each), MEAN, STD)


def test_slices_that_draw_nothing_stay_bit_equal() -> None:
    x = images()
    assert torch.equal(apply(x, drawn(), drawn(), drawn()), x)


def test_flip_and_transpose_are_exact_and_touch_only_their_slice() -> None:
    x = images()
    out = apply(x, drawn(flip=1), drawn(transpose=1), drawn())
    assert torch.equal(out[0], x[0].flip(2))
    assert torch.equal(out[1], x[1].transpose(1, 2))
    assert torch.equal(out[2], x[2])


def test_shift_moves_by_pixels_and_replicates_the_border() -> None:
    x = images(1)
    out = apply(x, drawn(affine=1, right=2 / 8, down=1 / 8))
    torch.testing.assert_close(out[0, :, 1:, 2:], x[0, :, :-1, :-2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out[0, :, 0, 2:], x[0, :, 0, :-2], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(out[0, :, 1:, 0], x[0, :, :-1, 0], rtol=1e-4, atol=1e-5)


def test_a_quarter_turn_is_a_rotation() -> None:
    x = images(1)
    out = apply(x, drawn(affine=1, angle=math.pi / 2))
    both = [torch.rot90(x[0], k, (1, 2)) for k in (1, 3)]
    assert min((out[0] - b).abs().max().item() for b in both) < 1e-4


def test_scale_enlarges_about_the_middle() -> None:
    x = torch.zeros(1, 2, 16, 16)
    x[:, :, 6:10, 6:10] = 1.0
    out = apply(x, drawn(affine=1, scale=2.0))
    assert out[0, 0, 5:11, 5:11].min() > 0.9
    assert out.sum() == pytest.approx(4 * x.sum().item(), rel=0.05)


def test_brightness_acts_on_grey_and_stays_within_it() -> None:
    x = (torch.tensor([0.5, 0.5]) - MEAN) / STD
    out = apply(x[None, :, None, None].expand(1, 2, 4, 4), drawn(brightness=0.1, contrast=1.2))
    torch.testing.assert_close(out[0, :, 0, 0] * STD + MEAN, torch.tensor([0.7, 0.7]))
    out = apply(x[None, :, None, None].expand(1, 2, 4, 4), drawn(brightness=0.9))
    torch.testing.assert_close(out[0, :, 0, 0] * STD + MEAN, torch.tensor([1.0, 1.0]))


def test_parameters_follow_from_seed_epoch_and_place_alone() -> None:
    assert np.array_equal(draw_augmentation(P0, (1, 2, 3)), draw_augmentation(P0, (1, 2, 3)))
    many = np.stack([draw_augmentation(P0, (1, 0, k)) for k in range(600)])
    assert abs(many[:, 0].mean() - 0.5) < 0.07
    assert abs(many[:, 1].mean() - 0.3) < 0.07
    assert np.abs(many[:, 3]).max() <= math.radians(20)
    assert np.abs(many[:, 4] - 1).max() <= 0.0501
    assert (many[many[:, 1] == 0, 3] == 0).all()


def test_a_batch_decides_together_and_its_slices_differ_in_amount() -> None:
    config = Augment(affine=0.5, rotate=15, applied="batch")
    for step in range(8):
        many = np.stack([draw_augmentation(config, (0, 0, k), (0, 0, step)) for k in range(6)])
        assert len(set(many[:, 1])) == 1
        assert many[0, 1] == 0 or len(set(many[:, 3])) == 6
