from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("pyarrow")

from ichscan.datasets.ctich import read_ctich
from ichscan.datasets.ctich_import import CtIchPictures
from ichscan.datasets.engine import import_collection
from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import DataError

HEADER = (
    "PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,Subdural,"
    "No_Hemorrhage,Fracture_Yes_No"
)


def collection(root: Path, rows: list[str], slices: dict[str, tuple[int, ...]]) -> CtIchPictures:
    root.mkdir(parents=True, exist_ok=True)
    (root / "hemorrhage_diagnosis.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (root / "hemorrhage_boxes.csv").write_text("PatientNumber,SliceNumber,Subtype,x0,y0,x1,y1\n49,2,subdural,1,2,3,4\n")
    for patient, numbers in slices.items():
        for window in ("brain", "bone"):
            folder = root / "Patients_CT" / patient / window
            folder.mkdir(parents=True)
            for n in numbers:
                grey = np.random.default_rng(int(patient) * 100 + n).integers(60, 90, (20, 24)).astype(np.uint8)
                cv2.imwrite(str(folder / f"{n}.jpg"), grey)
    return CtIchPictures(root)


def imported(tmp_path: Path, rows: list[str], slices: dict[str, tuple[int, ...]]) -> SliceStore:
    store = tmp_path / "store"
    import_collection(collection(tmp_path / "data", rows, slices), store, workers=1)
    return open_store(store)


def test_the_store_gives_back_what_the_collection_holds(tmp_path: Path) -> None:
    rows = ["49,1,0,0,0,0,0,1,0", "49,2,0,0,0,0,1,0,0", "50,1,1,0,0,0,0,0,0"]
    store = imported(tmp_path, rows, {"049": (1, 2), "050": (1,)})
    scans = list(read_ctich(tmp_path / "data"))
    for series, scan in zip(store.series(), scans, strict=True):
        got = store.scan(series)
        np.testing.assert_array_equal(got.hu, scan.hu)
        np.testing.assert_array_equal(got.labels, scan.labels)
        assert (got.patient, got.slice_numbers, got.boxes) == (scan.patient, scan.slice_numbers, scan.boxes)
    assert store.table["slice_id"].to_pylist() == ["049/1", "049/2", "050/1"]
    assert store.scan_labels.tolist() == [[0, 0, 0, 0, 1, 1], [0, 0, 1, 0, 0, 1]]
    assert store.manifest["counts"]["slices"] == 3
    assert not (tmp_path / "store" / "parts").exists()


def test_age_and_sex_where_the_collection_tells(tmp_path: Path) -> None:
    made = collection(tmp_path / "data", ["49,1,0,0,0,0,0,1,0", "50,1,0,0,0,0,0,1,0"], {"049": (1,), "050": (1,)})
    text = (
        'Patient Number,"Age\n(years)",Gender,Epidural\n,,,Sub\n49,0.583333333,Female,1\n50,unknown,Male,\n51,3,Male,\n'
    )
    (tmp_path / "data" / "patient_demographics.csv").write_text(text)
    import_collection(made, tmp_path / "store", workers=1)
    assert open_store(tmp_path / "store").patients.to_pylist() == [
        {"patient_id": "049", "age_years": 0.583333333, "sex": "F"},
        {"patient_id": "050", "age_years": None, "sex": "M"},
    ]


def test_contradictions_become_unknown_and_are_reported(tmp_path: Path) -> None:
    rows = [
        "49,1,0,0,0,0,1,1,0", "49,2,0,0,0,0,0,1,0", "49,2,0,0,0,0,0,1,0", "49,3,0,0,0,0,0,1,0", "49,3,1,0,0,0,0,0,0",
        "49,9,0,0,0,0,0,1,0", "51,1,0,0,0,0,0,1,0", "49,4,0,0,0,0,7,0,0", ",,,,,,,,",
    ]  # fmt: skip
    store = imported(tmp_path, rows, {"049": (1, 2, 3, 4, 5)})
    assert store.labels[:, 5].tolist() == [255, 0, 255, 255, 255]
    problems = (tmp_path / "store" / "problems.csv").read_text()
    assert store.manifest["problems"] == {
        "bad_label": 1, "contradicting_label": 2, "duplicate_label": 1, "missing_patient": 1, "missing_slice": 1,
        "unlabelled_image": 1,
    }  # fmt: skip
    assert "patient 49 slice 3 is listed twice, with other labels" in problems


def test_an_unreadable_picture_survives_as_a_problem(tmp_path: Path) -> None:
    data = collection(tmp_path / "data", [f"49,{n},0,0,0,0,0,1,0" for n in (1, 2)], {"049": (1, 2)})
    (data.root / "Patients_CT" / "049" / "bone" / "2.jpg").write_bytes(b"no image")
    store = open_store(import_collection(data, tmp_path / "store", workers=1))
    assert len(store) == 1
    assert store.manifest["problems"] == {"unreadable": 1}


def test_again_is_nothing_and_another_source_is_refused(tmp_path: Path) -> None:
    rows = ["49,1,0,0,0,0,0,1,0"]
    data = collection(tmp_path / "data", rows, {"049": (1,)})
    store = import_collection(data, tmp_path / "store", workers=1)
    before = {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file()}
    import_collection(data, store, workers=1)
    assert {p: p.stat().st_mtime_ns for p in store.rglob("*") if p.is_file()} == before
    (data.root / "hemorrhage_diagnosis.csv").write_text("\n".join([HEADER, "49,1,1,0,0,0,0,0,0"]) + "\n")
    with pytest.raises(DataError, match="labels: was"):
        import_collection(data, store, workers=1)


def test_the_real_collection_is_the_same_in_the_store(data_dir: Path, tmp_path: Path) -> None:
    root = tmp_path / "two"
    (root / "Patients_CT").mkdir(parents=True)
    real = data_dir / "ct-ich-1.0.0"
    for name in ("hemorrhage_diagnosis.csv", "hemorrhage_boxes.csv"):
        (root / name).symlink_to(real / name)
    (root / "Patients_CT" / "049").symlink_to(real / "Patients_CT" / "049")
    store = open_store(import_collection(CtIchPictures(root), tmp_path / "store", workers=1))
    expected = next(iter(read_ctich(real)))
    got = store.scan(store.series()[0])
    np.testing.assert_array_equal(got.hu, expected.hu)
    np.testing.assert_array_equal(got.labels, expected.labels)
    assert got.boxes == expected.boxes
    assert store.manifest["problems"]["missing_patient"] >= 60
