"""Export, `ichscan data import feedback`, and what the store then holds."""

import csv
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest

pytest.importorskip("pyarrow", reason="the extra data is not installed")

from tests import dicom_builders as build
from tests.service.feedback.ward import MODEL, NOW, Ward, box, mark

from ichscan.cli.main import main
from ichscan.datasets.engine import import_collection
from ichscan.datasets.feedback import FeedbackExport
from ichscan.datasets.own import Own
from ichscan.datasets.sources import KINDS
from ichscan.datasets.store import SliceStore, open_store
from ichscan.datasets.verify import verify
from ichscan.errors import DataError
from ichscan.labels import LABELS
from ichscan.service.feedback.export import plan, stream
from ichscan.service.tables import Instance, Result, Study

BLEED = {"any": "present", "subdural": "present"}


def exported(ward: Ward, path: Path, *, with_reasons: bool = False) -> Path:
    with ward.database.read() as session:
        export = plan(session, ward.settings.folder, with_reasons=with_reasons)
    with path.open("wb") as file:
        for part in stream(export):
            file.write(part)
    return path


def imported(ward: Ward, tmp_path: Path) -> SliceStore:
    archive = exported(ward, tmp_path / "feedback.zip")
    return open_store(import_collection(FeedbackExport(archive), tmp_path / "store", workers=1))


def table(path: Path, name: str) -> list[dict[str, str]]:
    with zipfile.ZipFile(path) as archive:
        return list(csv.DictReader(io.StringIO(archive.read(name).decode())))


def problems(store: SliceStore) -> set[tuple[str, str]]:
    with (store.path / "problems.csv").open(newline="") as file:
        return {(row["kind"], row["where"]) for row in csv.DictReader(file)}


def known(labels: Any) -> dict[str, int]:
    return {label: int(value) for label, value in zip(LABELS, labels, strict=True) if value != 255}


def test_labels_marks_and_boxes_come_back(ward: Ward, tmp_path: Path) -> None:
    bleed = ward.study(BLEED, images=True)
    ward.say(
        bleed, verdicts={"subdural": "agree", "epidural": "agree"}, boxes=[box("1.2.1.1.2", "subdural")],
        slices=[mark("1.2.1.1.1", "any", False), mark("1.2.1.1.3", "intraventricular")],
    )  # fmt: skip
    clean = ward.study(BLEED, images=True)
    ward.say(clean, verdicts={"any": "disagree"})
    store = imported(ward, tmp_path)
    assert {row["study_uid"]: known(store.scan_labels[i]) for i, row in enumerate(store.scans.to_pylist())} == {
        "1.2.1": {"epidural": 0, "intraventricular": 1, "subdural": 1, "any": 1},
        "1.2.2": dict.fromkeys(LABELS, 0),
    }
    slices = {row["instance_uid"]: known(store.labels[i]) for i, row in enumerate(store.table.to_pylist())}
    assert slices["1.2.1.1.1"] == dict.fromkeys(LABELS, 0)
    assert slices["1.2.1.1.2"] == {"epidural": 0, "subdural": 1, "any": 1}
    assert slices["1.2.1.1.3"] == {"epidural": 0, "intraventricular": 1, "any": 1}
    assert slices["1.2.1.1.4"] == {"epidural": 0}
    assert all(slices[f"1.2.2.1.{i}"] == dict.fromkeys(LABELS, 0) for i in range(1, 5))
    assert [{k: v for k, v in row.items() if k != "slice_id"} for row in store.boxes.to_pylist()] == [
        {"kind": "subdural", "x0": 20.0, "y0": 10.0, "x1": 26.0, "y1": 18.0}
    ]
    assert store.scans["label_source"].to_pylist() == ["reads", "reads"]
    assert set(store.table["part"].to_pylist()) == {"train"}
    assert (store.manifest["source"]["models"], store.manifest["source"]["readers"]) == (MODEL, "1")
    assert not verify(store.path).faults


def test_pixels_are_those_that_were_received_and_nobody_is_named(ward: Ward, tmp_path: Path) -> None:
    ward.say(ward.study(BLEED, images=True, patient_name=build.PATIENT_NAME), "dr.house", verdicts={"any": "agree"})
    store = imported(ward, tmp_path)
    series = store.series()[0]
    assert all((store.scan(series).hu[i] == build.head_hu(i)).all() for i in range(4))
    with zipfile.ZipFile(tmp_path / "feedback.zip") as archive:
        everything = b"".join(name.encode() + archive.read(name) for name in archive.namelist())
        image = pydicom.dcmread(io.BytesIO(archive.read("images/000001/00001.dcm")))
    for secret in (build.PATIENT_ID, build.PATIENT_NAME, "Jane", "house", "Head 5mm"):
        assert secret.encode() not in everything
    assert "PatientID" not in image
    assert image.PatientIdentityRemoved == "YES"
    labels = tmp_path / "own.csv"
    labels.write_text("series_instance_uid,any\n1.2.1.1,1\n")
    own = open_store(import_collection(Own(ward.settings.folder / "images", labels), tmp_path / "own", workers=1))
    assert set(own.table["patient_id"].to_pylist()) == set(store.table["patient_id"].to_pylist())


def test_disagreement_is_unlabelled_and_reported(ward: Ward, tmp_path: Path) -> None:
    study = ward.study(BLEED, images=True)
    ward.say(study, "ann", verdicts={"subdural": "agree", "epidural": "agree"})
    ward.say(study, "bob", verdicts={"subdural": "disagree", "any": "agree", "epidural": "agree"})
    store = imported(ward, tmp_path)
    assert known(store.scan_labels[0]) == {"epidural": 0, "any": 1}
    assert store.scans["agreement"].to_pylist() == [pytest.approx(2 / 3, abs=1e-4)]
    assert problems(store) == {("reader_disagreement", "1.2.1")}
    rows = table(tmp_path / "feedback.zip", "disagreements.csv")
    assert [(row["label"], row["reader"], row["value"]) for row in rows] == [
        ("subdural", "reader-1", "1"), ("subdural", "reader-2", "0"),
    ]  # fmt: skip


def test_every_label_says_where_it_comes_from(ward: Ward, tmp_path: Path) -> None:
    study = ward.study({"any": "uncertain"}, images=True)
    ward.say(study, verdicts={"any": "absent"})
    ward.say(study, verdicts={"any": "present", "subdural": "unsure"}, slices=[mark("1.2.1.1.1", "any")], reason="=1+1")
    archive = exported(ward, tmp_path / "a.zip")
    told = table(archive, "verdicts.csv")
    base = {"study_instance_uid": "1.2.1", "reader": "reader-1", "time": "2027-01-15T08:00:00Z", "model_sha256": MODEL}
    assert all(base.items() <= row.items() for row in told)
    assert [(row["sop_instance_uid"], row["label"], row["state"], row["verdict"], row["value"]) for row in told] == [
        ("", "any", "uncertain", "present", "1"),
        ("", "subdural", "absent", "unsure", ""),
        ("1.2.1.1.1", "any", "", "present", "1"),
    ]
    names = zipfile.ZipFile(archive).namelist()
    assert "reasons.json" not in names
    assert names[-1] == "manifest.json"
    with zipfile.ZipFile(exported(ward, tmp_path / "b.zip", with_reasons=True)) as whole:
        assert [one["reason"] for one in json.loads(whole.read("reasons.json"))] == ["=1+1"]
    assert exported(ward, tmp_path / "c.zip").read_bytes() == archive.read_bytes()


def test_another_model_does_not_turn_a_verdict_round(ward: Ward, tmp_path: Path) -> None:
    study = ward.study(BLEED, images=True)
    ward.say(study, verdicts={"any": "disagree"})
    with ward.database.write() as session:
        row = session.get_one(Result, ward.result_of(study))
        content = json.loads(json.dumps(row.content))
        content[0]["findings"]["labels"]["any"]["state"] = "absent"
        row.content, row.model_sha256 = content, "b" * 64
    assert known(imported(ward, tmp_path).scan_labels[0]) == dict.fromkeys(LABELS, 0)


def test_of_several_series_only_those_that_show_it_are_positive(ward: Ward, tmp_path: Path) -> None:
    study = ward.study({}, series=2, images=True)
    ward.say(study, verdicts={"any": "disagree", "epidural": "agree"}, slices=[mark("1.2.1.2.1", "subdural")])
    store = imported(ward, tmp_path)
    assert {row["series_uid"]: known(store.scan_labels[i]) for i, row in enumerate(store.scans.to_pylist())} == {
        "1.2.1.1": {"epidural": 0},
        "1.2.1.2": {"epidural": 0, "subdural": 1, "any": 1},
    }


def test_feedback_on_a_part_of_the_images_does_not_count(ward: Ward, tmp_path: Path) -> None:
    study = ward.study(BLEED, images=True)
    ward.say(study, verdicts={"any": "disagree"})
    with ward.database.write() as session:
        old = session.get_one(Result, ward.result_of(study))
        old.current = False
        content = json.loads(json.dumps(old.content))
        content[0]["slices"].append({"sop_instance_uid": "1.2.1.1.9"})
        session.add(
            Result(study_id=study, generation=2, model_sha256=MODEL, created=1, seconds=1, content=content, folder="")
        )
    archive = exported(ward, tmp_path / "a.zip")
    assert [row["kind"] for row in table(archive, "problems.csv")] == ["outdated_feedback", "undecided"]
    assert [row["counted"] for row in table(archive, "verdicts.csv")] == ["0"]
    with pytest.raises(DataError, match="expected DICOM files, found none"):
        import_collection(FeedbackExport(archive), tmp_path / "s", workers=1)


def test_feedback_on_images_that_were_sent_again_does_not_count(ward: Ward, tmp_path: Path) -> None:
    ward.say(ward.study(BLEED, images=True), verdicts={"any": "agree"})
    with ward.database.write() as session:
        session.query(Instance).filter_by(sop_instance_uid="1.2.1.1.2").one().received = NOW + 60
    assert [row["kind"] for row in table(exported(ward, tmp_path / "a.zip"), "problems.csv")] == [
        "outdated_feedback", "undecided",
    ]  # fmt: skip


def test_images_that_cannot_be_given_are_told(ward: Ward, tmp_path: Path) -> None:
    study = ward.study(BLEED, images=True)
    ward.say(study, verdicts={"any": "agree"})
    images = ward.settings.folder / "images"
    (images / "1.2.1.1.1.dcm").unlink()
    (images / "1.2.1.1.2.dcm").write_bytes(b"no image")
    burnt = {"SOPInstanceUID": "1.2.1.1.3", "BurnedInAnnotation": "YES", "SeriesInstanceUID": "1.2.1.1"}
    (images / "1.2.1.1.3.dcm").write_bytes(build.to_bytes(build.slice_dataset(2, **burnt)))
    gone = ward.study(BLEED)
    ward.say(gone, verdicts={"any": "agree"})
    with ward.database.write() as session:
        session.get_one(Study, gone).images_deleted = 1.0
    store = imported(ward, tmp_path)
    assert store.table["instance_uid"].to_pylist() == ["1.2.1.1.4"]
    assert problems(store) == {
        ("image_left_out", "1.2.1.1.1"), ("image_left_out", "1.2.1.1.2"), ("image_left_out", "1.2.1.1.3"),
        ("images_deleted", "1.2.2"),
    }  # fmt: skip


@pytest.mark.parametrize("make", ["enhanced", "deflated", "implicit"])
def test_every_form_of_image_survives(ward: Ward, tmp_path: Path, make: str) -> None:
    data = build.enhanced(4) if make == "enhanced" else getattr(build, make)(0)
    ward.say(ward.study(BLEED, images=True, slices=1), verdicts={"any": "agree"})
    path = ward.settings.folder / "images" / "1.2.1.1.1.dcm"
    dataset = pydicom.dcmread(io.BytesIO(data))
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SOPInstanceUID = "1.2.1", "1.2.1.1", "1.2.1.1.1"
    dataset.save_as(path, enforce_file_format=True)
    store = imported(ward, tmp_path)
    count = 4 if make == "enhanced" else 1
    assert all((store.hu(i) == build.head_hu(i)).all() for i in range(count))
    assert store.table["position_mm"].to_pylist() == [5.0 * i for i in range(count)]
    assert {label: set(store.scans[label].to_pylist()) for label in ("any", "epidural")} == {
        "any": {1},
        "epidural": {None},
    }


def test_the_command_imports_splits_and_profiles(
    ward: Ward, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ward.say(ward.study(BLEED, images=True), verdicts={"any": "agree", "subdural": "agree"})
    archive = exported(ward, tmp_path / "feedback.zip")
    assert "feedback" in KINDS
    assert main(["data", "import", "feedback", str(archive), "--out", str(tmp_path / "s"), "--workers", "1"]) == 0
    assert main(["data", "import", "feedback", str(archive), "--out", str(tmp_path / "s"), "--workers", "1"]) == 0
    assert main(["data", "profile", str(tmp_path / "s"), "--out", str(tmp_path / "profile")]) == 0
    assert "4 slices, 1 series, 1 patients" in capsys.readouterr().out
    with zipfile.ZipFile(archive) as whole:
        whole.extractall(tmp_path / "unpacked")
    unpacked = import_collection(FeedbackExport(tmp_path / "unpacked"), tmp_path / "u", workers=1)
    assert open_store(unpacked).digest == open_store(tmp_path / "s").digest


def altered(archive: Path, out: Path, name: str, data: bytes | None) -> Path:
    with zipfile.ZipFile(archive) as old, zipfile.ZipFile(out, "w") as new:
        for info in old.infolist():
            if info.filename != name:
                new.writestr(info, old.read(info))
            elif data is not None:
                new.writestr(name, data)
    return out


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("manifest.json", None, "manifest.json cannot be read"),
        ("manifest.json", b"{", "expected JSON"),
        ("manifest.json", b'{"schema": "ichscan.feedback/2"}', "expected schema ichscan.feedback/1"),
        ("manifest.json", b"[]", "found list"),
        ("series.csv", None, "series.csv cannot be read"),
        ("series.csv", b"series_instance_uid\n1.2\n", "patient, epidural"),
        ("series.csv", b"\xff\xfe", "expected a CSV file in UTF-8"),
    ],
)
def test_what_is_no_export_is_refused(ward: Ward, tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    ward.say(ward.study(BLEED, images=True), verdicts={"any": "agree"})
    broken = altered(exported(ward, tmp_path / "a.zip"), tmp_path / "b.zip", name, data)
    with pytest.raises(DataError, match=message):
        import_collection(FeedbackExport(broken), tmp_path / "s", workers=1)


def test_an_archive_that_was_broken_off_is_refused(ward: Ward, tmp_path: Path) -> None:
    ward.say(ward.study(BLEED, images=True), verdicts={"any": "agree"})
    archive = exported(ward, tmp_path / "a.zip")
    archive.write_bytes(archive.read_bytes()[:-2000])
    with pytest.raises(DataError, match="cannot be read"):
        import_collection(FeedbackExport(archive), tmp_path / "s", workers=1)


def test_rows_that_say_no_or_two_things_are_unlabelled(ward: Ward, tmp_path: Path) -> None:
    ward.say(ward.study(BLEED, images=True), verdicts={"any": "agree"})
    archive = exported(ward, tmp_path / "a.zip")
    head = "sop_instance_uid," + ",".join(LABELS)
    rows = "1.2.1.1.1,,,,,,1\n1.2.1.1.1,,,,,,0\n1.2.1.1.2,,,,,x,1\n1.2.1.1.3,1,,,,,0\n9.9,,,,,,1\n"
    first = altered(archive, tmp_path / "b.zip", "slices.csv", f"{head}\n{rows}".encode())
    boxes = b"sop_instance_uid,label,x0,y0,x1,y1,reader\n1.2.1.1.1,any,5,5,1,1,r\n1.2.1.1.1,any,nan,0,1,1,r\n"
    second = altered(first, tmp_path / "c.zip", "boxes.csv", boxes)
    store = open_store(import_collection(FeedbackExport(second), tmp_path / "s", workers=1))
    assert store.labels[:, 5].tolist() == [255, 1, 255, 255]
    counts = store.manifest["problems"]
    assert counts == {"bad_label": 3, "contradicting_label": 2, "orphan_label": 1}
