"""Operating points: chosen on one set, applied to another, stored in a bundle."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("onnx", reason="the tiny bundle is made with onnx")
from tests.evaluate.stores import make_store, predictions, rows, write_table
from tests.fake_bundle import write_fake_bundle

from ichscan.datasets.store import open_store
from ichscan.errors import DataError, UsageError
from ichscan.evaluate.align import align
from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.metrics import decide
from ichscan.evaluate.operating import Rule, choose_all, parse_rule, read_points, write_bundle
from ichscan.evaluate.sources.open import open_table
from ichscan.evaluate.truth import truth_of_store
from ichscan.labels import ANY, LABELS
from ichscan.model.bundle import load_bundle
from ichscan.model.spec import load_spec


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    folder = tmp_path_factory.mktemp("operating")
    table = write_table(folder / "p.parquet", predictions(rows()))
    return align(truth_of_store(open_store(make_store(folder / "store"))), open_table(table, None))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("f1", Rule("mean_f1_curve")),
        ("youden", Rule("youden")),
        ("sensitivity=.95", Rule("sensitivity", 0.95)),
        ("cost=5:1", Rule("cost", 5)),
        ("cost=1:2", Rule("cost", 0.5)),
    ],
)
def test_rules(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    "text", ["best", "sensitivity", "youden=1", "sensitivity=2", "cost=a", "cost=1:0", "specificity=0"]
)
def test_no_rules(text: str) -> None:
    with pytest.raises(UsageError, match="--choose"):
        parse_rule(text)


def test_chosen_points_keep_what_was_asked(evaluation: Evaluation) -> None:
    chosen, points = choose_all(evaluation, parse_rule("sensitivity=1"), "validation")
    binary = chosen.slices.label(ANY)
    assert decide(binary.p, binary.y, chosen.slices.thresholds[ANY]).sensitivity == 1
    point = points["slices"]["any"]
    assert (point.rule, point.parameter, point.positives, point.patients) == ("sensitivity", 1.0, 6, 12)
    assert "part validation" in point.chosen_on
    assert np.isnan(chosen.slices.thresholds[1])  # no slice has blood in the brain itself
    assert "intraparenchymal" not in points["slices"]
    assert "these very predictions" in chosen.chosen_on


def test_never_on_the_test_part(evaluation: Evaluation) -> None:
    for part in ("test", "Test", "test_fold_0"):
        with pytest.raises(UsageError, match="this is the test part"):
            choose_all(evaluation, Rule("youden"), part)


def test_points_of_another_evaluation(evaluation: Evaluation, tmp_path: Path) -> None:
    chosen, _ = choose_all(evaluation, Rule("youden"), "validation")
    cuts = {level: dict(zip(LABELS, chosen.level(level).thresholds.tolist(), strict=True))
            for level in ("slices", "scans", "patients")}  # fmt: skip
    cuts = {level: {k: None if v != v else v for k, v in one.items()} for level, one in cuts.items()}
    document = {
        "thresholds": {"rule": "youden", "chosen_on": "here", **cuts},
        "source": {"name": "m"},
        "data": {"kind": "own"},
    }
    path = tmp_path / "evaluation.json"
    path.write_text(json.dumps(document))
    read, said = read_points(path)
    np.testing.assert_allclose(read["slices"], chosen.slices.thresholds)
    assert said.startswith("youden (evaluation of m on own")
    path.write_text("{}")
    with pytest.raises(DataError, match=r"expected evaluation.json"):
        read_points(path)


def test_points_of_a_bundle(tmp_path: Path) -> None:
    read, said = read_points(write_fake_bundle(tmp_path / "bundle") / "spec.json")
    assert set(read["patients"]) == {0.5}
    assert said.startswith("bundle fake 0: fixed, chosen on ")


def test_points_before_calibration_are_moved_by_it(evaluation: Evaluation, tmp_path: Path) -> None:
    bundle = write_fake_bundle(tmp_path / "bundle")
    raw = json.loads((bundle / "spec.json").read_text())
    raw["calibration"]["slice"] = {"scale": [2.0] * 6, "offset": [1.0] * 6}
    (bundle / "spec.json").write_text(json.dumps(raw))
    rule = Rule("youden")
    _, points = choose_all(evaluation, rule, "validation")
    write_bundle(bundle, tmp_path / "new", points, ("slices",), rule, calibrated_here=False)
    cut = points["slices"]["any"].threshold
    moved = load_spec(tmp_path / "new").thresholds["slice"].value[ANY]
    assert moved == pytest.approx(1 / (1 + np.exp(-(2 * np.log(cut / (1 - cut)) + 1))))
    with pytest.raises(DataError, match="before calibration"):
        read_points(bundle / "spec.json", calibrated_here=False)


def test_points_are_stored_in_a_copy_of_the_bundle(evaluation: Evaluation, tmp_path: Path) -> None:
    bundle = write_fake_bundle(tmp_path / "bundle")
    (bundle / "MODEL_CARD.md").write_text("# Card\n")
    rule = Rule("youden")
    _, points = choose_all(evaluation, rule, "validation")
    write_bundle(bundle, tmp_path / "new", points, ("slices",), rule)
    spec = load_bundle(tmp_path / "new").spec
    assert spec.thresholds["slice"].value[ANY] == points["slices"]["any"].threshold
    assert spec.thresholds["slice"].value[1] == 0.5
    assert spec.thresholds["slice"].rule.startswith(
        "youden; intraparenchymal, intraventricular, subarachnoid: as before"
    )
    assert spec.thresholds["slice"].chosen_on == "slices of own 0000000000000000, part validation"
    assert spec.thresholds["scan"] == load_spec(bundle).thresholds["scan"]  # not what the bundle itself would give
    assert spec.about["operating_points"]["slices"]["any"]["positives"] == 6
    assert "Other thresholds" in (tmp_path / "new" / "MODEL_CARD.md").read_text()
    with pytest.raises(UsageError, match="it exists"):
        write_bundle(bundle, tmp_path / "new", points, ("slices",), rule)
