from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from tests.dicom_builders import PATIENT_ID, PATIENT_NAME, STUDY, enhanced, slice_dataset, to_bytes

from ichscan.datasets.engine import import_collection
from ichscan.datasets.own import Own
from ichscan.datasets.own_labels import read_own_labels
from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import DataError


def folder(root: Path, count: int = 4) -> Path:
    for i in range(count):
        path = root / "ward" / f"{i}.dcm"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_bytes(slice_dataset(i)))
    return root


def imported(tmp_path: Path, csv: str) -> SliceStore:
    labels = tmp_path / "labels.csv"
    labels.write_text(csv)
    return open_store(import_collection(Own(folder(tmp_path / "a"), labels), tmp_path / "s", workers=1))


@pytest.mark.parametrize("names", [[f"ward/{i}.dcm" for i in range(4)], [f"{i}.dcm" for i in range(4)]])
def test_labels_by_file(tmp_path: Path, names: list[str]) -> None:
    store = imported(tmp_path, "file,subdural,any\n" + "\n".join(f"{n},{i % 2},{i % 2}" for i, n in enumerate(names)))
    assert store.labels[:, 4:].tolist() == [[0, 0], [1, 1], [0, 0], [1, 1]]
    assert store.labels[:, 0].tolist() == [0, 255, 0, 255]
    assert store.manifest["problems"] == {}


def test_labels_by_sop_uid_with_patient_and_part(tmp_path: Path) -> None:
    rows = [f"{STUDY}.1.{i + 1},p{i // 2},{'test' if i > 1 else 'train'},1" for i in range(3)]
    store = imported(tmp_path, "SOP_Instance_UID,patient,part,any\n" + "\n".join([*rows, "1.2.3,p9,,0"]))
    table = store.table.to_pylist()
    assert [(r["patient_id"], r["part"], r["any"]) for r in table if r["patient_id"].startswith("p")] == [
        ("p0", "train", 1), ("p0", "train", 1), ("p1", "test", 1),
    ]  # fmt: skip
    assert store.manifest["problems"] == {"orphan_label": 1, "unlabelled_image": 1}


def test_labels_by_series_are_labels_of_the_scan(tmp_path: Path) -> None:
    store = imported(tmp_path, f"series_instance_uid,any,epidural\n{STUDY}.1,1,1\n")
    assert store.scan_labels.tolist() == [[1, 255, 255, 255, 255, 1]]
    assert store.scans["label_source"].to_pylist() == ["reads"]
    assert (store.labels == 255).all()


def test_identity_is_nowhere_in_the_store(tmp_path: Path) -> None:
    store = imported(tmp_path, "file,any\n0.dcm,1\n")
    for file in store.path.rglob("*"):
        if file.is_file():
            data = file.read_bytes()
            assert PATIENT_ID.encode() not in data
            assert PATIENT_NAME.encode() not in data
    assert PATIENT_ID not in str(store.table.to_pylist())


def test_a_name_of_several_images_labels_none(tmp_path: Path) -> None:
    root = folder(tmp_path / "a")
    (root / "other").mkdir()
    (root / "other" / "0.dcm").write_bytes(to_bytes(slice_dataset(9)))
    (root / "frames.dcm").write_bytes(enhanced(3))
    (root / "scan.nii").write_bytes(b"x" * 400)
    labels = tmp_path / "labels.csv"
    labels.write_text("file,any\n0.dcm,1\nward/1.dcm,1\nframes.dcm,1\n")
    store = open_store(import_collection(Own(root, labels), tmp_path / "s", workers=1))
    assert store.labels[:, 5].tolist().count(1) == 1
    problems = store.manifest["problems"]
    assert (problems["ambiguous_label"], problems["refused"]) == (2, 1)
    assert sum(name.endswith("#2") for name in store.table["slice_id"].to_pylist()) == 1


def test_rows_that_say_no_or_two_things(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text(
        "file,epidural,intraparenchymal,intraventricular,subarachnoid,subdural,any\n"
        "a,0,0,0,0,0,\nb,0,0,0,0,1,0\nc,0,0,0,0,0,1\nd,0.7,0,0,0,0,0\ne,,,,,,\nf,1,0,0,0,0,1\nf,0,1,0,0,0,1\na,0,0,0,0,0,0\n,1,,,,,\n"
    )
    own = read_own_labels(path)
    unknown = (255,) * 6
    assert own.labels == {"a": (0,) * 6, "b": unknown, "c": unknown, "d": (0,) * 6, "e": unknown, "f": unknown}
    assert sorted(p.kind for p in own.problems) == ["bad_label"] * 2 + ["contradicting_label"] * 3 + ["duplicate_label"]


def test_a_second_patient_or_part_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,any,patient,part\na,1,p1,train\na,1,p2,test\nb,0,p1,\nb,0,,train\n")
    own = read_own_labels(path)
    assert (own.patients, own.parts) == ({"a": "p1", "b": "p1"}, {"a": "train", "b": "train"})
    assert [p.detail for p in own.problems if p.kind == "contradicting_label"] == [
        "a is listed again with another patient: the first one counts",
        "a is listed again with another part: the first one counts",
    ]


@pytest.mark.parametrize(
    ("csv", "message"),
    [
        ("any\n1\n", "exactly one of the columns"),
        ("file,sop_instance_uid,any\na,b,1\n", "exactly one of the columns"),
        ("file,bleed\na,1\n", "expected label columns"),
        ("file,any\n", "at least one row"),
        ("", "exactly one"),
        ("file,any,Any \na,1,0\n", "each column once, found several named any"),
    ],
)
def test_a_csv_that_cannot_be_used_is_refused(tmp_path: Path, csv: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        imported(tmp_path, csv)


def test_a_folder_without_dicom_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "labels.csv").write_text("file,any\na,1\n")
    with pytest.raises(DataError, match="expected DICOM files, found none"):
        import_collection(Own(tmp_path / "a", tmp_path / "labels.csv"), tmp_path / "s", workers=1)
    with pytest.raises(DataError, match="no such file"):
        import_collection(Own(tmp_path / "b", tmp_path / "labels.csv"), tmp_path / "s", workers=1)
