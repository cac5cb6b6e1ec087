"""Areas and points of curves against scikit-learn; the weighted bootstrap against drawing rows."""

import numpy as np
import pytest
from tests.evaluate.statistics_data import clustered

from ichscan.evaluate import curves
from ichscan.evaluate.curves import (
    area_under_roc,
    average_precision,
    bootstrap_auc,
    counts_at,
    resampled_counts,
    roc_counts,
    sensitivity_at_specificity,
    specificity_at_sensitivity,
)
from ichscan.evaluate.metrics import auc, decide
from ichscan.evaluate.resampling import Resamples, percentiles

metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")


def _ties(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    labels = (rng.random(80) < 0.3).astype(np.uint8)
    labels[:2] = 0, 1
    return rng.integers(0, 9, 80) / 8, labels


def test_areas_equal_scikit_learn_with_ties() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        scores, labels = _ties(rng)
        _, tp, fp = roc_counts(scores, labels)
        assert float(area_under_roc(tp, fp)) == pytest.approx(metrics.roc_auc_score(labels, scores))
        assert float(average_precision(tp, fp)) == pytest.approx(metrics.average_precision_score(labels, scores))


def test_points_of_the_roc_curve_equal_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        scores, labels = _ties(rng)
        _, tp, fp = roc_counts(scores, labels)
        alarms, found, _ = metrics.roc_curve(labels, scores, drop_intermediate=False)
        for kept in (0.5, 0.9, 1.0):
            assert float(sensitivity_at_specificity(tp, fp, kept)) == found[1 - alarms >= kept - 1e-9].max()
            assert float(specificity_at_sensitivity(tp, fp, kept)) == pytest.approx(
                (1 - alarms[found >= kept - 1e-9]).max()
            )


def test_counts_at_are_those_of_decisions() -> None:
    rng = np.random.default_rng(2)
    scores, labels = _ties(rng)
    thresholds = np.array([0.0, 0.3, 0.5, 1.0, 2.0])
    tp, fp = counts_at(scores, labels, thresholds)
    for k, threshold in enumerate(thresholds):
        decided = decide(scores, labels, threshold)
        assert (decided.tp, decided.fp) == (tp[k], fp[k])


def test_one_class_and_no_rows_are_not_estimable() -> None:
    for scores, labels in (([0.1, 0.2], [0, 0]), ([0.1, 0.2], [1, 1])):
        _, tp, fp = roc_counts(np.array(scores), np.array(labels, np.uint8))
        for measure in (area_under_roc, average_precision):
            assert np.isnan(measure(tp, fp))
        assert np.isnan(sensitivity_at_specificity(tp, fp, 0.9))
        assert np.isnan(specificity_at_sensitivity(tp, fp, 0.9))
    assert np.isnan(bootstrap_auc(np.array([0.1, 0.2]), np.zeros(2, np.uint8), np.arange(2))).all()
    assert np.isnan(bootstrap_auc(np.empty(0), np.empty(0, np.uint8), np.empty(0, np.int64))).all()


def test_each_draw_is_what_copied_rows_give() -> None:
    """The draw's weights, taken as copies of the rows of a patient, and scikit-learn on the copies."""
    rng = np.random.default_rng(3)
    scores, labels, patients = clustered(rng, 12, 5)
    resamples = Resamples.of(patients, 30, 7)
    _, tp, fp = resampled_counts(scores, labels, patients, resamples)
    areas, precisions = area_under_roc(tp, fp), average_precision(tp, fp)
    compared = 0
    for draw in range(30):
        copies = resamples.weights[resamples.index(patients), draw].astype(int)
        s, y = np.repeat(scores, copies), np.repeat(labels, copies)
        if len(np.unique(y)) == 2:
            assert areas[draw] == pytest.approx(metrics.roc_auc_score(y, s))
            assert precisions[draw] == pytest.approx(metrics.average_precision_score(y, s))
            compared += 1
        else:
            assert np.isnan(areas[draw])
    assert compared > 20


def test_merged_scores_change_the_area_less_than_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    scores, labels, patients = clustered(rng, 400, 10)
    monkeypatch.setattr(curves, "BINS", 256)
    resamples = Resamples(np.unique(patients), np.ones((400, 1), np.float32))
    thresholds, tp, fp = resampled_counts(scores, labels, patients, resamples)
    assert len(thresholds) <= 257
    assert (tp[-1, 0], fp[-1, 0]) == (labels.sum(), (labels == 0).sum())
    assert float(area_under_roc(tp, fp)[0]) == pytest.approx(auc(scores, labels), abs=0.5 / 128)
    assert float(average_precision(tp, fp)[0]) == pytest.approx(
        metrics.average_precision_score(labels, scores), abs=0.01
    )


def test_bootstrap_over_patients_covers_where_rows_of_a_patient_are_alike() -> None:
    rng = np.random.default_rng(5)
    inside, width, narrow = 0, 0.0, 0.0
    for trial in range(60):
        scores, labels, patients = clustered(rng, 60, 10)
        low, high = bootstrap_auc(scores, labels, patients, 200, trial)
        inside += low <= 0.8556 <= high  # P(N(1.5, 1) > N(0, 1)) = Phi(1.5 / sqrt 2)
        width += high - low
        by_rows = bootstrap_auc(scores, labels, np.arange(len(labels)), 200, trial)
        narrow += by_rows[1] - by_rows[0]
    assert inside >= 51
    assert narrow < 0.8 * width


def _population(name: str) -> float:
    """Of 20,000 patients."""
    scores, labels, _ = clustered(np.random.default_rng(99), 20_000, 6)
    return float(MEASURES[name](*roc_counts(scores, labels)[1:]))


MEASURES = {
    "average precision": average_precision,
    "sensitivity": lambda tp, fp: sensitivity_at_specificity(tp, fp, 0.9),
    "specificity": lambda tp, fp: specificity_at_sensitivity(tp, fp, 0.8),
}


@pytest.mark.parametrize("name", MEASURES)
def test_percentiles_of_draws_cover_what_is_read_off_curves(name: str) -> None:
    rng = np.random.default_rng(6)
    truth, inside, bounds = _population(name), 0, []
    for trial in range(100):
        scores, labels, patients = clustered(rng, 80, 6)
        _, tp, fp = resampled_counts(scores, labels, patients, Resamples.of(patients, 200, trial))
        low, high = percentiles(MEASURES[name](tp, fp))
        inside += low <= truth <= high
        bounds.append((low, high))
    assert 87 <= inside <= 99, inside
    assert (np.diff(bounds) > 0.02).all()
