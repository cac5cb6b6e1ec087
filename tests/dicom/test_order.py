"""Order, duplicates, gaps, thickness, tilt; names and order of files change nothing."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series
from ichscan.errors import GeometryError
from ichscan.types import Volume


def _load(files: list[bytes]) -> Volume:
    return load_volume(open_series(files).chosen[0])


SERIES = build.head_series(7)
REFERENCE = _load(SERIES)


def _same(one: Volume, other: Volume) -> None:
    np.testing.assert_array_equal(one.hu, other.hu)
    np.testing.assert_array_equal(one.positions_mm, other.positions_mm)
    assert one.sop_instance_uids == other.sop_instance_uids


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(7)))
def test_order_of_files_changes_nothing(order: list[int]) -> None:
    _same(_load([SERIES[index] for index in order]), REFERENCE)


@settings(max_examples=10, deadline=None)
@given(names=st.lists(st.text("abcdefghij0123456789_-", min_size=1, max_size=8), min_size=7, max_size=7, unique=True))
def test_names_of_files_change_nothing(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    folder: Path = tmp_path_factory.mktemp("renamed")
    for name, data in zip(names, SERIES, strict=True):
        (folder / f"x{name}").write_bytes(data)
    _same(_load_folder(folder), REFERENCE)


def _load_folder(folder: Path) -> Volume:
    return load_volume(open_series([folder]).chosen[0])


@settings(max_examples=30, deadline=None)
@given(
    tilt=st.floats(-30, 30),
    step=st.floats(0.5, 10),
    start=st.floats(-900, 900),
    flip=st.booleans(),
    shear=st.booleans(),
)
def test_position_is_the_projection_on_the_normal(
    tilt: float, step: float, start: float, flip: bool, shear: bool
) -> None:
    angle = math.radians(tilt)
    down = [0, math.cos(angle), -math.sin(angle)]
    axis = np.array([0, math.sin(angle), math.cos(angle)])
    # A tilted gantry moves the table along z; a tilted reformat steps along the normal.
    stride = np.array([0, 0, step / math.cos(angle)]) if shear else axis * step
    order = range(5)[:: -1 if flip else 1]
    files = [
        build.to_bytes(
            build.slice_dataset(
                index,
                ImagePositionPatient=[f"{v:.8f}" for v in np.array([-16, -16, start]) + place * stride],
                ImageOrientationPatient=[1, 0, 0, *(f"{v:.9f}" for v in down)],
            )
        )
        for index, place in enumerate(order)
    ]
    volume = _load(files)
    np.testing.assert_allclose(np.diff(volume.positions_mm), step, atol=1e-4)
    assert volume.tilt_deg == pytest.approx(abs(tilt), abs=1e-3)
    np.testing.assert_array_equal(volume.hu[0], build.head_hu(4 if flip else 0))


def test_prone_images_are_ordered_upwards_and_reported() -> None:
    volume = _load(build.head_series(5, ImageOrientationPatient=[-1, 0, 0, 0, 1, 0]))
    assert (np.diff(volume.positions_mm) > 0).all()
    np.testing.assert_array_equal(volume.hu[0], build.head_hu(0))
    assert any("turned for the model" in warning for warning in volume.warnings)


def test_instance_number_only_without_geometry() -> None:
    tags: dict[str, Any] = {"ImagePositionPatient": None, "ImageOrientationPatient": None}
    files = [build.to_bytes(build.slice_dataset(i, InstanceNumber=9 - i, **tags)) for i in range(4)]
    volume = _load(files)
    np.testing.assert_array_equal(volume.hu[0], build.head_hu(3))
    assert any("ordered by Instance Number" in warning for warning in volume.warnings)
    assert volume.origins is None


def test_neither_geometry_nor_numbers_is_an_error() -> None:
    tags: dict[str, Any] = {"ImagePositionPatient": None, "InstanceNumber": None}
    with pytest.raises(GeometryError, match=r"0020,0032.*0020,0013"):
        _load(build.head_series(4, **tags))


def test_absurd_geometry_is_an_error_even_when_forced() -> None:
    series = open_series(build.head_series(4, ImagePositionPatient=[0, 0, 1e12])).series[0]
    with pytest.raises(GeometryError, match="0020,0032"):
        load_volume(series, force=True)


def test_geometry_that_does_not_parse_is_not_taken_for_absent() -> None:
    files = [data.replace(b"\\-16.0\\", b"\\x16.0\\") for data in SERIES]
    assert files != SERIES
    assert "0020,0032" in str(open_series(files).series[0].reason)


def test_one_slice_with_absurd_geometry_does_not_spoil_the_others() -> None:
    files = [*SERIES, build.to_bytes(build.slice_dataset(30, ImagePositionPatient=[0, 0, float("nan")]))]
    intake = open_series(files)
    assert [s.slices for s in intake.series] == [7, 1]
    _same(load_volume(intake.chosen[0]), REFERENCE)


def test_copies_change_nothing_but_a_warning() -> None:
    volume = _load(SERIES + SERIES[2:4])
    _same(volume, REFERENCE)
    assert any("2 slices share the position" in warning for warning in volume.warnings)


def test_of_two_acquisitions_of_one_place_the_later_is_kept() -> None:
    repeats = [
        build.to_bytes(
            build.slice_dataset(i, build.head_hu(50 + i), AcquisitionTime="120500", SOPInstanceUID=f"1.2.3.{i}")
        )
        for i in range(7)
    ]
    for files in (SERIES + repeats, repeats + SERIES):
        np.testing.assert_array_equal(_load(files).hu[3], build.head_hu(53))


def test_of_two_kernels_of_one_place_the_soft_one_is_kept() -> None:
    bone = [
        build.to_bytes(
            build.slice_dataset(
                i, build.head_hu(50 + i), InstanceNumber=90 + i, ConvolutionKernel="BONE", SOPInstanceUID=f"1.2.3.{i}"
            )
        )
        for i in range(7)
    ]
    np.testing.assert_array_equal(_load(SERIES + bone).hu[3], build.head_hu(3))


def test_missing_slices_are_reported() -> None:
    volume = _load([SERIES[i] for i in (0, 1, 2, 4, 5, 6)])
    assert volume.gaps == (2,)
    assert any("missing at 1 place (10.0 mm after slice 3)" in warning for warning in volume.warnings)


def test_mixed_thickness_is_no_gap_but_reported() -> None:
    z = [0, 4, 8, 12, 17.5, 24.5, 31.5]
    files = [
        build.to_bytes(build.slice_dataset(i, ImagePositionPatient=[0, 0, at], SliceThickness="4" if i < 4 else "7"))
        for i, at in enumerate(z)
    ]
    warnings = _load(files).warnings
    assert any("thickness varies (4 to 7 mm)" in warning for warning in warnings)
    assert not any("missing" in warning for warning in warnings)


def test_irregular_distance_is_reported() -> None:
    files = [
        build.to_bytes(build.slice_dataset(i, ImagePositionPatient=[0, 0, at]))
        for i, at in enumerate((0, 5, 9, 14, 20))
    ]
    assert any("Irregular slice distance, 4.00 to 6.00 mm" in warning for warning in _load(files).warnings)
