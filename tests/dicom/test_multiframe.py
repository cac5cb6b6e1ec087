"""Enhanced CT: one instance per frame."""

import numpy as np
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series


def test_enhanced_ct_is_read_like_single_slices() -> None:
    single = load_volume(open_series(build.head_series()).chosen[0])
    for reverse in (False, True):
        volume = load_volume(open_series([build.enhanced(reverse=reverse)]).chosen[0])
        np.testing.assert_array_equal(volume.hu, single.hu)
        np.testing.assert_array_equal(volume.positions_mm, single.positions_mm)
        assert volume.spacing_mm == (0.5, 0.5)


def test_an_absurd_number_of_frames_is_refused() -> None:
    ds = build.slice_dataset(0, NumberOfFrames=2_000_000_000)
    series = open_series([build.to_bytes(ds)]).series
    assert len(series) == 1
    assert "Number of Frames" in str(series[0].reason)
