"""Enhanced CT: one instance per frame."""

import numpy as np
import pytest
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series
from ichscan.errors import PixelError


def test_enhanced_ct_is_read_like_single_slices() -> None:
    single = load_volume(open_series(build.head_series()).chosen[0])
    for reverse in (False, True):
        volume = load_volume(open_series([build.enhanced(reverse=reverse)]).chosen[0])
        np.testing.assert_array_equal(volume.hu, single.hu)
        np.testing.assert_array_equal(volume.positions_mm, single.positions_mm)
        assert volume.spacing_mm == (0.5, 0.5)


def test_truncated_multi_frame_is_an_error_that_counts_bytes() -> None:
    with pytest.raises(PixelError, match=r"expected 49,152 bytes for 6 x 64 x 64, found 4"):
        load_volume(open_series([build.enhanced()[:-5000]]).chosen[0])


def test_many_frames_with_long_functional_groups() -> None:
    volume = load_volume(open_series([build.enhanced(300)]).chosen[0])
    assert volume.hu.shape == (300, 64, 64)
    assert (np.diff(volume.positions_mm) == 5).all()
    np.testing.assert_array_equal(volume.hu[250], build.head_hu(250))


def test_an_absurd_number_of_frames_is_refused() -> None:
    ds = build.slice_dataset(0, NumberOfFrames=2_000_000_000)
    series = open_series([build.to_bytes(ds)]).series
    assert len(series) == 1
    assert "Number of Frames" in str(series[0].reason)
