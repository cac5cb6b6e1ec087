"""Maps: settled by neighbours, put in their place, refined at a second size, and refused where there are none."""

from dataclasses import replace

import numpy as np
import pytest
from tests.samples import prediction, volume

from ichscan.doctor.self_test import self_test_volume
from ichscan.errors import UsageError
from ichscan.explain.fine import FINER, can_refine, refine
from ichscan.explain.heat import activation, heat, widened
from ichscan.explain.maps import on_slice, settle, shown_maps, sigmoid
from ichscan.explain.overlay import LEAST_WIDTH, LEGEND, Legend, png, with_legend
from ichscan.explain.sequence import gradients, sequence_maps, shares
from ichscan.labels import ANY
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.model.predict import predict


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(threads=1)


def test_neighbours_settle_and_ends_repeat_themselves() -> None:
    maps = np.array([0, 0, 8, 0, 0], np.float32)
    assert settle(maps).tolist() == [0, 2, 4, 2, 0]
    assert settle(np.array([8, 0], np.float32)).tolist() == [6, 2]
    assert settle(maps, 2).tolist() == [2, 0, 4, 0, 2]
    assert settle(np.array([4.0], np.float32), 3).tolist() == [4]


def test_sigmoid_does_not_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(sigmoid(np.array([-200, 0, 200], np.float32)), [0, 0.5, 1], atol=1e-6)


def test_lesion_maps_are_shown_where_they_exist() -> None:
    scan = prediction()
    plain = shown_maps(scan, volume().positions_mm)
    assert plain is not None
    assert scan.class_maps is not None
    np.testing.assert_array_equal(plain, np.maximum(scan.class_maps, 0))
    lesions = np.full_like(scan.class_maps, -6)
    lesions[2, ANY, 1, 1] = 6
    hot = heat(volume(), replace(scan, lesion_maps=lesions)).on(2)
    row, col = np.unravel_index(hot.argmax(), hot.shape)
    assert (row // 8, col // 8) == (1, 1)


def test_a_map_lies_where_its_box_is() -> None:
    values = np.zeros((8, 8), np.float32)
    values[2, 5] = 1
    out = on_slice(values, (-16, 8, 64), (64, 64), outside=-1)
    row, col = np.unravel_index(out.argmax(), out.shape)
    assert 0 <= row < 8
    assert 48 <= col < 56
    assert (out[48:] == -1).all()
    assert (out[:, :8] == -1).all()
    assert (on_slice(values, (100, 100, 20), (64, 64)) == 0).all()


def test_activation_outside_the_head() -> None:
    maps = np.ones((1, 8, 8), np.float32)
    maps[0, :, 4:] = -3
    inside = np.zeros((1, 64, 64), bool)
    inside[:, :, :8] = True
    total, outside = activation(maps, np.array([[0, 0, 64]], np.int32), inside)
    assert outside / total == pytest.approx(1 - 8 / 32, abs=0.08)


def test_inside_is_widened_or_soft_tissue() -> None:
    mask = np.zeros((2, 64, 64), bool)
    mask[0, 30:34, 30:34] = True
    hu = np.full((2, 64, 64), -1000, np.int16)
    hu[1, 10, 10] = 40
    out = widened(mask, hu, np.array([0, 1]))
    assert out[0].sum() > 16
    assert np.argwhere(out[1]).tolist() == [[10, 10]]
    assert mask[0].sum() == 16


def test_second_reading_is_finer_and_leaves_probabilities_alone(shipped: Bundle) -> None:
    scan = self_test_volume()
    plain = predict(scan, shipped, class_maps=True)
    assert plain.lesion_maps is not None
    assert plain.class_maps is not None
    assert plain.lesion_maps.shape == plain.class_maps.shape
    assert can_refine(shipped)
    found = refine(plain, scan, shipped, np.array([False, False, True, False, False]))
    assert found.lesion_maps is not None
    side = plain.lesion_maps.shape[-1]
    assert found.lesion_maps.shape[-2:] == (FINER * side, FINER * side)
    np.testing.assert_array_equal(found.slices, plain.slices)
    means = (plain.lesion_maps.mean(axis=(1, 2, 3)), found.lesion_maps.mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(means[0][[0, 4]], means[1][[0, 4]], atol=0.02)  # not read again
    assert (np.abs(means[0] - means[1])[1:4] > 0.02).all()
    assert refine(plain, scan, shipped, np.zeros(5, bool)) is plain
    assert refine(replace(plain, lesion_maps=None), scan, shipped).lesion_maps is None


def test_evidence_without_maps_is_refused(shipped: Bundle) -> None:
    maps = np.ones((3, 6, 4, 4), np.float32)
    gradient = np.zeros((3, 16), np.float32)
    gradient[1, 5] = 1
    found = sequence_maps(gradient, maps)
    np.testing.assert_allclose(shares(found), [0, 1, 0])
    assert shares(np.zeros_like(found)).sum() == 0
    gradient[1, 7] = 1
    with pytest.raises(UsageError, match="others count"):
        sequence_maps(gradient, maps)
    with pytest.raises(UsageError, match="at most"):
        gradients(shipped.scan_network, np.zeros((100, 2048), np.float32), [0])


def test_legend_is_below_and_wide_enough() -> None:
    picture = np.full((40, 50, 3), 200, np.uint8)
    legend = Legend("any", 0.81, 0.44, "slice 3 of 9")
    out = with_legend(picture, legend)
    assert out.shape == (40 + LEGEND, LEAST_WIDTH, 3)
    left = (LEAST_WIDTH - 50) // 2
    np.testing.assert_array_equal(out[:40, left : left + 50], picture)
    calm = with_legend(picture, replace(legend, probability=0.1))
    assert (out[40:] != calm[40:]).any()
    marked = with_legend(picture, replace(legend, edges=("R", "L", "A", "P")))
    for edge in (np.s_[15:25, left : left + 20], np.s_[15:25, left + 30 : left + 50]):
        assert (marked[edge] != out[edge]).any()
    np.testing.assert_array_equal(marked[40:], out[40:])
    assert png(out).startswith(b"\x89PNG")
