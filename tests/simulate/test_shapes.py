"""What tells the types apart: where they lie and how they are shaped."""

import cv2
import numpy as np
import pytest
from tests.simulate.phantom import Phantom

from ichscan.simulate import Head, apply, draw, epidural, intraparenchymal, intraventricular, subarachnoid, subdural
from ichscan.simulate.connected import keep_connected
from ichscan.simulate.csf import sulci, ventricles
from ichscan.simulate.texture import smooth_field

SEEDS = range(5)


@pytest.mark.parametrize("seed", SEEDS)
def test_epidural_lens_sits_on_the_inner_table_and_bulges_inward(head: Head, seed: int) -> None:
    parameters = epidural.draw(head, np.random.default_rng(seed))
    blood = epidural.opacity(head, parameters) > 0.5
    for i in np.flatnonzero(blood.sum(axis=(1, 2)) > 30):
        assert head.depth_mm[i][blood[i]].min() <= 2.0
        # Thickest in the middle: a lens, no band.
        assert head.depth_mm[i][blood[i]].max() <= 1.3 * parameters.thickness_mm + 2.0
    middle = blood[int(blood.sum(axis=(1, 2)).argmax())].astype(np.uint8)
    outline, _ = cv2.findContours(middle, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    area = cv2.contourArea(outline[0])
    assert area > 0.75 * cv2.contourArea(cv2.convexHull(outline[0]))


@pytest.mark.parametrize("seed", SEEDS)
def test_subdural_is_long_and_thin(head: Head, seed: int) -> None:
    parameters = subdural.draw(head, np.random.default_rng(seed))
    blood = subdural.opacity(head, parameters) > 0.5
    i = int(blood.sum(axis=(1, 2)).argmax())
    rows, cols = np.nonzero(blood[i])
    length = np.hypot(np.ptp(rows) * head.pitch[0], np.ptp(cols) * head.pitch[1])
    width = blood[i].sum() * head.pitch[0] * head.pitch[1] / length
    assert length > 2.5 * width
    if not parameters.falx:
        assert head.depth_mm[i][blood[i]].min() <= 2.0
        assert head.depth_mm[i][blood[i]].max() < 2.0 * parameters.thickness_mm


def test_subdural_along_the_falx_stays_on_one_side(head: Head) -> None:
    parameters = subdural.Subdural(True, float(head.positions_mm[16]), 0.0, 1.0, 30.0, 5.0, 60.0, 1)
    blood = subdural.opacity(head, parameters) > 0.5
    _, across = head.midline()
    assert blood.any()
    assert np.broadcast_to(across, blood.shape)[blood].min() > -1.5


@pytest.mark.parametrize("seed", SEEDS)
def test_intraparenchymal_is_in_the_brain_with_a_dark_rim(head: Head, scan: Phantom, seed: int) -> None:
    parameters = intraparenchymal.draw(head, np.random.default_rng(seed))
    blood = intraparenchymal.opacity(head, parameters)
    rim = intraparenchymal.oedema(head, parameters)
    assert (rim >= blood - 0.35).all()
    assert head.depth_mm[blood > 0.5].min() > 1.5
    ring = (rim > 0.6) & (blood < 0.05) & (head.grid_hu > head.brain_hu - 5)
    made = apply(head, parameters)
    change = np.stack([cv2.resize(s.astype(np.float32), ring.shape[:0:-1]) for s in made.hu - scan.hu])
    if ring.sum() > 50:
        assert change[ring].mean() < -1.0


@pytest.mark.parametrize("seed", SEEDS)
def test_intraventricular_is_in_the_ventricles(head: Head, scan: Phantom, seed: int) -> None:
    made = apply(head, intraventricular.draw(head, np.random.default_rng(seed)))
    wide = np.stack([cv2.dilate(v.astype(np.uint8), np.ones((5, 5), np.uint8)) for v in scan.ventricles]) > 0
    assert (made.mask & wide).sum() > 0.95 * made.mask.sum()


def test_layered_blood_has_a_level(head: Head) -> None:
    layer = intraventricular.Intraventricular(True, head.centre_mm[0] + 10.0, (0.0, 0.0, 0.0), 1.0, 60.0, 3)
    y, _ = head.coordinates()
    blood = intraventricular.opacity(head, layer) > 0.5
    assert blood.any()
    assert np.broadcast_to(y, blood.shape[1:])[blood.any(axis=0)].min() > layer.level_mm - 5.0


@pytest.mark.parametrize("seed", SEEDS)
def test_subarachnoid_follows_csf_outside_the_ventricles(head: Head, scan: Phantom, seed: int) -> None:
    made = apply(head, subarachnoid.draw(head, np.random.default_rng(seed)))
    assert (made.mask & scan.ventricles).sum() < 0.02 * made.mask.sum()
    assert np.median(scan.hu[made.mask]) < 25


def test_ventricles_and_sulci_are_apart(head: Head) -> None:
    assert not ((sulci(head) > 0) & ventricles(head)).any()


def test_draws_reach_both_sides_and_many_sizes(head: Head) -> None:
    drawn = [draw(head, "epidural", np.random.default_rng(seed)) for seed in range(40)]
    columns = [p.centre_mm[2] for p in drawn if isinstance(p, epidural.Epidural)]
    thickness = [p.thickness_mm for p in drawn if isinstance(p, epidural.Epidural)]
    assert min(columns) < head.centre_mm[1] < max(columns)
    assert max(thickness) > 2.5 * min(thickness)


def test_only_one_piece_is_kept() -> None:
    opacity = np.zeros((4, 20, 20), dtype=np.float32)
    opacity[1:3, 2:9, 2:9] = 1.0
    opacity[1, 14:17, 14:17] = 1.0
    opacity[3, 14:17, 14:17] = 1.0
    kept = keep_connected(opacity)
    assert kept[1:3, 2:9, 2:9].all()
    assert kept.sum() == 2 * 49
    assert not keep_connected(np.zeros((2, 5, 5), dtype=np.float32)).any()


def test_field_is_smooth_and_of_unit_spread(head: Head) -> None:
    field = smooth_field(head, 10.0, 4)
    np.testing.assert_array_equal(field, smooth_field(head, 10.0, 4))
    assert abs(field.mean()) < 0.3
    assert 0.5 < field.std() < 1.3
    assert np.abs(np.diff(field, axis=2)).max() < 0.8
