"""Scores of maps on drawn slices whose answer is known, and against scikit-learn and scipy."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sklearn_metrics = pytest.importorskip("sklearn.metrics")
from scipy import ndimage

from ichscan.errors import DataError
from ichscan.evaluate.localisation import LEVELS, Scored, Slice, bounding_boxes, box_iou, box_mask, score
from ichscan.evaluate.localisation_summary import (
    ROW,
    difference,
    read_rows,
    rows_of,
    summarise,
    summarise_boxes,
    summarise_outside,
)

SHAPE = (100, 100)
HEAD = np.zeros(SHAPE, bool)
HEAD[10:90, 10:90] = True
WHERE = Slice("p", "p/1", 0, HEAD, 0.01)
BOX = (30.0, 40.0, 50.0, 60.0)


def spot(row: int, col: int, size: float = 4.0) -> np.ndarray:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return np.exp(-((y - row) ** 2 + (x - col) ** 2) / (2 * size**2)).astype(np.float32)


@pytest.mark.parametrize(
    ("row", "col", "distance"),
    [(50, 40, 0), (40, 30, 0), (59, 49, 0), (60, 40, 1), (50, 20, 10), (70, 60, math.hypot(11, 11))],
)
def test_pointing(row: int, col: int, distance: float) -> None:
    assert score(spot(row, col), [BOX], WHERE, "any", "m").distance == pytest.approx(distance, abs=1e-3)


def test_chance_area_and_energy() -> None:
    found = score(spot(50, 40, 1), [BOX], WHERE, "any", "m", 0.7)
    assert found.chance == pytest.approx(400 / 6400)
    assert found.area_cm2 == pytest.approx(4)
    assert found.energy == pytest.approx(1, abs=1e-6)
    assert found.probability == 0.7
    even = score(np.ones(SHAPE, np.float32), [BOX], WHERE, "any", "m")
    assert even.energy == pytest.approx(even.chance)  # a map that says nothing has the energy of chance
    assert even.box_iou[0][0] == pytest.approx(400 / 6400)


def test_the_maximum_outside_the_head_does_not_count() -> None:
    values = spot(50, 40) + 5 * spot(2, 2, 2)
    assert score(values, [BOX], WHERE, "any", "m").distance == 0


def test_a_map_that_saturates_points_where_its_order_is_highest() -> None:
    values, order = np.ones(SHAPE, np.float32), spot(50, 40) - 3
    assert score(values, [BOX], WHERE, "any", "m").distance > 0  # the first of many equals
    assert score(values, [BOX], WHERE, "any", "m", order=order).distance == 0
    order[2, 2] = 9  # outside the head
    assert score(values, [BOX], WHERE, "any", "m", order=order).distance == 0


def test_a_blank_map_points_nowhere_and_finds_nothing() -> None:
    found = score(np.zeros(SHAPE, np.float32), [BOX], WHERE, "any", "m")
    assert found.distance > 0
    assert math.isnan(found.energy)
    assert set(found.iou) == set(found.dice) == {0.0}


def test_overlap_equals_scikit_learn() -> None:
    values, lesion = spot(48, 44, 9) * HEAD, box_mask([BOX], SHAPE)
    found = score(values, [BOX], WHERE, "any", "m")
    for k, level in enumerate(LEVELS):
        cut = (values >= level * values.max()).ravel()
        assert found.iou[k] == pytest.approx(sklearn_metrics.jaccard_score(lesion.ravel(), cut))
        assert found.dice[k] == pytest.approx(sklearn_metrics.f1_score(lesion.ravel(), cut))


def test_masks_stand_for_boxes_where_there_are_some() -> None:
    mask = np.hypot(*(np.mgrid[: SHAPE[0], : SHAPE[1]] - 50)) < 8
    mask[20:24, 20:26] = True
    found = score(spot(50, 50), [], WHERE, "any", "m", mask=mask)
    assert len(found.boxes_cm2) == 2
    assert found.area_cm2 == pytest.approx(mask.sum() * 0.01)
    assert found.distance == 0
    assert max(found.dice) > 0.85
    corner = score(spot(43, 43, 1), [], WHERE, "any", "m", mask=mask)  # in the round lesion's box, not in the lesion
    assert 0 < corner.distance < 3


def test_boxes_of_parts_equal_scipy() -> None:
    mask = np.random.default_rng(0).random(SHAPE) > 0.8
    parts, _ = ndimage.label(mask, np.ones((3, 3)))
    expected = sorted(
        (float(x.start), float(y.start), float(x.stop), float(y.stop)) for y, x in ndimage.find_objects(parts)
    )
    assert sorted(bounding_boxes(mask)) == expected
    assert bounding_boxes(np.zeros(SHAPE, bool)) == []


def test_box_iou_equals_that_of_masks() -> None:
    other = (42.0, 30.0, 70.0, 55.0)
    masks = [box_mask([b], SHAPE) for b in (BOX, other)]
    assert box_iou(BOX, other) == pytest.approx((masks[0] & masks[1]).sum() / (masks[0] | masks[1]).sum())
    assert box_iou(BOX, (60, 60, 70, 70)) == 0


def test_boxes_are_found_one_by_one() -> None:
    boxes = [BOX, (70.0, 70.0, 74.0, 74.0)]
    found = score(box_mask([BOX], SHAPE).astype(np.float32), boxes, WHERE, "any", "m")
    assert found.boxes_cm2 == pytest.approx((4, 0.16))
    assert set(found.box_iou) == {(1.0, 0.0)}
    assert set(found.marked) == {(True, False)}


def test_each_part_marks_its_own_box() -> None:
    small = (70.0, 70.0, 74.0, 74.0)
    values = spot(50, 40) + 0.15 * spot(71, 71, 2)
    found = score(values, [BOX, small], WHERE, "any", "m")
    assert list(found.marked) == [(True, level <= 0.1) for level in LEVELS]


def scored(patient: str, distance: float, best: int, maps: str = "m", area: float = 5.0, fold: int = 0) -> Scored:
    iou = tuple(0.9 if k == best else 0.1 for k in range(len(LEVELS)))
    boxes, marked = ((0.2, 0.4),) * len(LEVELS), ((True, False),) * len(LEVELS)
    name, areas = f"{patient}/1", (area, area / 2)
    return Scored(patient, name, "any", maps, fold, area, areas, 0.5, distance, 0.1, 0.5, iou, iou, boxes, marked)


def test_the_threshold_comes_from_other_folds() -> None:
    mine = [scored("a", 0, 2, fold=0), scored("b", 0, 7, fold=1), scored("c", 0, 7, fold=1)]
    level = [row[ROW.index("level")] for row in rows_of(mine)]
    assert level == [LEVELS[7], LEVELS[2], LEVELS[2]]
    iou = [row[ROW.index("iou")] for row in rows_of(mine)]
    assert iou == [0.1, 0.1, 0.1]  # the best of its own fold is never used


def test_without_folds_it_comes_from_other_patients() -> None:
    mine = [replace(scored("a", 0, 2), fold=-1), replace(scored("b", 0, 7), fold=-1)]
    assert [row[ROW.index("level")] for row in rows_of(mine)] == [LEVELS[7], LEVELS[2]]


def test_summary_counts_sizes_and_patients() -> None:
    rows = rows_of(
        [scored("a", 0, 2, area=0.5), scored("b", 12, 2, area=2), scored("c", 20, 2), scored("c", 0, 2, "n")]
    )
    by = {(s["maps"], s["label"], s["size"]): s for s in summarise(rows, draws=200)}
    whole = by["m", "any", "all"]
    assert (whole["slices"], whole["patients"]) == (3, 3)
    assert whole["hit"][0] == pytest.approx(1 / 3, abs=1e-4)
    assert whole["hit_15px"][0] == pytest.approx(2 / 3, abs=1e-4)
    assert whole["hit"][1] <= whole["hit"][0] <= whole["hit"][2]
    assert by["m", "any", "< 1 cm²"]["hit"][0] == 1
    assert by["m", "any", "1-4 cm²"]["hit"][0] == 0
    boxes = {(b["maps"], b["size"]): b for b in summarise_boxes(rows) if b["label"] == "any"}
    assert boxes["m", "all"]["boxes"] == 6
    assert boxes["m", "all"]["found_0.1"][0] == 1
    assert boxes["m", "all"]["found_0.3"][0] == boxes["m", "all"]["marked"][0] == 0.5
    assert [boxes["m", size]["boxes"] for size in ("< 1 cm²", "1-4 cm²", "> 4 cm²")] == [2, 3, 1]
    assert math.isnan(by["m", "epidural", "all"]["hit"][0])


def test_activation_outside_is_told_for_all_and_per_scan() -> None:
    scans = [("a", {"m": (10.0, 1.0)}), ("b", {"m": (30.0, 9.0)}), ("c", {"m": (0.0, 0.0)}), ("d", {})]
    found = summarise_outside(scans)["m"]
    assert found["all"] == pytest.approx(0.25)
    assert found["scans"] == 2
    assert found["median scan"] == pytest.approx(0.2)
    assert found["per scan"] == [["a", 0.1], ["b", 0.3]]


def test_difference_is_paired_by_slice() -> None:
    rows = rows_of([scored(p, d, 2, m) for p in "abcd" for m, d in (("old", 9), ("new", 0 if p != "d" else 9))])
    value, low, high = difference(rows, "new", "old", draws=500)
    assert value == 0.75
    assert 0 < low <= value <= high <= 1
    assert difference(rows, "old", "old")[0] == 0


def test_rows_go_through_a_file(tmp_path: Path) -> None:
    rows = rows_of([scored("a", 0, 2), scored("b", 3.25, 4)])
    path = tmp_path / "localisation.csv"
    path.write_text("\n".join(",".join(map(str, line)) for line in [ROW, *rows]) + "\n")
    again = read_rows(path)
    assert again == rows
    path.write_text("slice_id,p\n")
    with pytest.raises(DataError, match="expected the columns"):
        read_rows(path)


def test_no_hit_in_few_patients_is_no_certainty() -> None:
    missed = [replace(score(spot(20, 80), [BOX], WHERE, "any", "m"), patient=f"{k // 4}") for k in range(12)]
    (found, *_) = summarise(rows_of(missed))
    value, low, high = found["hit"]
    assert (value, low) == (0, 0)
    assert high > 0.5  # three patients
