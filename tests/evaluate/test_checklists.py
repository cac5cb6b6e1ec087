"""Checklists and model card: every item is there, answers come from the evaluation, the rest is left open."""

from pathlib import Path

import numpy as np
import pytest
from tests.evaluate.evaluations import evaluation, labels_of

from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.checklist_items import CLAIM, TRIPOD_AI
from ichscan.evaluate.checklists import TO_FILL, answers
from ichscan.evaluate.markdown import markdown_table
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.parts import measures
from ichscan.evaluate.parts.checklists import part
from ichscan.model.bundle import bundle_folder
from ichscan.pages.section import Section


@pytest.fixture
def small() -> Evaluation:
    y = labels_of(["-", "ep", "ep,sd", "-"] * 3)
    one = evaluation(np.where(y == 1, 0.9, 0.1), y, [k // 2 for k in range(12)])
    one.slices.fold[:] = [k // 6 for k in range(12)]
    return one


def test_all_items_of_both_checklists_are_there() -> None:
    """CLAIM 2024 has 44 items; TRIPOD+AI 27 with 52 parts (Collins et al. 2024)."""
    assert [i.number for i in CLAIM] == [str(k) for k in range(1, 45)]
    numbers = [i.number for i in TRIPOD_AI]
    assert len(numbers) == len(set(numbers)) == 52
    assert sorted({int(n.rstrip("abcdefg")) for n in numbers}) == list(range(1, 28))


def test_an_answer_for_every_key_and_a_key_for_every_answer(small: Evaluation, tmp_path: Path) -> None:
    made = tuple(
        Part(key, measures.part(small, Options(tmp_path, draws=0)).facts if key == "measures" else {},
             (Section(key, key, ""),))
        for key in ("measures", "calibration", "operating_points", "subgroups", "localisation", "readers", "gallery")
    )  # fmt: skip
    small.data["warnings"].append("x")  # type: ignore[attr-defined]
    full = answers(
        Evaluation(
            small.slices, small.scans, small.patients, small.scan_of_slice, small.patient_of_scan, small.source,
            {**small.data, "kind": "ct-ich"}, small.chosen_on,
        ),
        Options(tmp_path, made=made, run=tmp_path, bundle=bundle_folder(None)),
    )  # fmt: skip
    keys = {i.answer for i in (*CLAIM, *TRIPOD_AI)} - {""}
    assert set(full) - keys == set()
    assert keys - set(full) == {"external"}  # only the authors can say that the data are from elsewhere


def test_nothing_is_made_up(small: Evaluation, tmp_path: Path) -> None:
    known = answers(small, Options(tmp_path))
    for key in ("method", "intended_use", "model", "training", "reference", "results", "agreement", "explanation"):
        assert key not in known
    made = part(small, Options(tmp_path))
    claim = made.facts["answers"]["claim"]
    assert claim["44"] == claim["5"] == claim["34"] == claim["37"] == TO_FILL
    assert made.facts["left_to_the_authors"]["claim"] == sum(a == TO_FILL for a in claim.values())


def test_folds_are_checked_and_counts_are_told(small: Evaluation, tmp_path: Path) -> None:
    known = answers(small, Options(tmp_path))
    assert known["partitions"].startswith("2-fold")
    assert "no patient is in two folds" in known["disjoint"]
    assert "6 patients, 6 scans, 12 slices" in known["data"]
    assert "epidural (6 patients)" in known["limits"]
    assert "Not estimable on slices: intraparenchymal" in known["limits"]
    small.slices.fold[0] = 1
    assert answers(small, Options(tmp_path))["disjoint"] == "1 patients are in two folds"
    small.slices.y[0, 2] = 255
    assert answers(small, Options(tmp_path))["missing"].startswith("1 labels")


def test_not_out_of_fold_claims_no_cross_validation(small: Evaluation, tmp_path: Path) -> None:
    y = small.slices.y
    known = answers(evaluation(small.slices.p, y, small.slices.patients.tolist(), fold=-1), Options(tmp_path))
    assert known["stage"] == "evaluation"
    assert "partitions" not in known
    assert "internal" not in known


def test_documents_are_written(small: Evaluation, tmp_path: Path) -> None:
    options = Options(tmp_path, draws=0, bundle=bundle_folder(None))
    made = (measures.part(small, options),)
    found = part(small, Options(tmp_path, draws=0, bundle=bundle_folder(None), made=made))
    claim = (tmp_path / "checklists" / "claim.md").read_text()
    assert claim.count("\n| ") == 45  # the heading and 44 items
    assert "| 37 | Results: performance | measures with uncertainty | any hemorrhage on scans: AUC " in claim
    assert (tmp_path / "checklists" / "tripod-ai.md").read_text().count("\n| ") == 53
    card = (tmp_path / "model-card.md").read_text()
    assert "Three small slice networks" in card
    assert "| epidural | 6 of 12 | 1.000" in card
    assert f"Licence of the weights: {TO_FILL}" not in card
    assert [g.key for g in found.sections[0].grids] == ["claim", "tripod-ai"]
    bare = part(small, Options(tmp_path))
    assert f"- What: {TO_FILL}" in (tmp_path / "model-card.md").read_text()
    assert bare.facts["left_to_the_authors"]["claim"] > found.facts["left_to_the_authors"]["claim"]


def test_tables_escape_bars() -> None:
    assert markdown_table(("a", "b"), [("1|2", "3")]) == "| a | b |\n|---|---|\n| 1\\|2 | 3 |\n"
