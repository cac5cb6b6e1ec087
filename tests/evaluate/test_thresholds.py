"""Operating points: what the rules promise, and that the test part is never chosen on."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evaluate.statistics_data import binary

from ichscan.errors import DataError, UsageError
from ichscan.evaluate.metrics import decide
from ichscan.evaluate.thresholds import (
    GRID,
    PARAMETERS,
    RULES,
    OperatingPoint,
    choose,
    cost_threshold,
    cross_fitted,
    f1_curve,
    mean_f1_threshold,
    sensitivity_threshold,
    specificity_threshold,
    threshold,
    youden_threshold,
)


@st.composite
def both_classes(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    n = draw(st.integers(2, 40))
    labels = np.array(draw(st.lists(st.integers(0, 1), min_size=n, max_size=n)), np.uint8)
    labels[:2] = 0, 1
    scores = np.array(draw(st.lists(st.integers(0, 20), min_size=n, max_size=n)), np.float64) / 20
    return scores, labels


@given(both_classes())
@settings(max_examples=80, deadline=None)
def test_youden_is_the_best_of_all_thresholds(data: tuple[np.ndarray, np.ndarray]) -> None:
    p, y = data
    found = decide(p, y, youden_threshold(p, y))
    best = max(decide(p, y, t).sensitivity + decide(p, y, t).specificity for t in np.unique(p))
    assert found.sensitivity + found.specificity == pytest.approx(best)


@given(both_classes(), st.sampled_from([0.2, 1.0, 5.0, 50.0]))
@settings(max_examples=80, deadline=None)
def test_cost_is_the_least_of_all_thresholds(data: tuple[np.ndarray, np.ndarray], miss: float) -> None:
    p, y = data

    def cost(t: float) -> float:
        found = decide(p, y, t)
        return miss * found.fn + found.fp

    assert cost(cost_threshold(p, y, miss)) == pytest.approx(min(cost(t) for t in np.unique(p)))


@given(both_classes(), st.sampled_from([0.5, 0.8, 0.95, 1.0]), st.sampled_from([1, 9]))
@settings(max_examples=80, deadline=None)
def test_sensitivity_and_specificity_are_kept(data: tuple[np.ndarray, np.ndarray], least: float, power: int) -> None:
    p, y = data
    p = p**power  # towards 0, where half-way in log-odds is rounded
    assert decide(p, y, sensitivity_threshold(p, y, least)).sensitivity >= least - 1e-9
    assert decide(p, y, specificity_threshold(p, y, least)).specificity >= least - 1e-9


def test_dearer_misses_lower_the_threshold() -> None:
    rng = np.random.default_rng(0)
    y = (rng.random(500) < 0.2).astype(np.uint8)
    p = 1 / (1 + np.exp(-rng.normal(2 * y - 1.0)))
    cuts = [cost_threshold(p, y, miss) for miss in (0.5, 2, 10, 100)]
    assert cuts == sorted(cuts, reverse=True)
    assert cuts[0] > cuts[-1]


def test_f1_curve_is_the_f1_of_decisions() -> None:
    rng = np.random.default_rng(1)
    y = (rng.random(70) < 0.3).astype(np.uint8)
    p = rng.random(70)
    assert f1_curve(p, y) == pytest.approx([decide(p, y, t).f1 for t in GRID])


def test_mean_f1_is_the_mean_over_folds_and_leaves_out_folds_without_positives() -> None:
    rng = np.random.default_rng(2)
    y, folds = (rng.random(90) < 0.3).astype(np.uint8), np.arange(90) % 3
    y[folds == 2] = 0
    p = rng.random(90)
    cut, best = mean_f1_threshold(p, y, folds)
    curves = [[decide(p[folds == f], y[folds == f], t).f1 for t in GRID] for f in (0, 1)]
    assert best == pytest.approx(np.mean(curves, axis=0).max())
    assert np.mean(curves, axis=0)[np.flatnonzero(cut == GRID)[0]] == pytest.approx(best)
    assert mean_f1_threshold(p, np.zeros(90, np.uint8), folds)[0] == 0.5


@pytest.mark.parametrize("part", ["test", "TEST", " test ", "test2"])
def test_choosing_on_the_test_part_is_refused(part: str) -> None:
    rows = binary(np.array([0.1, 0.9]), np.array([0, 1]))
    with pytest.raises(UsageError, match="flatters what is measured there"):
        choose(rows, "youden", part=part)


def test_a_choice_tells_where_it_comes_from_and_survives_json() -> None:
    rows = binary(np.array([0.1, 0.2, 0.9, 0.8]), np.array([0, 0, 1, 1]), np.array([7, 7, 8, 9]))
    point = choose(rows, "sensitivity", 0.9, part="validation")
    assert (point.rule, point.parameter, point.chosen_on) == ("sensitivity", 0.9, "validation")
    assert (point.rows, point.positives, point.patients) == (4, 2, 3)
    assert 0.2 < point.threshold < 0.8
    assert OperatingPoint.of(json.loads(json.dumps(point.facts()))) == point
    assert choose(rows, "youden", part="validation", chosen_on="elsewhere").chosen_on == "elsewhere"


@pytest.mark.parametrize(("entry", "value"), [("threshold", "high"), ("rows", None), ("rule", ...)])
def test_a_damaged_point_is_refused(entry: str, value: object) -> None:
    facts = choose(binary(np.array([0.1, 0.9]), np.array([0, 1])), "youden", part="validation").facts()
    facts[entry] = value
    if value is ...:
        del facts[entry]
    with pytest.raises(DataError, match="operating point: expected rule"):
        OperatingPoint.of(facts)


@pytest.mark.parametrize("labels", [[0, 0, 0], [1, 1, 1], []])
def test_one_class_or_no_rows_are_refused(labels: list[int]) -> None:
    rows = binary(np.linspace(0, 1, len(labels)), np.array(labels, np.uint8))
    with pytest.raises(DataError, match="expected rows of both classes"):
        choose(rows, "youden", part="validation")


@pytest.mark.parametrize(
    ("rule", "parameter", "says"),
    [
        ("median", None, "expected a rule of"),
        ("sensitivity", None, "sensitivity expects a number above 0 and at most 1, found None"),
        ("specificity", 1.5, "at most 1, found 1.5"),
        ("cost", 0.0, "above 0"),
    ],
)
def test_unknown_rules_and_numbers_are_refused(rule: str, parameter: float | None, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        choose(binary(np.array([0.1, 0.9]), np.array([0, 1])), rule, parameter, part="validation")


def test_cross_fitted_decisions_do_not_see_their_own_fold() -> None:
    rng = np.random.default_rng(3)
    y, folds = (rng.random(60) < 0.4).astype(np.uint8), np.arange(60) % 3
    p = rng.random(60)
    for rule in RULES:
        parameter = 0.8 if rule in PARAMETERS else None
        decided = cross_fitted(p, y, folds, rule, parameter)
        for fold in range(3):
            rest = folds != fold
            cut = threshold(p[rest], y[rest], folds[rest], rule, parameter)
            assert (decided[~rest] == (p[~rest] >= cut)).all()
    alone = np.where(folds == 0, y, 0).astype(np.uint8)
    assert (cross_fitted(p, alone, folds, "youden")[folds == 0] == (p[folds == 0] >= 0.5)).all()


def test_specificity_threshold_keeps_what_it_promises_and_no_lower_one_does() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        labels = (rng.random(80) < 0.3).astype(np.uint8)
        labels[0] = 0
        p = rng.random(80)
        for wanted in (1.0, 0.85, 0.5):
            t = specificity_threshold(p, labels, wanted)
            assert decide(p, labels, t).specificity >= wanted - 1e-9
            lower = p[p < t].max()
            assert decide(p, labels, lower).specificity < wanted or labels[p == lower].all()


def test_mean_f1_threshold_finds_the_gap() -> None:
    labels = np.array([0] * 50 + [1] * 10 + [0] * 50 + [1] * 10, np.uint8)
    p = np.where(labels == 1, 0.8, 0.2)
    threshold, f1 = mean_f1_threshold(p, labels, np.repeat([0, 1], 60))
    assert f1 == 1
    assert 0.4 < threshold < 0.6
