"""NIfTI volumes."""

import contextlib
import gzip
import struct
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series
from ichscan.errors import IchscanError, NotAnalysableError, PixelError

HU = np.stack([build.head_hu(i, 80, 72) for i in range(5)])
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def _nifti(hu: NDArray[np.int16], axes: str = "LPS", *, code: int = 1) -> bytes:
    """A NIfTI file of (slices, rows, cols), stored in the given axis directions."""
    affine = LPS_TO_RAS @ np.array([[0.5, 0, 0, -16], [0, 0.6, 0, -20], [0, 0, 5, 100], [0, 0, 0, 1.0]])
    image = nib.Nifti1Image(hu.transpose(2, 1, 0), affine)
    start, end = nib.io_orientation(affine), nib.orientations.axcodes2ornt(tuple(axes))
    image = image.as_reoriented(nib.orientations.ornt_transform(start, end))
    data = bytearray(image.to_bytes())
    data[252:256] = struct.pack("<hh", code, code)  # qform_code, sform_code
    return bytes(data)


@pytest.mark.parametrize("axes", ["LPS", "RAS", "LAS", "RPI", "SRA", "PSL"])
def test_any_axis_order_gives_the_same_volume(axes: str) -> None:
    series = open_series([_nifti(HU, axes)]).chosen[0]
    volume = load_volume(series)
    np.testing.assert_array_equal(volume.hu, HU)
    np.testing.assert_allclose(volume.positions_mm, 100 + 5.0 * np.arange(5))
    assert volume.origins is not None
    np.testing.assert_allclose(volume.origins[0], [-16, -20, 100], atol=1e-4)
    assert volume.orientation == pytest.approx((1, 0, 0, 0, 1, 0))
    assert volume.spacing_mm == pytest.approx((0.6, 0.5))
    assert any("neither modality nor patient" in warning for warning in volume.warnings)


def test_gzipped(tmp_path: Path) -> None:
    path = tmp_path / "head.nii.gz"
    path.write_bytes(gzip.compress(_nifti(HU)))
    np.testing.assert_array_equal(load_volume(open_series([path]).chosen[0]).hu, HU)


def test_windowed_values_are_refused() -> None:
    with pytest.raises(NotAnalysableError, match="expected HU"):
        load_volume(open_series([_nifti(np.clip(HU, 0, 255).astype(np.int16))]).chosen[0])


def test_shape_and_orientation_are_checked() -> None:
    assert "2 slices" in str(open_series([_nifti(HU[:2])]).series[0].reason)
    assert "neither sform nor qform" in str(open_series([_nifti(HU, code=0)]).series[0].reason)


def test_truncated() -> None:
    with pytest.raises(PixelError):
        load_volume(open_series([_nifti(HU)[:5000]]).chosen[0])


@pytest.mark.parametrize("seed", range(20))
def test_random_damage_never_gives_a_traceback(seed: int) -> None:
    rng, data = np.random.default_rng(seed), bytearray(_nifti(HU))
    for at in rng.integers(4, 344, 6):
        data[at] = rng.integers(256)
    for series in open_series([bytes(data)]).chosen:
        with contextlib.suppress(IchscanError):
            load_volume(series)
