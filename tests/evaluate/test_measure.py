"""All measures of a level as JSON: what is there, what is not estimable, and that parts can be written."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluate.statistics_data import cases, evaluation

from ichscan.evaluate.calibration import METHODS
from ichscan.evaluate.cases import UNKNOWN, Cases
from ichscan.evaluate.estimate import NOT_ESTIMABLE, estimate, text
from ichscan.evaluate.measure import measure
from ichscan.evaluate.metrics import auc, decide, exact_match, weighted_log_loss
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.parts import calibration, measures, not_sure, operating_points
from ichscan.labels import LABELS
from ichscan.pages.document import dumps

pytest.importorskip("scipy", reason="scipy comes with the extra `train`")
DRAWS = 60


@pytest.fixture(scope="module")
def level() -> Cases:
    return cases("slices", np.random.default_rng(0), np.repeat(np.arange(30), 5))


def test_numbers_are_those_of_the_measures(level: Cases) -> None:
    found = measure(level, DRAWS)
    rows = level.label(5)
    of_any, decided = found["labels"]["any"], decide(rows.p, rows.y, 0.4)
    assert (of_any["n"], of_any["positives"], of_any["patients"]) == (150, rows.positives, 30)
    assert of_any["auc"]["value"] == pytest.approx(auc(rows.p, rows.y))
    assert (of_any["tp"], of_any["fp"], of_any["tn"], of_any["fn"]) == (decided.tp, decided.fp, decided.tn, decided.fn)
    for name in ("sensitivity", "specificity", "ppv", "npv", "f1", "accuracy", "balanced_accuracy", "lr_positive"):
        assert of_any[name]["value"] == pytest.approx(getattr(decided, name))
        assert of_any[name]["low"] <= of_any[name]["value"] <= of_any[name]["high"]
    overall = found["overall"]
    assert overall["weighted_log_loss"]["value"] == pytest.approx(weighted_log_loss(level.p, level.y))
    assert overall["exact_match"]["value"] == pytest.approx(exact_match(level.p >= 0.4, level.y))
    assert found["draws"] == DRAWS


def test_an_interval_without_width_is_none(level: Cases) -> None:
    found = measure(replace(level, p=np.full(level.p.shape, 0.3)), DRAWS)["labels"]["any"]
    assert (found["auc"]["value"], found["auc"]["bootstrap"]) == (0.5, None)
    assert found["auc"]["low"] < 0.4
    assert estimate(0.01, (0.01 - 1e-18, 0.01 + 1e-17)) == {"value": 0.01, "low": None, "high": None}


def test_a_label_without_positives_is_not_estimable_and_left_out_of_means(level: Cases) -> None:
    found = measure(level, DRAWS)
    subdural = found["labels"]["subdural"]
    for name in ("auc", "average_precision", "sensitivity", "balanced_accuracy", "lr_positive"):
        assert subdural[name] == NOT_ESTIMABLE
    assert (subdural["positives"], subdural["specificity"]["value"] > 0.5) == (0, True)
    areas = [found["labels"][name]["auc"]["value"] for name in LABELS[:4]]
    assert found["macro_types"]["auc"]["value"] == pytest.approx(np.mean(areas))
    assert found["macro_types"]["auc"]["labels"] == list(LABELS[:4])
    assert found["macro_types"]["auc"]["low"] < np.mean(areas) < found["macro_types"]["auc"]["high"]


def test_unknown_labels_and_absent_predictions_are_left_out(level: Cases) -> None:
    y, p = level.y.copy(), level.p.copy()
    y[:10, 0], p[10:30, 0] = UNKNOWN, np.nan
    found = measure(replace(level, y=y, p=p), DRAWS)
    assert found["labels"]["epidural"]["n"] == 120
    assert found["overall"]["n"] == 120
    assert found["labels"]["any"]["n"] == 150


def test_without_thresholds_there_are_no_decisions(level: Cases) -> None:
    found = measure(replace(level, thresholds=np.full(6, np.nan)), DRAWS)
    assert "sensitivity" not in found["labels"]["any"]
    assert found["labels"]["any"]["threshold"] is None
    assert found["overall"]["exact_match"] == NOT_ESTIMABLE
    assert found["macro_all"]["f1"] == NOT_ESTIMABLE
    assert found["predictive_values"] == []


def test_no_rows_are_not_estimable(level: Cases) -> None:
    found = measure(level.where(np.zeros(150, np.bool_)), DRAWS)
    assert (found["n"], found["patients"]) == (0, 0)
    assert found["labels"]["any"]["auc"] == found["labels"]["any"]["brier"] == NOT_ESTIMABLE
    assert found["overall"]["weighted_log_loss"] == NOT_ESTIMABLE
    json.loads(dumps(found))


def test_predictive_values_at_another_prevalence_are_bayes(level: Cases) -> None:
    found = measure(level, DRAWS, prevalence=0.03)
    rows = level.label(5)
    decided = decide(rows.p, rows.y, 0.4)
    (told,) = [f for f in found["predictive_values"] if f["prevalence"] == 0.03]
    hits, alarms = decided.sensitivity * 0.03, (1 - decided.specificity) * 0.97
    assert told["ppv"]["value"] == pytest.approx(hits / (hits + alarms))
    for name in ("ppv", "npv"):
        assert told[name]["low"] < told[name]["value"] < told[name]["high"]


def test_estimates_and_their_text() -> None:
    assert estimate(float("nan"), (0.1, 0.2)) == NOT_ESTIMABLE
    assert text(estimate(0.5, (0.25, 0.75)), 2) == "0.50 (0.25 to 0.75)"
    assert text(estimate(float("inf"), (2.0, float("inf"))), 1) == "∞ (2.0 to ∞)"
    assert text(estimate(1.0, (1.0, 1.0))) == "1.000"  # draws that all agree tell no interval
    assert text(NOT_ESTIMABLE) == NOT_ESTIMABLE
    assert text(0.1234) == "0.123"


@pytest.mark.parametrize("module", [measures, operating_points, calibration, not_sure])
def test_parts_are_json_and_tables_are_whole(module: object, tmp_path: Path) -> None:
    part = module.part(evaluation(), Options(tmp_path, draws=DRAWS))  # type: ignore[attr-defined]
    assert isinstance(part, Part)
    assert {"slices", "scans", "patients"} <= set(part.facts)
    json.loads(dumps(part.facts))
    grids = [grid for section in part.sections for grid in section.grids]
    assert grids
    for grid in grids:
        assert grid.rows
        assert all(len(row) == len(grid.columns) for row in grid.rows)
    subdural = [row for grid in grids for row in grid.rows if row[0] == "subdural"]
    assert any(NOT_ESTIMABLE in row for row in subdural)


def test_nothing_is_chosen_on_the_test_part(tmp_path: Path) -> None:
    part = operating_points.part(evaluation("test"), Options(tmp_path, draws=DRAWS))
    assert set(part.facts) == {"refused"}
    assert "no threshold is chosen here" in part.sections[0].notes[0]
    assert not part.sections[0].grids


def test_operating_points_are_measured_on_others(tmp_path: Path) -> None:
    """Chosen on all rows a sensitivity of .95 is kept; measured on other patients it need not be."""
    found = operating_points.part(evaluation(), Options(tmp_path, draws=DRAWS)).facts["slices"]["any"]
    (point,) = [p for p in found if p["rule"] == "sensitivity" and p["parameter"] == 0.95]
    rows = evaluation().slices.label(5)
    assert decide(rows.p, rows.y, point["threshold"]).sensitivity >= 0.95
    measured = point["cross_fitted"]
    assert measured["tp"] + measured["fn"] == rows.positives
    assert point["patients"] == 40


def test_calibration_before_and_after(tmp_path: Path) -> None:
    """Logits made twice as large as they should be: the slope tells it and temperature mends it on other patients."""
    truth = evaluation(patients=120)
    logits = np.log(truth.slices.p / (1 - truth.slices.p))
    wrong = replace(truth, slices=replace(truth.slices, p=1 / (1 + np.exp(-3 * logits))))
    found = calibration.part(wrong, Options(tmp_path, draws=DRAWS)).facts["slices"]["any"]
    assert set(found) == {calibration.BEFORE, *METHODS}
    assert found[calibration.BEFORE]["slope"]["high"] < 1
    for method in METHODS:
        assert found[method]["log_loss"] < found[calibration.BEFORE]["log_loss"]
    assert found["temperature"]["slope"]["low"] < 1 < found["temperature"]["slope"]["high"]


def test_not_sure_states_what_it_measured(tmp_path: Path) -> None:
    found = not_sure.part(evaluation(patients=120), Options(tmp_path, draws=DRAWS)).facts["slices"]["any"]
    for stated in found:
        kept = stated["coverage_positives"]["value"], stated["coverage_negatives"]["value"]
        assert kept == pytest.approx((stated["stated"], stated["stated"]), abs=0.05)
        answered = stated["sure_positive"] + stated["sure_negative"]
        assert answered + stated["both"] + stated["neither"] == stated["positives"] + stated["negatives"] == 1440
    assert found[0]["abstained"]["value"] < found[1]["abstained"]["value"]


def test_patients_with_one_scan_each_are_told_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    several = evaluation()
    single = replace(
        several, scans=cases("scans", rng, np.arange(40)), scan_of_slice=np.repeat(np.arange(40), 12),
        patient_of_scan=np.arange(40),
    )  # fmt: skip
    titles = [[s.key for s in measures.part(e, Options(tmp_path, draws=20)).sections] for e in (several, single)]
    assert titles == [["measures_slices", "measures_scans", "measures_patients"], ["measures_slices", "measures_scans"]]


def test_means_over_labels_are_covered() -> None:
    """The four types that are estimable are drawn alike, so that the mean of their areas is that of each."""
    many = cases("slices", np.random.default_rng(7), np.arange(60_000))
    truth = auc(many.p[:, 0], many.y[:, 0])
    rng = np.random.default_rng(8)
    inside = 0
    for trial in range(60):
        found = measure(cases("slices", rng, np.repeat(np.arange(40), 3)), 100, trial)["macro_types"]["auc"]
        inside += found["low"] <= truth <= found["high"]
    assert 51 <= inside <= 60
