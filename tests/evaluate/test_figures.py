"""Curves agree with the measures and with scikit-learn, whatever their number of points; bands hold the curve."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.evaluate.evaluations import evaluation, labels_of

pytest.importorskip("scipy", reason="scipy comes with the extra `train`")
metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `train`")

from ichscan.evaluate.bands import POINTS, curve_charts, pr_points, roc_points
from ichscan.evaluate.cases import Binary, Cases, Evaluation
from ichscan.evaluate.curves import roc_counts
from ichscan.evaluate.label_charts import confusion_chart, reliability_chart, scores_chart, threshold_chart
from ichscan.evaluate.metrics import auc, decide
from ichscan.evaluate.part import Options
from ichscan.evaluate.parts import along_scan, figures
from ichscan.evaluate.parts.along_scan import stretches
from ichscan.evaluate.resampling import Resamples
from ichscan.labels import ANY
from ichscan.pages.section import Track


def _binary(n: int = 3000, patients: int = 60, seed: int = 0, digits: int = 6) -> Binary:
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.2).astype(np.uint8)
    p = np.round(1 / (1 + np.exp(-rng.normal(2.0 * y - 1, 1.2))), digits)
    whose = rng.integers(0, patients, n)
    return Binary(p, y, whose, np.full(n, -1), np.arange(n))


@pytest.mark.parametrize("digits", [6, 1])
def test_area_below_the_thinned_curve_is_the_auc(digits: int) -> None:
    rows = _binary(digits=digits)
    _, tp, fp = roc_counts(rows.p, rows.y)
    x, y = roc_points(tp, fp)
    assert len(x) <= POINTS
    assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(y, x) == pytest.approx(auc(rows.p, rows.y), abs=5e-4)
    whole = roc_points(tp, fp, len(tp) + 1)
    assert np.trapezoid(whole[1], whole[0]) == pytest.approx(auc(rows.p, rows.y), abs=1e-12)


def test_points_of_precision_and_recall_are_those_of_scikit_learn() -> None:
    rows = _binary(400)
    _, tp, fp = roc_counts(rows.p, rows.y)
    x, y = pr_points(tp, fp, len(tp))
    precision, recall, _ = metrics.precision_recall_curve(rows.y, rows.p)
    found = recall[::-1] > 0
    np.testing.assert_allclose(x, recall[::-1][found])
    np.testing.assert_allclose(y, precision[::-1][found])
    thin = pr_points(tp, fp, 50)
    assert len(thin[0]) <= 50
    assert set(zip(*thin, strict=True)) <= set(zip(x, y, strict=True))


def test_bands_hold_the_curve_and_marks_lie_on_it() -> None:
    rows = _binary(600, 40)
    roc, pr = curve_charts({"any": rows}, {"any": 0.4}, Resamples.of(rows.patients, 200, 0))
    for chart in (roc, pr):
        ((name, curve),) = chart.curves.items()
        x, low, high = (np.array(v) for v in (curve.band_x, curve.low, curve.high))
        middle = np.interp(x, curve.x, np.array(curve.y, float))
        inside = (x > 0.05) & (x < 0.95)
        assert (low <= high).all()
        assert ((low - 0.02 <= middle) & (middle <= high + 0.02))[inside].all()
        assert (high - low)[inside].max() > 0.02
        assert name in chart.points
    counts = decide(rows.p, rows.y, 0.4)
    assert roc.points[f"any (AUC {auc(rows.p, rows.y):.3f})"] == pytest.approx(
        (1 - counts.specificity, counts.sensitivity)
    )
    assert next(iter(pr.points.values())) == pytest.approx((counts.sensitivity, counts.ppv))


def test_band_covers_a_known_curve() -> None:
    """Scores N(0, 1) and N(1, 1): the true sensitivity at specificity .8 is Phi(1 - z(.8)) = .563."""
    covered = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        y = np.repeat([0, 1], [120, 80]).astype(np.uint8)
        score = rng.normal(y, 1)
        p = (score - score.min()) / np.ptp(score)
        rows = Binary(p, y, np.arange(200), np.full(200, -1), np.arange(200))
        roc, _ = curve_charts({"any": rows}, {"any": float("nan")}, Resamples.of(rows.patients, 200, seed))
        curve = next(iter(roc.curves.values()))
        low, high = curve.low[20], curve.high[20]
        assert low is not None
        assert high is not None
        covered += low <= 0.5629 <= high
    assert 51 <= covered <= 60


def test_charts_of_a_label_count_what_the_measures_count() -> None:
    rows = _binary(500)
    found = decide(rows.p, rows.y, 0.3)
    chart = confusion_chart(rows, 0.3)
    ((tn, fp), (fn, tp)) = metrics.confusion_matrix(rows.y, rows.p >= 0.3)
    assert (chart.tn, chart.fp, chart.fn, chart.tp) == (tn, fp, fn, tp)
    curves = threshold_chart(rows, 0.3).curves
    at = curves["F1"].x.index(0.3)
    assert curves["sensitivity"].y[at] == pytest.approx(found.sensitivity, abs=1e-5)
    assert curves["specificity"].y[at] == pytest.approx(found.specificity, abs=1e-5)
    assert curves["F1"].y[at] == pytest.approx(metrics.f1_score(rows.y, rows.p >= 0.3), abs=1e-5)
    assert curves["PPV"].y[-1] is None, "nothing has a probability of 1"
    scores = scores_chart(rows, 0.3)
    assert sum(scores.counts["positive"]) == rows.positives
    assert sum(map(sum, scores.counts.values())) == 500


def test_reliability_is_that_of_scikit_learn() -> None:
    from sklearn.calibration import calibration_curve

    rows = _binary(1000, 1000)
    chart = reliability_chart(rows)
    observed, predicted = calibration_curve(rows.y, rows.p, n_bins=10, strategy="quantile")
    np.testing.assert_allclose(chart.predicted, predicted, atol=2e-3)
    np.testing.assert_allclose(chart.observed, observed, atol=1.1e-2)
    assert sum(chart.cases) == sum(chart.counts) == 1000
    assert all(a <= b <= c for a, b, c in zip(chart.low, chart.observed, chart.high, strict=True))


def test_equal_probabilities_have_a_reliability() -> None:
    rows = Binary(np.full(12, 0.25), np.arange(12, dtype=np.uint8) % 4 == 0, *(np.arange(12),) * 3)
    assert set(reliability_chart(rows).predicted) == {0.25}


def _evaluation() -> Evaluation:
    """Six scans of three slices: two missed, one false alarm, one found, two rightly negative."""
    words = ["-", "ep", "-"] * 2 + ["-"] * 3 + ["-", "sd,ep", "sd"] + ["-"] * 6
    top = np.array([0.1, 0.2, 0.1, 0.1, 0.3, 0.1, 0.1, 0.9, 0.1, 0.1, 0.8, 0.95, *[0.1] * 6])
    return evaluation(np.repeat(top[:, None], 6, axis=1), labels_of(words), np.repeat(np.arange(6), 3))


def test_part_draws_each_level_once(tmp_path: Path) -> None:
    part = figures.part(_evaluation(), Options(tmp_path, draws=50))
    assert part.facts["patients"] == "the same as of scans"
    assert [section.key for section in part.sections] == ["figures-slices", "figures-scans"]
    assert part.facts["slices"]["not estimable"]["subarachnoid"] == {"cases": 18, "positives": 0}
    assert "subarachnoid (positive: 0 of 18)" in part.sections[0].notes[1]
    keys = [figure.key for section in part.sections for figure in section.figures]
    assert len(keys) == len(set(keys))
    shown = [figure for figure in part.sections[0].figures if not figure.fold]
    assert [figure.title.split(":")[0] for figure in shown[2:]] == ["any"] * 4


def test_without_thresholds_nothing_is_decided(tmp_path: Path) -> None:
    whole = _evaluation()
    bare = [
        Cases(c.level, c.ids, c.patients, c.p, c.y, c.fold, np.full(6, np.nan))
        for c in (whole.slices, whole.scans, whole.patients)
    ]
    found = Evaluation(*bare, whole.scan_of_slice, whole.patient_of_scan, {}, {}, "")
    part = figures.part(found, Options(tmp_path, draws=20))
    assert "No thresholds are known" in part.sections[0].notes[0]
    assert not [f for f in part.sections[0].figures if "confusion" in f.key]
    assert "0.5 stands in" in along_scan.part(found, Options(tmp_path)).sections[0].notes[1]


def test_one_class_only_is_not_estimable(tmp_path: Path) -> None:
    p = np.full((4, 6), 0.2)
    part = figures.part(evaluation(p, labels_of(["-"] * 4), [0, 0, 1, 1]), Options(tmp_path))
    assert part.sections[0].figures == ()
    assert (
        part.sections[0]
        .notes[0]
        .startswith("Not estimable without both classes, so not drawn: any (positive: 0 of 4), ")
    )


def test_scans_worth_looking_at_come_first(tmp_path: Path) -> None:
    part = along_scan.part(_evaluation(), Options(tmp_path))
    assert [(s["kind"], s["scan"]) for s in part.facts["scans"]] == [
        ("missed", "series-0"), ("missed", "series-1"), ("false alarm", "series-2"), ("found", "series-3"),
        ("rightly negative", "series-4"),
    ]  # fmt: skip
    figure = part.sections[0].figures[3]
    assert figure.title == "found: scan series-3, probability 0.950, hemorrhage in 2 of 3 slices"
    assert isinstance(figure.chart, Track)
    assert figure.chart.spans == {"any": ((1.5, 3.5),), "epidural": ((1.5, 2.5),), "subdural": ((1.5, 3.5),)}
    assert figure.chart.curves["any"] == (0.1, 0.8, 0.95)
    assert figure.chart.threshold == 0.5


def test_labels_without_predictions_are_not_drawn(tmp_path: Path) -> None:
    whole = _evaluation()
    p = whole.slices.p.copy()
    p[:, 0] = np.nan
    p[7, ANY] = np.nan
    found = replace(whole, slices=replace(whole.slices, p=p))
    charts = [figure.chart for figure in along_scan.part(found, Options(tmp_path)).sections[0].figures]
    assert all(isinstance(chart, Track) and "epidural" not in chart.curves for chart in charts)
    assert isinstance(charts[2], Track)
    assert charts[2].curves["any"] == (0.1, None, 0.1)


def test_stretches() -> None:
    assert stretches(np.array([True, True, False, True])) == ((0.5, 2.5), (3.5, 4.5))
    assert stretches(np.zeros(3, bool)) == ()
