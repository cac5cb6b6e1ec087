"""Stored values to HU."""

from typing import Any

import numpy as np
import pytest
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series
from ichscan.types import Volume

TRUTH = build.head_hu(1)


def _volume(stored: "np.ndarray[Any, Any]", **tags: Any) -> Volume:
    files = [build.to_bytes(build.slice_dataset(i, PixelData=stored.tobytes(), **tags)) for i in range(3)]
    return load_volume(open_series(files).chosen[0])


def test_signed_16_bit_with_padding() -> None:
    stored = TRUTH.astype("<i2").copy()
    stored[:5] = -2000
    tags = {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1, "RescaleIntercept": "0"}
    volume = _volume(stored, PixelPaddingValue=-2000, **tags)
    assert (volume.hu[0][:5] == -1000).all()
    np.testing.assert_array_equal(volume.hu[0][5:], TRUTH[5:])
    np.testing.assert_array_equal(_volume(stored, **tags).hu, volume.hu)  # -2000 is air without the tag too


@pytest.mark.parametrize(("bits", "high"), [(12, 11), (12, 15), (13, 12), (16, 15)])
def test_bits_stored_and_high_bit_unsigned(bits: int, high: int) -> None:
    stored = ((TRUTH.astype(np.int32) + 1024) << (high + 1 - bits)).astype("<u2")
    np.testing.assert_array_equal(_volume(stored, BitsStored=bits, HighBit=high).hu[0], TRUTH)


def test_signed_12_bit_without_sign_extension() -> None:
    stored = (TRUTH.astype(np.int32) & 0xFFF).astype("<u2")
    volume = _volume(stored, PixelRepresentation=1, RescaleIntercept="0")
    np.testing.assert_array_equal(volume.hu[0], TRUTH)


def test_signed_12_bit_with_padding_below_its_range() -> None:
    stored = TRUTH.astype("<i2").copy()
    stored[:3] = -3024
    volume = _volume(stored, PixelRepresentation=1, RescaleIntercept="0")
    assert (volume.hu[0][:3] == -1000).all()
    np.testing.assert_array_equal(volume.hu[0][3:], TRUTH[3:])


def test_unsigned_12_bit_with_padding_above_its_range() -> None:
    stored = (TRUTH.astype(np.int32) + 1024).astype("<u2")
    stored[:3] = 63536
    assert (_volume(stored).hu[0][:3] == -1000).all()
    assert (_volume(stored, PixelPaddingValue=63536).hu[0][:3] == -1000).all()


def test_overlay_in_the_high_bits_is_removed() -> None:
    stored = (TRUTH.astype(np.int32) + 1024).astype("<u2")
    stored[10:20] |= 0x1000
    np.testing.assert_array_equal(_volume(stored).hu[0], TRUTH)


def test_eight_bit_with_fractional_slope() -> None:
    stored = np.clip((TRUTH.astype(np.float64) + 1024) / 10, 0, 255).astype(np.uint8)
    tags = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7, "RescaleSlope": "10"}
    expected = stored.astype(np.int32) * 10 - 1024
    np.testing.assert_array_equal(_volume(stored, **tags).hu[0], expected)


def test_slope_and_intercept_per_slice() -> None:
    files = []
    for index, slope in enumerate((1, 2, 4)):
        stored = ((build.head_hu(index).astype(np.int32) + 1024) // slope).astype("<u2").tobytes()
        files.append(build.to_bytes(build.slice_dataset(index, PixelData=stored, RescaleSlope=str(slope))))
    hu = load_volume(open_series(files).chosen[0]).hu
    for index, slope in enumerate((1, 2, 4)):
        assert np.abs(hu[index].astype(int) - build.head_hu(index)).max() < slope


def test_rsna_wrap_is_repaired_with_a_warning() -> None:
    # What the wrap did: values of a scan with intercept -1000 were written less 1000, modulo 4096.
    stored = (TRUTH.astype(np.int32) % 4096).astype("<u2")
    volume = _volume(stored, RescaleIntercept="0")
    np.testing.assert_array_equal(volume.hu[0], TRUTH)
    assert any("wrapped around" in warning for warning in volume.warnings)


def test_monochrome1_keeps_hu() -> None:
    volume = _volume((TRUTH.astype(np.int32) + 1024).astype("<u2"), PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(volume.hu[0], TRUTH)
    assert any("MONOCHROME1" in warning for warning in volume.warnings)


def test_absent_rescale_is_guessed_and_said() -> None:
    stored = (TRUTH.astype(np.int32) + 1024).astype("<u2")
    volume = _volume(stored, RescaleSlope=None, RescaleIntercept=None)
    np.testing.assert_array_equal(volume.hu[0], TRUTH)
    assert any("guessed as 1 and -1024" in warning for warning in volume.warnings)


def test_extreme_values_do_not_wrap() -> None:
    stored = TRUTH.astype("<i2").copy()
    stored[0], stored[1] = -32768, 32767
    tags = {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1}
    hu = _volume(stored, RescaleIntercept="-1024", **tags).hu[0]
    assert (hu[0] == -1000).all()
    assert (hu[1] == 31743).all()
    assert (_volume(stored, RescaleIntercept="0", RescaleSlope="3.5", **tags).hu[0][1] == 32767).all()
