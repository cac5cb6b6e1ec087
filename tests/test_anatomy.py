"""The intracranial mask: on a phantom, with an open skull, without a head, and on a real tilted head."""

from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from tests.simulate.phantom import Phantom, phantom

from ichscan.anatomy import BONE_HU, intracranial_mask


def _dice(a: np.ndarray, b: np.ndarray) -> float:
    return float(2 * (a & b).sum() / (a.sum() + b.sum()))


@pytest.mark.parametrize("opening", [False, True], ids=["closed", "open"])
def test_mask_is_the_brain_of_the_phantom(opening: bool) -> None:
    scan = phantom(opening=opening)
    assert _dice(intracranial_mask(scan.hu, scan.spacing_mm), scan.brain) > 0.97


def test_mask_holds_no_bone_and_no_air() -> None:
    scan = phantom()
    mask = intracranial_mask(scan.hu, scan.spacing_mm)
    assert scan.hu[mask].max() < BONE_HU
    assert scan.hu[mask].min() > -200


@pytest.mark.parametrize("value", [-1000, 40, 1000], ids=["air", "water", "bone"])
def test_no_skull_no_mask(value: int) -> None:
    hu = np.full((4, 100, 120), value, dtype=np.int16)
    assert not intracranial_mask(hu, (2.0, 2.0)).any()


def test_pixels_need_not_be_square() -> None:
    scan: Phantom = phantom(slices=18)
    narrow = np.ascontiguousarray(scan.hu[:, :, ::2])
    mask = intracranial_mask(narrow, (scan.spacing_mm[0], scan.spacing_mm[1] * 2))
    assert _dice(mask, scan.brain[:, :, ::2]) > 0.95


def test_real_tilted_head_has_the_volume_of_a_head(data_dir: Path) -> None:
    slices = [dcmread(path) for path in sorted((data_dir / "dcm_qa_ct" / "ge").glob("*.dcm"))]
    slices.sort(key=lambda data: float(data.ImagePositionPatient[2]))
    hu = np.stack([data.pixel_array for data in slices]).astype(np.int16)
    mask = intracranial_mask(hu, (0.488, 0.488))
    millilitres = sum(m.sum() * 0.488**2 * float(s.SliceThickness) / 1000 for m, s in zip(mask, slices, strict=True))
    assert 1000 < millilitres < 1900
    # The lowest slices are neck and face; the skull closes above the last two.
    assert not mask[:2].any()
    assert mask[6:26].any(axis=(1, 2)).all()


def test_a_slice_cut_off_by_a_display_window_still_has_its_skull() -> None:
    scan = phantom()
    clipped = np.clip(scan.hu, -20, 100).astype(np.int16)
    assert _dice(intracranial_mask(clipped, scan.spacing_mm), scan.brain) > 0.95
