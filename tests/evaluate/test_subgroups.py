"""Subgroups hold the cases that they should, are measured like any set, and say when they are too small."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="scipy comes with the extra `train`")

from ichscan.evaluate.cases import Cases, Evaluation
from ichscan.evaluate.delong import area
from ichscan.evaluate.estimate import NOT_ESTIMABLE, estimate
from ichscan.evaluate.group_measures import measure_group
from ichscan.evaluate.intervals import wilson
from ichscan.evaluate.part import Options
from ichscan.evaluate.parts.subgroups import part
from ichscan.evaluate.subgrouping import UNRECORDED, Group, subgroups
from ichscan.labels import ANY
from ichscan.pages.section import Forest

N = 200


def _cases(level: str = "scans", threshold: float = 0.5, **facts: Any) -> Cases:
    """200 scans of 200 patients; every fourth holds an epidural, of these every other a subdural hemorrhage too."""
    rng = np.random.default_rng(1)
    y = np.zeros((N, 6), np.uint8)
    y[::4, 0] = y[::4, ANY] = 1
    y[::8, 4] = 1
    p = np.clip(rng.normal(0.3 + 0.4 * y[:, [ANY]], 0.2, (N, 6)), 0, 1)
    columns = {name: np.asarray(values) for name, values in facts.items()}
    ids = np.array([f"s{k}" for k in range(N)])
    return Cases(level, ids, np.arange(N), p, y, np.full(N, -1), np.full(6, threshold), columns)


def _evaluation(cases: Cases) -> Evaluation:
    slices = Cases(
        "slices", *(getattr(cases, f) for f in ("ids", "patients", "p", "y", "fold", "thresholds")), cases.facts
    )
    return Evaluation(slices, cases, cases, np.arange(N), np.arange(N), {}, {}, "")


def _named(groups: list[Group]) -> dict[tuple[str, str], Group]:
    return {(group.family, group.name): group for group in groups}


def test_groups_hold_their_cases() -> None:
    age = np.repeat([np.nan, 39.9, 40.0, 80.0], N // 4)
    sex = np.repeat(["F", "M", "", "F"], N // 4)
    tilt = np.repeat([-20.0, 0.0], N // 2)
    types = np.where(np.arange(N) % 8 == 0, 2.0, np.where(np.arange(N) % 4 == 0, 1.0, 0.0))
    found, left_out = subgroups(_cases(age_years=age, sex=sex, tilt_deg=tilt, types=types))
    groups = _named(found)
    assert groups["Age", "18 to 39"].rows.sum() == groups["Age", "40 to 59"].rows.sum() == 50
    assert ("Age", "60 to 79") not in groups
    assert groups["Age", "80 and more"].rows[-1]
    assert groups["Age", UNRECORDED].rows[:50].all()
    assert groups["Sex", "female"].rows.sum() == 100
    assert groups["Sex", UNRECORDED].rows.sum() == 50
    assert groups["Gantry tilt", "10° and more"].rows[:100].all(), "a tilt backwards is a tilt"
    assert groups["Type present", "epidural"].rows.sum() == 50
    assert groups["Type present", "subdural"].rows.sum() == 25
    assert groups["Number of types", "one"].rows.sum() == groups["Number of types", "two"].rows.sum() == 25
    assert left_out["Kernel"] == "not recorded in this data set"
    assert "Height in the scan" not in left_out, "a scan has no height in itself"


def test_rare_makers_are_one_group() -> None:
    makers = np.array([f"maker {min(k, 19):02d}" for k in np.arange(N) // 10])
    makers[-1] = "maker 00"
    groups = [group for group in subgroups(_cases(manufacturer=makers))[0] if group.family == "Manufacturer"]
    assert len(groups) == 9
    assert groups[0].name == "maker 00"
    assert groups[-1].name == "all others"
    assert sum(int(group.rows.sum()) for group in groups) == N


def test_what_does_not_differ_is_left_out() -> None:
    found, left_out = subgroups(_cases(thickness_mm=np.full(N, 5.0), sex=np.full(N, "")))
    assert left_out["Slice thickness"] == "the same in all cases (4 mm and more)"
    assert left_out["Sex"] == "not recorded in this data set"
    assert {group.family for group in found} == {"Type present"}


def test_a_group_is_measured_like_any_set() -> None:
    cases = _cases()
    rows = cases.label(ANY)
    some = np.arange(N) < 100
    result = measure_group(Group("x", "y", some), rows, 0.5)
    found = area(rows.p[:100], rows.y[:100])
    assert result.values["AUC"] == estimate(found.auc, (found.low, found.high))
    right = int((rows.p[:100][rows.y[:100] == 1] >= 0.5).sum())
    assert result.values["sensitivity"] == pytest.approx(estimate(right / 25, wilson(right, 25)))
    assert (result.patients, result.cases, result.positives, result.with_positive) == (100, 100, 25, 25)


def test_positives_are_ranked_against_all_negatives() -> None:
    cases = _cases()
    rows = cases.label(ANY)
    chosen = cases.y[:, 4] == 1
    result = measure_group(Group("Type present", "subdural", chosen, positives_only=True), rows, 0.5)
    both = chosen | (rows.y == 0)
    assert result.values["AUC"]["value"] == pytest.approx(area(rows.p[both], rows.y[both]).auc)
    assert "specificity" not in result.values
    assert (result.cases, result.positives) == (25, 25)


@pytest.mark.parametrize(("positives", "negatives", "estimable"), [(4, 50, "specificity"), (20, 4, "sensitivity")])
def test_small_groups_are_not_estimable(positives: int, negatives: int, estimable: str) -> None:
    cases = _cases()
    rows = cases.label(ANY)
    chosen = np.zeros(N, bool)
    chosen[np.flatnonzero(rows.y == 1)[:positives]] = True
    chosen[np.flatnonzero(rows.y == 0)[:negatives]] = True
    values = measure_group(Group("x", "y", chosen), rows, 0.5).values
    assert [name for name, value in values.items() if value != NOT_ESTIMABLE] == [estimable]


def test_many_slices_of_few_patients_are_few() -> None:
    cases = _cases("slices")
    shared = Cases("slices", cases.ids, np.arange(N) % 4, cases.p, cases.y, cases.fold, cases.thresholds)
    assert set(measure_group(Group("x", "y", np.ones(N, bool)), shared.label(ANY), 0.5).values.values()) == {
        NOT_ESTIMABLE
    }


def test_report_tells_counts_and_warns_of_many_looks(tmp_path: Path) -> None:
    found = part(_evaluation(_cases(sex=np.where(np.arange(N) < 197, "F", "M"))), Options(tmp_path))
    groups = {(g["by"], g["group"]): g for g in found.facts["scans"]["groups"]}
    assert groups["Sex", "male"]["AUC"] == NOT_ESTIMABLE
    assert groups["Sex", "male"]["patients"] == 3
    assert groups["All", "all scans"]["AUC"]["low"] < groups["All", "all scans"]["AUC"]["value"]
    section = found.sections[1]
    assert "nothing is adjusted" in section.notes[0]
    assert [figure.title.split(" of")[0] for figure in section.figures] == ["AUC", "sensitivity", "specificity"]
    chart = section.figures[2].chart
    assert isinstance(chart, Forest)
    assert list(chart.groups) == ["All", "Sex"], "types have no specificity of their own"
    assert chart.groups["Sex"][1].text == NOT_ESTIMABLE


def test_without_threshold_only_ranking(tmp_path: Path) -> None:
    found = part(_evaluation(_cases(threshold=float("nan"))), Options(tmp_path))
    assert found.sections[0].grids[0].columns[-1] == "AUC"
    assert len(found.sections[0].figures) == 1


def test_one_class_only(tmp_path: Path) -> None:
    cases = _cases()
    cases.y[:] = 0
    found = part(_evaluation(cases), Options(tmp_path))
    assert found.facts == {"slices": NOT_ESTIMABLE, "scans": NOT_ESTIMABLE}
    assert found.sections[0].notes == ("Not estimable: 0 of 200 slices are positive.",)
