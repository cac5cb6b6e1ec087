"""The papers' formula, written here as they give it, is the oracle of the fast path."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ichscan.model.preprocess import chunks, grey_slice, model_input, normalise, prepare, window_table
from ichscan.model.spec import Channel, InputSpec

PAPER = InputSpec(
    channels=(Channel(40, 80), Channel(80, 200), Channel(40, 380)),
    crop="slice",
    size=128,
    mean=(0.2236, 0.1819, 0.2523),
    std=(0.3245, 0.3245, 0.3133),
)
HEAD = InputSpec(
    channels=(Channel(40, 80, -5), Channel(40, 80, 0), Channel(40, 80, 5)),
    crop="head",
    size=64,
    mean=(0.2, 0.2, 0.2),
    std=(0.3, 0.3, 0.3),
    interpolation="smooth",
    slab_mm=5.0,
    unclip=True,
)


def oracle(hu: np.ndarray, spec: InputSpec) -> np.ndarray:
    """Alqaisi & Almashagbeh 2025, section 3.3: window, 8 bit, autocrop, pad to a square, bilinear, normalise."""
    stack = []
    for channel in spec.channels:
        low, high = channel.center - channel.width / 2, channel.center + channel.width / 2
        unit = (np.clip(hu.astype(np.float64), low, high) - low) / (high - low)
        stack.append((unit * 255).astype(np.uint8))
    image = np.stack(stack, axis=2)
    rows, cols = np.nonzero(image.max(axis=2) > 0)
    if len(rows):
        image = image[rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    height, width = image.shape[:2]
    side = max(height, width)
    square = np.zeros((side, side, image.shape[2]), np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = image
    resized = cv2.resize(square, (spec.size, spec.size), interpolation=cv2.INTER_LINEAR)
    return (resized / 255 - np.array(spec.mean)) / np.array(spec.std)


def head(
    rng: np.random.Generator, shape: tuple[int, int, int] = (4, 150, 130), at: tuple[int, int] = (70, 60)
) -> np.ndarray:
    """A round skull with noise in air."""
    y, x = np.mgrid[: shape[1], : shape[2]]
    r = np.hypot(y - at[0], x - at[1])
    plane = np.where(r < 40, 35, np.where(r < 46, 900, -1000))
    return (plane[None] + rng.integers(-15, 16, shape)).astype(np.int16)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.integers(40, 160), st.integers(40, 160))
def test_equals_the_papers_formula_bit_for_bit(seed: int, rows: int, cols: int) -> None:
    rng = np.random.default_rng(seed)
    hu = head(rng, (3, rows, cols), (int(rng.integers(0, rows)), int(rng.integers(0, cols))))
    got, _ = model_input(hu, np.arange(3.0) * 5, PAPER)
    prepared = prepare(hu, np.arange(3.0) * 5, PAPER)
    for i in range(3):
        expected = oracle(hu[i], PAPER)
        grey = grey_slice(prepared, i, PAPER)
        back = expected * np.array(PAPER.std) + np.array(PAPER.mean)
        np.testing.assert_array_equal(grey, np.rint(back * 255).astype(np.uint8).transpose(2, 0, 1))
        np.testing.assert_allclose(got[i], expected.transpose(2, 0, 1), atol=2e-6)


def test_every_hu_value_has_the_formulas_grey_level() -> None:
    hu = np.arange(-32768, 32768)
    for center, width in ((40, 80), (80, 200), (40, 380), (700, 3200), (40.5, 81)):
        low = center - width / 2
        expected = (np.clip((np.clip(hu, low, low + width) - low) / width, 0, 1) * 255).astype(np.uint8)
        np.testing.assert_array_equal(window_table(center, width)[hu.astype(np.int16).view(np.uint16)], expected)


def test_a_black_slice_is_kept_whole() -> None:
    hu = np.full((1, 50, 70), -1000, np.int16)
    got, boxes = model_input(hu, np.zeros(1), PAPER)
    assert boxes[0].tolist() == [-10, 0, 70]
    assert np.isfinite(got).all()


def test_neighbours_are_found_by_position_and_repeat_at_the_ends() -> None:
    hu = head(np.random.default_rng(0), (5, 60, 60), (30, 30))
    source = prepare(hu, np.array([0.0, 5, 10, 20, 25]), HEAD).source
    assert source.tolist() == [[0, 0, 1], [0, 1, 2], [1, 2, 2], [2, 3, 4], [3, 4, 4]]


def test_thin_slices_are_averaged_and_reported() -> None:
    hu = head(np.random.default_rng(0), (20, 60, 60), (30, 30))
    thin = prepare(hu, np.arange(20) * 1.0, HEAD)
    assert thin.averaged == 5
    np.testing.assert_array_equal(thin.hu[10], np.rint(hu[8:13].mean(axis=0, dtype=np.float32)))
    assert prepare(hu, np.arange(20) * 5.0, HEAD).averaged == 1


def test_the_head_crop_ignores_table_and_holder_and_keeps_one_scale() -> None:
    hu = head(np.random.default_rng(0))
    hu[:, 140:143, 5:125] = 300
    boxes = prepare(hu, np.arange(4) * 5.0, HEAD).boxes
    assert len(set(boxes[:, 2].tolist())) == 1
    top, left, side = boxes[0]
    assert top + side < 140
    assert abs(top + side / 2 - 70) <= 4
    assert abs(left + side / 2 - 60) <= 4


def test_what_a_display_window_cut_off_is_put_back_for_the_model() -> None:
    hu = head(np.random.default_rng(0))
    whole, clipped = (prepare(v, np.arange(4) * 5.0, HEAD) for v in (hu, np.clip(hu, -20, 100)))
    assert clipped.unclipped
    assert not whole.unclipped
    np.testing.assert_array_equal(whole.boxes, clipped.boxes)
    for i in range(4):
        np.testing.assert_array_equal(grey_slice(whole, i, HEAD), grey_slice(clipped, i, HEAD))


@settings(max_examples=15, deadline=None)
@given(st.integers(-12, 12), st.integers(-12, 12))
def test_moving_the_head_moves_the_crop(dy: int, dx: int) -> None:
    rng = np.random.default_rng(1)
    still = head(rng, (2, 200, 200), (100, 100))
    moved = np.roll(still, (4 * dy, 4 * dx), axis=(1, 2))
    a = prepare(still, np.arange(2) * 5.0, HEAD)
    b = prepare(moved, np.arange(2) * 5.0, HEAD)
    np.testing.assert_array_equal(b.boxes - a.boxes, [[4 * dy, 4 * dx, 0]] * 2)
    np.testing.assert_array_equal(grey_slice(a, 0, HEAD), grey_slice(b, 0, HEAD))


def test_chunks_join_to_the_whole() -> None:
    hu = head(np.random.default_rng(0), (7, 80, 90))
    whole, _ = model_input(hu, np.arange(7) * 5.0, HEAD)
    prepared = prepare(hu, np.arange(7) * 5.0, HEAD)
    for size in (1, 3, 7, 50):
        np.testing.assert_array_equal(np.concatenate(list(chunks(prepared, HEAD, size))), whole)


def test_normalise_shape_and_values() -> None:
    grey = np.full((2, 3, 4, 4), 255, np.uint8)
    out = normalise(grey, PAPER)
    assert out.shape == (2, 3, 4, 4)
    np.testing.assert_allclose(out[0, :, 0, 0], (1 - np.array(PAPER.mean)) / np.array(PAPER.std), rtol=1e-6)


@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 33, 700)])
def test_small_and_odd_matrices(shape: tuple[int, int, int]) -> None:
    hu = np.full(shape, 40, np.int16)
    for spec in (PAPER, HEAD):
        out, _ = model_input(hu, np.arange(shape[0]) * 5.0, spec)
        assert out.shape == (shape[0], 3, spec.size, spec.size)


def test_without_crop_the_whole_slice_is_shown() -> None:
    spec = InputSpec(channels=(Channel(40, 80),), crop="none", size=64, mean=(0.0,), std=(1.0,))
    prepared = prepare(np.zeros((2, 40, 60), np.int16), np.arange(2.0), spec)
    assert prepared.boxes.tolist() == [[-10, 0, 60]] * 2
    assert grey_slice(prepared, 0, spec)[0, 0].max() == 0  # padding
