"""From probabilities and maps to facts: states, places in the patient's frame, sides of the head."""

from dataclasses import replace

import numpy as np
import pytest
from tests.samples import prediction, report, volume

from ichscan.labels import ANY, LABELS
from ichscan.report.find import find, state_of
from ichscan.report.findings import ABSENT, PRESENT, UNCERTAIN
from ichscan.report.place import lps_mm, place_of
from ichscan.report.side import Midline, midline_of, side_of
from ichscan.types import Volume


@pytest.mark.parametrize(
    ("probability", "threshold", "any_slice", "state"),
    [
        (0.5, 0.5, True, PRESENT),
        (0.9, 0.5, False, UNCERTAIN),
        (0.34, 0.5, False, UNCERTAIN),  # odds .515 of 1
        (0.33, 0.5, False, ABSENT),  # odds .493 of 1
        (0.01, 0.5, True, UNCERTAIN),
        (0.0, 0.5, False, ABSENT),
        (1.0, 1.0, True, PRESENT),
        (0.99, 1.0, False, ABSENT),
        (0.0, 0.0, True, PRESENT),
    ],
)
def test_states(probability: float, threshold: float, any_slice: bool, state: str) -> None:
    assert state_of(probability, threshold, any_slice) == state


@pytest.mark.parametrize(
    ("overall", "typed", "verdict"),
    [(0.9, 0.1, PRESENT), (0.4, 0.1, UNCERTAIN), (0.1, 0.4, UNCERTAIN), (0.1, 0.1, ABSENT)],
)
def test_a_scan_is_not_clear_when_a_type_is_not(overall: float, typed: float, verdict: str) -> None:
    scan = prediction()
    scan.slices[:] = 0.1
    scan.slices[0, ANY] = overall
    scan.scan[:] = (typed, 0.1, 0.1, 0.1, 0.1, overall)
    assert find(replace(report(), prediction=scan)).verdict == verdict


def test_not_analysed_says_why() -> None:
    found = find(replace(report(), status="not_analysable", reason="a localizer", prediction=None))
    assert not found.analysed
    assert found.reason == "a localizer"
    assert found.findings == ()
    assert found.model is None


def test_without_images_there_are_no_places() -> None:
    found = find(report())
    assert [f.label for f in found.findings] == list(LABELS)
    assert found.of("any").state == PRESENT
    assert found.of("any").slices == (2,)
    assert all(f.place is None and f.side == "" for f in found.findings)


def test_place_and_side_are_of_the_patient() -> None:
    found = find(report(), volume()).of("any")
    assert found.place is not None
    assert found.place.slice_index == found.strongest == 2
    assert 26 <= found.place.row <= 37
    assert 34 <= found.place.column <= 45
    assert found.place.lps_mm == pytest.approx((-16 + 3 * found.place.column, -16 + 3 * found.place.row, 10), abs=1e-6)
    assert found.side == "left"  # columns run to the patient's left


def mirrored(scan: Volume) -> Volume:
    """The same pixels, lying so that columns run to the patient's right."""
    origins = np.array([[16.0 + 3 * 31, -16.0, 5.0 * i] for i in range(len(scan.hu))])
    return replace(scan, orientation=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0), origins=origins)


def test_flipped_columns_change_the_side() -> None:
    assert find(report(), mirrored(volume())).of("any").side == "right"


@pytest.mark.parametrize("missing", ["orientation", "spacing_mm", "origins"])
def test_without_geometry_neither_mm_nor_side(missing: str) -> None:
    changes: dict[str, None] = {missing: None}
    found = find(report(), replace(volume(), **changes)).of("any")  # type: ignore[arg-type]
    assert found.place is not None
    assert found.place.lps_mm is None
    assert found.side == ""


def test_absent_findings_have_no_place() -> None:
    found = find(report(), volume())
    for finding in found.findings:
        assert (finding.place is None) == (finding.state == ABSENT)


def test_gaps_and_left_out_images_are_told() -> None:
    told = " ".join(find(replace(report(), slices=6), replace(volume(), gaps=(0, 1))).not_assessed)
    assert "2 of 6 images" in told
    assert "From slice 1 to 3" in told
    with pytest.raises(ValueError, match="same series"):
        find(report(), volume(3))


def test_place_is_in_the_strongest_region() -> None:
    scan = volume()
    values = np.zeros((64, 64), np.float32)
    values[10:13, 10:13] = 0.9
    values[40:50, 40:50] = 0.7
    place = place_of(values, 1, scan)
    assert place is not None
    assert (place.row, place.column) == pytest.approx((44.5, 44.5))
    ring = np.zeros((64, 64), np.float32)
    ring[20:40, 20:40] = 1
    ring[22:38, 22:38] = 0
    place = place_of(ring, 1, scan)
    assert place is not None
    assert ring[round(place.row), round(place.column)] == 1
    assert place_of(np.zeros((64, 64), np.float32), 1, scan) is None


def _turned(degrees: float) -> tuple[np.ndarray, Volume]:
    """An ellipse of 28 x 40 mm half axes, turned about the slice's centre."""
    y, x = np.mgrid[:128, :128] - 63.5
    a = np.deg2rad(degrees)
    along, across = x * np.sin(a) + y * np.cos(a), x * np.cos(a) - y * np.sin(a)
    mask = np.repeat(((along / 40) ** 2 + (across / 28) ** 2 <= 1)[None], 3, axis=0)
    scan = replace(
        volume(3), hu=np.zeros((3, 128, 128), np.int16), spacing_mm=(1.0, 1.0),
        origins=np.array([[7.0, -9.0, 5.0 * i] for i in range(3)]),
    )  # fmt: skip
    return mask, scan


@pytest.mark.parametrize("degrees", [-20, 0, 12])
def test_the_midline_turns_with_the_head(degrees: float) -> None:
    mask, scan = _turned(degrees)
    line = midline_of(mask, scan)
    assert line is not None
    assert line.x0 == pytest.approx(70.5, abs=0.5)
    assert line.by_y == pytest.approx(np.tan(np.deg2rad(degrees)), abs=0.03)
    assert midline_of(np.zeros_like(mask), scan) is None


def test_both_sides_and_unclear_sides() -> None:
    _, scan = _turned(0)
    line = Midline(70.5, 0, 0, 0, 0)
    values = np.zeros((128, 128), np.float32)
    values[60:64, 20:30] = values[60:64, 90:100] = 1
    assert side_of({1: values}, line, scan) == "both"
    values[60:62, 90:100] = 0.4  # 28 of 68
    assert side_of({1: values}, line, scan) == "both"
    values[62:64, 90:100] = 0.4
    values[60:64, 90:93] = 0  # 11.2 of 51.2
    assert side_of({1: values}, line, scan) == ""
    values[:, 64:] = 0
    assert side_of({1: values}, line, scan) == "right"
    assert side_of({}, line, scan) == ""
    assert side_of({1: values}, line, replace(scan, orientation=None)) == ""


def test_pixels_to_lps_follow_the_standard() -> None:
    tilted = replace(volume(), orientation=(0.0, 1.0, 0.0, 0.0, 0.0, -1.0), spacing_mm=(2.0, 3.0))
    found = lps_mm(tilted, 1, np.array([[10.0, 4.0]]))
    assert found is not None
    assert found[0].tolist() == [-16.0, -16.0 + 12, 5.0 - 20]


def test_probabilities_are_those_of_the_prediction() -> None:
    found = find(report())
    assert found.slice_probabilities[2][ANY] == pytest.approx(0.8)
    assert found.of("subdural").probability == pytest.approx(float(prediction().scan[4]))
