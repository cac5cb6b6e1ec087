"""Columns for subgroups, from the tables of a store."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")
from tests.evaluate.stores import PATIENTS, SLICES, make_store, rows

from ichscan.datasets.arrow import write_parquet
from ichscan.datasets.schema import BOX, PATIENT, table_of
from ichscan.datasets.store import open_store
from ichscan.evaluate.facts import PIXEL_MM, facts_of_store, kinds, labels_of_groups, relative_position


def test_columns_of_a_store(tmp_path: Path) -> None:
    slices, scans, patients = facts_of_store(open_store(make_store(tmp_path / "store")))
    np.testing.assert_allclose(slices["position"][:SLICES], [0, 0.25, 0.5, 0.75, 1])
    assert slices["kind"].tolist()[SLICES : 2 * SLICES] == ["none", "none", "subdural", "none", "none"]
    assert scans["kind"].tolist()[:4] == ["none", "subdural", "none", "several"]
    assert patients["types"].tolist()[:4] == [0, 1, 0, 2]
    assert scans["positive_slices"].tolist() == [p % 2 for p in range(PATIENTS)]
    assert set(scans["slices"]) == {SLICES}
    assert set(patients["spacing_mm"]) == {5.0}
    assert set(slices["manufacturer"]) == {"Maker"}
    assert scans["tilt_deg"].max() == pytest.approx(0, abs=1e-6)
    for absent in ("lesion_mm2", "age_years", "sex"):
        assert absent not in slices


def test_age_and_sex(tmp_path: Path) -> None:
    folder = make_store(tmp_path / "store")
    known = [{"patient_id": "001", "age_years": 35.0, "sex": "F"}, {"patient_id": "003", "age_years": None, "sex": "M"}]
    write_parquet(table_of(known, PATIENT), folder / "patients.parquet")
    slices, scans, patients = facts_of_store(open_store(folder))
    assert patients["sex"].tolist()[:4] == ["", "F", "", "M"]
    np.testing.assert_array_equal(scans["age_years"][:4], [np.nan, 35, np.nan, np.nan])
    assert slices["age_years"][SLICES] == 35


def test_lesion_area(tmp_path: Path) -> None:
    made = rows()
    made[7] |= {"pixel_row_mm": 0.4, "pixel_col_mm": 0.5}
    made[17] |= {"pixel_row_mm": None, "pixel_col_mm": None}
    folder = make_store(tmp_path / "store", made)
    boxes = [
        {"slice_id": "001/2", "kind": "subdural", "x0": 0.0, "y0": 0.0, "x1": 10.0, "y1": 20.0},
        {"slice_id": "001/2", "kind": "subdural", "x0": 5.0, "y0": 5.0, "x1": 15.0, "y1": 15.0},
        {"slice_id": "003/2", "kind": "subdural", "x0": 0.0, "y0": 0.0, "x1": 10.0, "y1": 10.0},
        {"slice_id": "003/3", "kind": "subdural", "x0": 0.0, "y0": 0.0, "x1": 2.0, "y1": 2.0},
    ]
    write_parquet(table_of(boxes, BOX), folder / "boxes.parquet")
    slices, scans, patients = facts_of_store(open_store(folder))
    assert slices["lesion_mm2"][7] == pytest.approx(300 * 0.2)
    assert slices["lesion_mm2"][17] == pytest.approx(100 * PIXEL_MM**2)
    assert scans["lesion_mm2"][3] == pytest.approx(100 * PIXEL_MM**2)
    assert np.isnan(patients["lesion_mm2"][0])


def test_unknown_labels_have_no_kind() -> None:
    found = kinds(np.array([[0, 0, 0, 0, 0, 0], [0, 0, 1, 0, 255, 1], [1, 1, 0, 0, 0, 1]], np.uint8))
    assert found["kind"].tolist() == ["none", "", "several"]
    np.testing.assert_array_equal(found["types"], [0, np.nan, 2])


def test_labels_of_groups() -> None:
    y = np.zeros((4, 6), np.uint8)
    y[1, 5], y[2, 4] = 1, 255
    found = labels_of_groups(y, np.array([0, 2]))
    assert found[:, 5].tolist() == [1, 0]
    assert found[:, 4].tolist() == [0, 255]


def test_position_of_an_only_slice() -> None:
    assert relative_position(np.array([0, 1]), 3).tolist() == [0.5, 0, 1]
