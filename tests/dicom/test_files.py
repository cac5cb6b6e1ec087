"""Folders, archives, DICOMDIR, and everything that is not what its name says."""

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series


def _zip(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _named(files: list[bytes], pattern: str = "deep/er/{}") -> dict[str, bytes]:
    return {pattern.format(index): data for index, data in enumerate(files)}


def _write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def test_empty_folder(tmp_path: Path) -> None:
    intake = open_series([tmp_path])
    assert (intake.series, intake.files_seen, intake.problems) == ((), 0, ())


def test_missing_path(tmp_path: Path) -> None:
    assert "no such file or folder" in open_series([tmp_path / "nowhere"]).problems[0]


def test_folders_are_searched_and_other_files_counted(tmp_path: Path) -> None:
    files = _named(build.head_series(), "a/b/IM{}") | {"notes.txt": b"hello", "a/viewer.exe": b"MZ" + bytes(500)}
    files["a/b/._IM1.dcm"] = b"\0\5\x16\7" + bytes(100)
    intake = open_series([_write(tmp_path, files)])
    assert (intake.files_seen, intake.not_dicom, intake.problems) == (9, 3, ())
    assert [s.slices for s in intake.chosen] == [6]


def test_the_same_file_given_twice_is_read_once(tmp_path: Path) -> None:
    _write(tmp_path, _named(build.head_series(), "{}.dcm"))
    assert open_series([tmp_path, tmp_path / "0.dcm", tmp_path]).files_seen == 6


def test_non_ascii_names(tmp_path: Path) -> None:
    series = open_series([_write(tmp_path, _named(build.head_series(), "Schädel/層{}.dcm"))]).chosen[0]
    assert "層0.dcm" in load_volume(series).files[0]


def test_without_preamble_and_meta_header() -> None:
    bare = [build.to_bytes(build.slice_dataset(i), preamble=False) for i in range(4)]
    assert b"DICM" not in bare[0][:200]
    volume = load_volume(open_series(bare).chosen[0])
    assert (volume.hu[0] == build.head_hu(0)).all()


@pytest.mark.parametrize("data", [b"", b"just text\n" * 100, bytes(1000), b"\x9c\x03\xb1\x7e" + b"\xff" * 400])
def test_files_that_are_not_what_their_name_says(tmp_path: Path, data: bytes) -> None:
    _write(tmp_path, _named(build.head_series(), "{}.dcm") | {"broken.dcm": data})
    intake = open_series([tmp_path])
    assert [s.reason for s in intake.series] == [None]
    assert len(intake.problems) == 1
    assert "broken.dcm" in intake.problems[0]


@pytest.mark.parametrize("length", [140, 200, 400, 700])
def test_truncated_header_never_hides_the_others(tmp_path: Path, length: int) -> None:
    files = build.head_series()
    _write(tmp_path, _named(files, "{}.dcm") | {"cut.dcm": files[0][:length]})
    intake = open_series([tmp_path])
    assert [s.slices for s in intake.chosen] == [6]
    refused = [s for s in intake.series if s.reason is not None]
    assert intake.problems or (refused and "cut.dcm" in refused[0].files[0])


def test_unreadable_files_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path, _named(build.head_series(), "{}.dcm"))
    (tmp_path / "dangling.dcm").symlink_to(tmp_path / "gone")
    real_open = Path.open

    def refuse(self: Path, *args: object, **kwargs: object) -> object:
        if self.name == "2.dcm":
            raise PermissionError(13, "Permission denied")
        return real_open(self, *args, **kwargs)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    intake = open_series([tmp_path])
    assert [s.slices for s in intake.chosen] == [5]
    assert any("2.dcm: cannot be read (Permission denied)" in p for p in intake.problems)
    assert any("dangling.dcm" in p for p in intake.problems)


def test_zip_on_disk_and_nested(tmp_path: Path) -> None:
    inner = _zip(_named(build.head_series()))
    path = tmp_path / "scans.zip"
    path.write_bytes(_zip({"inside/inner.zip": inner, "readme.txt": b"hi"}))
    intake = open_series([path])
    volume = load_volume(intake.chosen[0])
    assert volume.hu.shape == (6, 64, 64)
    assert volume.files[0] == f"{path}!/inside/inner.zip!/deep/er/0"
    assert intake.not_dicom == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scans.zip"]


def test_a_zip_written_anew_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "scans.zip"
    path.write_bytes(_zip(_named(build.head_series(4))))
    assert open_series([path]).chosen[0].slices == 4
    path.write_bytes(_zip(_named(build.head_series(6), "{}")))
    assert load_volume(open_series([path]).chosen[0]).hu.shape[0] == 6


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    _write(tmp_path / "elsewhere", _named(build.head_series()))
    given = tmp_path / "given"
    given.mkdir()
    (given / "link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "elsewhere")
    assert open_series([given]).files_seen == 6


def test_zip_as_bytes() -> None:
    assert load_volume(open_series([_zip(_named(build.head_series()))]).chosen[0]).hu.shape[0] == 6


def test_zip_names_that_lead_out_are_skipped(tmp_path: Path) -> None:
    files = _named(build.head_series()) | {"../../evil": b"x", "/etc/evil": b"x", "C:\\evil": b"x"}
    intake = open_series([_zip(files)])
    assert [s.slices for s in intake.chosen] == [6]
    assert len([p for p in intake.problems if "leads out" in p]) == 3


def test_zip_bomb_is_refused_without_unpacking() -> None:
    bomb = _zip({"bomb.dcm": bytes(100 << 20)})
    assert len(bomb) < 1 << 20
    intake = open_series([bomb, *build.head_series()])
    assert [s.slices for s in intake.chosen] == [6]
    assert "zip bomb" in intake.problems[0]


def test_zip_of_one_bomb_and_good_files_keeps_the_good() -> None:
    noise = np.random.default_rng(0).bytes(1 << 20)
    intake = open_series([_zip(_named(build.head_series()) | {"noise": noise, "bomb.dcm": bytes(100 << 20)})])
    assert [s.slices for s in intake.chosen] == [6]
    assert "bomb.dcm" in intake.problems[0]


def test_nesting_has_an_end() -> None:
    data = _zip(_named(build.head_series()))
    for level in range(4):
        data = _zip({f"{level}.zip": data})
    intake = open_series([data])
    assert intake.series == ()
    assert "nested more than" in intake.problems[0]


def test_encrypted_members_are_reported() -> None:
    data = bytearray(_zip(_named(build.head_series())))
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(signature)
        while at >= 0:
            data[at + flags] |= 1
            at = data.find(signature, at + 1)
    assert "6 of 6 members are encrypted" in open_series([bytes(data)]).problems[0]


@pytest.mark.parametrize("cut", [30, 500, -30])
def test_broken_archives(cut: int) -> None:
    intake = open_series([_zip(_named(build.head_series()))[:cut], *build.head_series()])
    assert "broken zip" in intake.problems[0]
    assert len(intake.chosen) == 1


def test_a_corrupt_member_leaves_the_rest() -> None:
    data = bytearray(_zip(_named(build.head_series()), zipfile.ZIP_STORED))
    at = data.find(build.head_series()[2][-5000:])
    data[at] ^= 0xFF
    volume = load_volume(open_series([bytes(data)]).chosen[0])
    assert volume.hu.shape[0] == 5
    assert any("deep/er/2" in warning for warning in volume.warnings)


def _dicomdir(names: list[list[str]]) -> bytes:
    records = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lower case and `..` are what the tests are about
        for parts in names:
            record = Dataset()
            record.DirectoryRecordType, record.ReferencedFileID = "IMAGE", parts
            records.append(record)
    ds = build.slice_dataset(0)
    index = Dataset()
    index.file_meta = ds.file_meta
    index.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    index.SOPClassUID = "1.2.840.10008.1.3.10"
    index.DirectoryRecordSequence = Sequence(records)
    return build.to_bytes(index)


def test_dicomdir_with_missing_files(tmp_path: Path) -> None:
    listed = [["S1", f"I{i}"] for i in range(8)] + [["..", "secret"]]
    _write(tmp_path, _named(build.head_series(), "s1/i{};1") | {"DICOMDIR": _dicomdir(listed)})
    intake = open_series([tmp_path / "DICOMDIR"])
    assert [s.slices for s in intake.chosen] == [6]
    assert "lists 9 files, of which 3 are missing" in intake.problems[0]


def test_dicomdir_that_lists_nothing_leads_to_the_files_beside_it(tmp_path: Path) -> None:
    _write(tmp_path, _named(build.head_series()) | {"DICOMDIR": _dicomdir([])})
    assert [s.slices for s in open_series([tmp_path / "DICOMDIR"]).chosen] == [6]


def test_a_folder_with_an_incomplete_dicomdir_says_so(tmp_path: Path) -> None:
    listed = [["deep", "er", str(i)] for i in range(7)]
    _write(tmp_path, _named(build.head_series()) | {"DICOMDIR": _dicomdir(listed)})
    intake = open_series([tmp_path])
    assert [s.slices for s in intake.chosen] == [6]
    assert "1 are missing" in intake.problems[0]


def test_progress_counts_files() -> None:
    seen: list[int] = []
    open_series(build.head_series(), progress=seen.append)
    assert seen == [1, 2, 3, 4, 5, 6]
