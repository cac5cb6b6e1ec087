"""The shipped model on a drawn bleed with a box: scores, the report's part, the sheet to grade, a run's own scores."""

import csv
import json
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
from tests.datasets.tiny_store import slice_row, write_store

from ichscan.cli import main
from ichscan.datasets.arrow import write_parquet
from ichscan.datasets.schema import BOX, table_of
from ichscan.datasets.store import SliceStore, open_store
from ichscan.doctor.self_test import self_test_volume
from ichscan.evaluate.localisation_summary import ROW, rows_of
from ichscan.evaluate.localise import CLASS, FINE, KINDS, SETTLED, boxed_series, localise, outside_activation
from ichscan.evaluate.part import Options
from ichscan.evaluate.parts import localisation
from ichscan.evaluate.sources.bundle import volume_of
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.model.predict import predict

BLEED = {"kind": "intraparenchymal", "x0": 152.0, "y0": 119.0, "x1": 185.0, "y1": 162.0}
"""The bright ellipse of the self-test's head."""
LABELS = (0, 1, 0, 0, 0, 1)
SPACING = {"pixel_row_mm": 0.9, "pixel_col_mm": 0.9, "rows": 256, "cols": 256}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patient 001 has the bleed, with boxes in two slices; patient 002 is the same without boxes and labels."""
    hu = list(self_test_volume().hu)
    rows = []
    for patient, labels in (("001", LABELS), ("002", (0,) * 6)):
        for i in range(len(hu)):
            rows.append(slice_row(patient, i, labels, **SPACING))
    store = write_store(tmp_path_factory.mktemp("localise") / "store", rows, hu * 2)
    write_parquet(table_of([{"slice_id": f"001/{i}", **BLEED} for i in (2, 3)], BOX), store / "boxes.parquet")
    return store


@pytest.fixture(scope="module")
def store(folder: Path) -> SliceStore:
    return open_store(folder)


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(threads=1)


def test_all_kinds_point_at_a_plain_bleed(store: SliceStore, shipped: Bundle) -> None:
    (series,) = boxed_series(store)
    assert series.patient == "001"
    found = localise(store, series, shipped, fold=3).scored
    assert {s.maps for s in found} == set(KINDS)
    assert {(s.slice_id, s.label) for s in found} == {
        (f"001/{i}", label) for i in (2, 3) for label in ("intraparenchymal", "any")
    }
    area = 33 * 43 * 0.09 * 0.09
    for s in found:
        assert (s.patient, s.fold) == ("001", 3)
        assert s.area_cm2 == pytest.approx(area)
        assert s.maps == CLASS or s.energy > s.chance
    assert [s.distance for s in found if s.maps in (SETTLED, FINE) and s.label == "any"] == [0] * 4


def test_activation_outside_the_head_is_a_part_of_all(store: SliceStore, shipped: Bundle) -> None:
    volume = volume_of(store, store.series()[0])
    found = outside_activation(volume, predict(volume, shipped, class_maps=True))
    assert set(found) == {CLASS, SETTLED}
    assert all(0 <= outside < total for total, outside in found.values())


def test_a_run_that_holds_scores_is_not_scored_again(store: SliceStore, shipped: Bundle, tmp_path: Path) -> None:
    rows = rows_of(localise(store, boxed_series(store)[0], shipped, fold=0).scored)
    with (tmp_path / localisation.FILE).open("w", newline="") as file:
        csv.writer(file).writerows([ROW, *rows])
    found = localisation.part(None, Options(tmp_path, draws=20, run=tmp_path))  # type: ignore[arg-type]
    assert "out of fold" in found.facts["maps"]
    hits = {s["maps"]: s["hit"][0] for s in found.facts["summary"] if (s["label"], s["size"]) == ("any", "all")}
    assert hits[FINE] == 1
    assert [grid.key for grid in found.sections[0].grids] == [
        "pointing",
        "pointing-size",
        "overlap",
        "boxes",
        "outside",
    ]


def test_nothing_to_score_is_said(tmp_path: Path) -> None:
    found = localisation.part(None, Options(tmp_path))  # type: ignore[arg-type]
    assert found.facts["summary"] == "not estimable"
    assert "no lesion boxes" in found.sections[0].notes[0]


def test_command_writes_the_sheet(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ichscan.evaluate.run.PARTS", ("localisation",))
    out = tmp_path / "out"
    command = ["evaluate", "default", "--data", str(folder), "--out", str(out), "--draws", "20", "--grading", "2"]
    assert main(command) == 0
    facts = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))["parts"]["localisation"]
    assert facts["grading"]["pictures"] >= 2
    assert facts["outside"][SETTLED]["scans"] == 1
    page = (out / "grading.html").read_text(encoding="utf-8")
    assert page.count("<article") == facts["grading"]["pictures"]
    assert "Where the model looks" in (out / "report.html").read_text(encoding="utf-8")
    assert main([*command[:-1], "-1"]) == 2


def test_a_sheet_without_a_model_is_refused(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "p.csv"
    names = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
    lines = [",".join(("slice_id", *names)), *(f"{p}/{i},.1,.2,.1,.1,.1,.5" for p in ("001", "002") for i in range(5))]
    table.write_text("\n".join(lines) + "\n")
    out = tmp_path / "out"
    assert main(["evaluate", str(table), "--data", str(folder), "--out", str(out), "--grading", "2"]) == 2
    assert "needs images and a model" in capsys.readouterr().err
    assert not (out / "report.html").exists()
