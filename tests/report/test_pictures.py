"""Pictures: heat where the model saw blood and nowhere else, the right way round, the same each time."""

from dataclasses import replace

import numpy as np
import pytest
from tests.samples import prediction, report, volume

from ichscan.explain.draw import UNSURE, canvas, text
from ichscan.explain.heat import gates, heat, inside_head
from ichscan.explain.overlay import colour, slice_picture
from ichscan.labels import ANY
from ichscan.report.contact_sheet import MAX_TILES, contact_sheet, tiles_shown


def test_heat_is_where_the_map_is() -> None:
    scan = prediction()
    found = heat(volume(), scan).on(2)
    assert found.shape == (64, 64)
    assert 0.8 < found.max() <= 1
    row, col = np.unravel_index(found.argmax(), found.shape)
    assert 24 <= row < 40
    assert 32 <= col < 48


def test_a_negative_slice_does_not_light_up() -> None:
    assert heat(volume(), prediction()).on(0).max() == 0
    calm = prediction()
    calm.slices[:] = 0.05
    assert all(heat(volume(), calm).on(i).max() == 0 for i in range(4))


def test_gates() -> None:
    scan = replace(prediction(5), slice_thresholds=np.full(6, 0.4, np.float32))
    scan.slices[:, ANY] = (0.0, 0.2, 0.3, 0.4, 1.0)
    assert gates(scan).tolist() == pytest.approx([0, 0, 0.5, 1, 1])
    no_threshold = replace(scan, slice_thresholds=np.zeros(6, np.float32))
    assert gates(no_threshold).tolist() == [0, 1, 1, 1, 1]


def test_boxes_may_reach_beyond_the_image() -> None:
    scan = prediction()
    scan.boxes[:] = (-10, 20, 80)
    found = heat(volume(), scan).on(2)
    row, col = np.unravel_index(found.argmax(), found.shape)
    assert 20 <= row <= 30
    assert col >= 60


def test_only_inside_the_head() -> None:
    inside = np.zeros((4, 64, 64), bool)
    inside[:, :, :40] = True
    found = heat(volume(), prediction(), inside=inside).on(2)
    assert found[:, 40:].max() == 0
    assert found[:, :40].max() > 0


def test_inside_of_the_head_is_found_where_it_is_needed() -> None:
    mask = inside_head(volume(), prediction())
    assert mask is not None
    assert mask.shape == (4, 64, 64)
    assert mask[2, 32, 32]
    assert not mask[2, 0, 0]
    assert inside_head(replace(volume(), spacing_mm=None), prediction()) is None
    calm = prediction()
    calm.slices[:] = 0
    assert inside_head(volume(), calm) is None


def test_without_class_maps_there_is_no_heat() -> None:
    assert heat(volume(), replace(prediction(), class_maps=None)).on(2).max() == 0


def test_shown_as_radiologists_look_at_it() -> None:
    scan = volume()
    hot = heat(scan, prediction()).on(2)
    usual = slice_picture(scan, 2, hot)
    prone = replace(scan, orientation=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    np.testing.assert_array_equal(slice_picture(prone, 2, hot), usual[::-1, ::-1])
    unknown = replace(scan, orientation=None)
    np.testing.assert_array_equal(slice_picture(unknown, 2, hot), usual)


def test_contact_sheet_is_deterministic_and_frames_the_suspicious() -> None:
    first, second = contact_sheet(volume(), report()), contact_sheet(volume(), report())
    np.testing.assert_array_equal(first, second)
    assert first.dtype == np.uint8
    calm = report()
    assert calm.prediction is not None
    calm.prediction.slices[:] = 0.05
    assert (contact_sheet(volume(), calm) != first).any()


def test_contact_sheet_does_not_call_a_scan_clear_that_has_a_suspicious_slice() -> None:
    unsure = report()
    assert unsure.prediction is not None
    unsure.prediction.scan[:] = 0.05
    verdict = contact_sheet(volume(), unsure)[50:80]
    assert (verdict == UNSURE).all(axis=2).any()


def test_contact_sheet_tells_the_series_description() -> None:
    """It says that a bleed is simulated."""
    told = contact_sheet(volume(), replace(report(), description="CT, SIMULATED bleed"))
    assert (told[30:50] != contact_sheet(volume(), report())[30:50]).any()


def test_contact_sheet_of_a_tiny_or_untypical_scan() -> None:
    single = contact_sheet(replace(volume(1), spacing_mm=None, orientation=None), report(1, 0))
    assert single.ndim == 3
    oblong = replace(volume(), spacing_mm=(1.0, 2.0))
    assert contact_sheet(oblong, report()).shape == contact_sheet(volume(), report()).shape


def test_long_series_keep_their_most_suspicious_slices() -> None:
    count = 2 * MAX_TILES + 7
    long = prediction(count, positive=101)
    shown, per_tile = tiles_shown(long)
    assert per_tile == 3
    assert len(shown) <= MAX_TILES
    assert 101 in shown


def test_colour_leaves_grey_where_there_is_no_heat() -> None:
    grey = np.arange(64, dtype=np.uint8).reshape(8, 8)
    np.testing.assert_array_equal(colour(grey, np.zeros((8, 8), np.float32)), np.repeat(grey[..., None], 3, axis=2))


def test_text_outside_ascii_is_no_error() -> None:
    picture = canvas(20, 100)
    text(picture, "größe\x1b[31m", 2, 14)
    assert (picture != canvas(20, 100)).any()
