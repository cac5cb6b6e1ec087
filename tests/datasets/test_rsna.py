import zipfile
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from tests.datasets.rsna_builder import LABELS, ROOT, as_folder, as_zip, collection, image, names
from tests.dicom_builders import head_hu

from ichscan.datasets.engine import import_collection
from ichscan.datasets.rsna import Rsna
from ichscan.datasets.store import SliceStore, open_store
from ichscan.datasets.verify import verify
from ichscan.dicom import load_volume, open_series
from ichscan.errors import DataError


def imported(source: Path, out: Path) -> SliceStore:
    return open_store(import_collection(Rsna(source), out, workers=1))


def problems(store: SliceStore) -> dict[str, int]:
    found: dict[str, int] = store.manifest["problems"]
    return found


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_and_folder_give_the_same_store(tmp_path: Path, method: int) -> None:
    files = collection()
    zipped = imported(as_zip(files, tmp_path / "a.zip", method), tmp_path / "zip")
    folder = imported(as_folder(files, tmp_path / "a"), tmp_path / "folder")
    assert zipped.digest == folder.digest
    assert len(zipped) == 17
    assert problems(zipped) == {}
    assert sorted(set(zipped.table["part"].to_pylist())) == ["test", "train"]
    for series, expected in zip(zipped.series(), range(4), strict=True):
        assert series.patient == f"ID_patient{expected}"
        for index, row in enumerate(series.rows):
            np.testing.assert_array_equal(zipped.hu(int(row)), head_hu(100 * expected + index))
    assert not verify(zipped.path).faults


def test_labels_join_by_file_name(tmp_path: Path) -> None:
    store = imported(as_folder(collection(), tmp_path / "a"), tmp_path / "s")
    table = store.table.to_pylist()
    train = [row for row in table if row["part"] == "train"]
    assert [row["slice_id"] for row in train if row["subdural"] == 1] == names(0, 5)[::4] + names(1, 5)[3:4] + names(
        2, 5
    )[2:3]
    assert all(row["any"] == row["subdural"] for row in train)
    assert all(row["any"] is None for row in table if row["part"] == "test")
    assert store.scan_labels[:, 5].tolist() == [1, 1, 1, 255]


def test_label_lines_that_repeat_disagree_or_lead_nowhere(tmp_path: Path) -> None:
    files = collection()
    lines = files["stage_2_train.csv"].decode().split()
    first, second, third, fourth, fifth = names(0, 5)
    lines = [line for line in lines if not line.startswith((f"{fifth}_", f"{names(1, 1)[0]}_epidural"))]
    lines += [line for line in lines if line.startswith(f"{first}_")]
    lines += [f"{second}_epidural,1", f"{third}_any,2", "ID_nowhere_any,0", "nonsense,1"]
    lines[lines.index(f"{fourth}_epidural,0")] = f"{fourth}_epidural,1"
    files["stage_2_train.csv"] = "\n".join(lines).encode()
    store = imported(as_folder(files, tmp_path / "a"), tmp_path / "s")
    assert problems(store) == {
        "bad_label": 2, "contradicting_label": 2, "duplicate_label": 3, "incomplete_label": 2, "orphan_label": 1,
        "unlabelled_image": 1,
    }  # fmt: skip
    rows = {row["slice_id"]: [row[label] for label in LABELS] for row in store.table.to_pylist()}
    assert rows[first] == [0, 0, 0, 0, 1, 1]
    for name in (second, third, fourth, fifth):
        assert rows[name] == [None] * 6
    assert rows[names(1, 1)[0]] == [None, 0, 0, 0, 0, 0]


def test_unreadable_images_survive_as_problems(tmp_path: Path) -> None:
    files = collection()
    broken = names(0, 5)
    # The one corrupt file of the challenge holds fewer pixels than its header says.
    files[f"stage_2_train/{broken[0]}.dcm"] = files[f"stage_2_train/{broken[0]}.dcm"][:-3000]
    files[f"stage_2_train/{broken[1]}.dcm"] = b""
    files[f"stage_2_train/{broken[2]}.dcm"] = b"no image at all" * 40
    files[f"stage_2_train/{broken[3]}.dcm"] = image(3, 0, Modality="MR")
    store = imported(as_folder(files, tmp_path / "a"), tmp_path / "s")
    assert len(store) == 13
    assert problems(store) == {"orphan_label": 4, "refused": 1, "unreadable": 3}
    text = (store.path / "problems.csv").read_text()
    assert "Pixel Data (7FE0,0010): expected 8,192 bytes" in text
    assert "patient" not in text


def test_a_damaged_member_is_one_problem(tmp_path: Path) -> None:
    path = as_zip(collection(), tmp_path / "a.zip", zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo(f"{ROOT}/stage_2_train/{names(0, 1)[0]}.dcm").header_offset + 4000
    data[at] ^= 0xFF
    path.write_bytes(bytes(data))
    store = imported(path, tmp_path / "s")
    assert len(store) == 16
    assert problems(store)["unreadable"] == 1
    assert "checksum" in (store.path / "problems.csv").read_text()


def test_test_images_are_checked_against_the_sample(tmp_path: Path) -> None:
    files = collection()
    lines = files["stage_2_sample_submission.csv"].decode().replace(names(3, 2)[1], "ID_absent")
    files["stage_2_sample_submission.csv"] = lines.encode()
    store = imported(as_folder(files, tmp_path / "a"), tmp_path / "s")
    assert problems(store) == {"extra_test_image": 1, "missing_test_image": 1}


def test_odd_geometry_is_kept_and_flagged(tmp_path: Path) -> None:
    files = collection(series=1, count=6)
    one = names(0, 6)
    files[f"stage_2_train/{one[1]}.dcm"] = image(1, 0, ImagePositionPatient=[-16, -16, 0.0])
    files[f"stage_2_train/{one[5]}.dcm"] = image(5, 0, ImageOrientationPatient=[1, 0, 0, 0, 0.95, 0.3])
    store = imported(as_folder(files, tmp_path / "a"), tmp_path / "s")
    assert problems(store) == {"duplicate_position": 1, "gap": 1, "mixed_series": 1}
    flags = {row["slice_id"]: row["flags"] for row in store.table.to_pylist()}
    assert flags[one[1]] == ["duplicate_position"]
    assert [s.series_uid for s in store.series()][:2] == ["ID_series0", "ID_series0/2"]
    assert [len(s.rows) for s in store.series()] == [5, 1, 2]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: {k: v for k, v in f.items() if not k.endswith(".dcm")}, "found no such image"),
        (lambda f: {k: v for k, v in f.items() if k != "stage_2_train.csv"}, r"expected stage_2_train\.csv"),
        (lambda f: {**f, "stage_2_train.csv": b"a,b\n1,2\n"}, "expected the columns ID, Label"),
        (lambda f: {**f, "stage_2_train.csv": b"ID,Label\n"}, "found none"),
        (lambda f: {**f, "stage_2_train.csv": b""}, "stage_2_train"),
    ],
)
def test_what_cannot_be_imported_is_said_before_the_work(tmp_path: Path, change: object, message: str) -> None:
    source = as_folder(change(collection()), tmp_path / "a")  # type: ignore[operator]
    with pytest.raises(DataError, match=message):
        imported(source, tmp_path / "s")


@pytest.mark.parametrize("cut", [0, 10, 1000, -30])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = as_zip(collection(), tmp_path / "a.zip")
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="zip"):
        imported(path, tmp_path / "s")


def test_the_real_sample(data_dir: Path, tmp_path: Path) -> None:
    root = data_dir / "rsna-2019-sample"
    files = {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
    store = imported(as_zip(files, tmp_path / "a.zip", zipfile.ZIP_STORED), tmp_path / "s")
    assert (len(store), problems(store)) == (85, {"duplicate_label": 1})
    (study,) = [s for s in store.series() if s.study_uid == "ID_1f6d1e8aeb"]
    paths = [root / store.table["source"][int(row)].as_py().removeprefix(f"{ROOT}/") for row in study.rows]
    volume = load_volume(open_series(paths).series[0])
    np.testing.assert_array_equal(np.stack(store.hu_many(study.rows)), volume.hu)
    np.testing.assert_allclose(study.positions_mm, volume.positions_mm)
