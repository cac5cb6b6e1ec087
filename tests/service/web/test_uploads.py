import io
import struct
import tempfile
import threading
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import CTImageStorage
from tests import dicom_builders as build
from tests.service.web.box import SLICES, Box, study_files, zipped

from ichscan.report.dicom.identity import valid_uid
from ichscan.service.capacity import Capacity
from ichscan.service.identify import identify
from ichscan.service.settings import Settings, StorageSettings
from ichscan.service.spool import entries
from ichscan.service.tables import Audit, Refusal, Study
from ichscan.service.web import intake, uploads


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """No registrar runs beside most of these tests."""
    monkeypatch.setattr(uploads, "REGISTERED_S", 0.0)


def send(box: Box, *files: tuple[str, bytes], client: Any = None) -> Any:
    client = client or box.logged_in()
    return client.post("/api/uploads", files=[("files", (name, data, "application/dicom")) for name, data in files])


def spooled(box: Box) -> int:
    return sum(not entry.marker for entry in entries(box.settings.folder))


def left_over(box: Box) -> list[str]:
    """What an upload should not leave: anything but the spool and the database."""
    known = ("spool", "ichscan.sqlite3")
    return [path.name for path in box.settings.folder.iterdir() if not path.name.startswith(known)]


def test_files(box: Box) -> None:
    answer = send(box, *((f"folder/{i}.dcm", data) for i, data in enumerate(study_files())))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"accepted": SLICES, "refused": [], "refused_count": 0, "studies": []}
    box.register()
    (study,) = box.rows(Study)
    assert (study.images, study.source) == (SLICES, "upload:the-reader")
    (row,) = box.rows(Audit)
    assert (row.action, row.detail) == ("upload", f"{SLICES} files accepted, 0 refused")


def test_studies_are_told_when_they_are_registered(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "REGISTERED_S", 10.0)
    stop = threading.Event()

    def register() -> None:
        while not stop.wait(0.05):
            box.register()

    registrar = threading.Thread(target=register)
    registrar.start()
    try:
        answer = send(box, *((f"{i}", data) for i, data in enumerate(study_files())))
    finally:
        stop.set()
        registrar.join()
    assert answer.json()["studies"] == [1]


def test_zip(box: Box) -> None:
    files = {f"DICOM/{i}": data for i, data in enumerate(study_files())}
    files |= {"DICOMDIR": b"x" * 200, "readme.txt": b"hello", "folder/": b""}
    answer = send(box, ("scan.zip", zipped(files, compression=zipfile.ZIP_DEFLATED)))
    told = answer.json()
    assert told["accepted"] == SLICES
    assert [one["name"] for one in told["refused"]] == ["scan.zip/DICOMDIR", "scan.zip/readme.txt"]
    reasons = {row.reason for row in box.rows(Refusal)}
    assert len(reasons) == 2
    assert not any("readme" in one or "scan.zip" in one for one in reasons)
    assert left_over(box) == []


@pytest.mark.parametrize(
    "name",
    ["../../../etc/passwd", "/etc/passwd", "..\\..\\x.dcm", "C:\\x", "a/../../b", "\x1b[31m", "‮gpj.exe", "x" * 3000],
)
def test_names_never_become_paths(box: Box, name: str) -> None:
    data = study_files()
    answer = send(box, ("scan.zip", zipped({name: data[0]})), (name.replace("\x1b", ""), data[1]))
    assert answer.json()["accepted"] == 2
    assert left_over(box) == []
    assert spooled(box) == 2


def test_hostile_names_are_told_as_plain_text(box: Box) -> None:
    told = send(box, ("<script>\u202e.dcm", b"no"), ("x" * 2000, b"no")).json()["refused"]
    assert told[0]["name"] == "<script>?.dcm"
    assert len(told[1]["name"]) <= 201


def test_what_is_no_dicom_is_refused(box: Box) -> None:
    broken = study_files()[0][:200]
    answer = send(box, ("empty", b""), ("text", b"hello" * 100), ("broken", broken), ("preamble", bytes(128) + b"DICM"))
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 0
    assert answer.json()["refused_count"] == 4
    assert spooled(box) == 0
    assert build.PATIENT_ID not in answer.text


def test_names_in_place_of_uids_become_uids(box: Box) -> None:
    names = {"StudyInstanceUID": "ID_study", "SeriesInstanceUID": "ID_series"}
    files = []
    for i, data in enumerate(study_files()):
        dataset = dcmread(io.BytesIO(data))
        for keyword, name in (names | {"SOPInstanceUID": f"ID_{i}"}).items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # pydicom's, of such UIDs
                setattr(dataset, keyword, name)
        del dataset.SOPClassUID
        out = io.BytesIO()
        dataset.save_as(out)
        files.append((f"{i}.dcm", out.getvalue()))
    answer = send(box, *files)
    assert answer.json()["accepted"] == SLICES, answer.text
    kept = [identify(entry.path) for entry in entries(box.settings.folder) if not entry.marker]
    assert {one.study_instance_uid for one in kept} == {valid_uid("ID_study")}
    assert {one.series_instance_uid for one in kept} == {valid_uid("ID_series")}
    assert {one.sop_instance_uid for one in kept} == {valid_uid(f"ID_{i}") for i in range(SLICES)}
    assert {one.sop_class_uid for one in kept} == {CTImageStorage}


def test_challenge_data_are_taken(box: Box, data_dir: Path) -> None:
    files = sorted((data_dir / "rsna-2019-sample").rglob("*.dcm"))[:3]
    answer = send(box, *((file.name, file.read_bytes()) for file in files))
    assert answer.json()["accepted"] == 3, answer.text


def bomb(size: int) -> bytes:
    return zipped({"a": bytes(size)}, compression=zipfile.ZIP_DEFLATED, compresslevel=9)


def lying(data: bytes, size: int) -> bytes:
    """The central directory and the local header say another size than what comes out."""
    at = data.index(b"PK\x01\x02")
    data = data[: at + 24] + struct.pack("<I", size) + data[at + 28 :]
    return data[:22] + struct.pack("<I", size) + data[26:]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("ratio", bomb(80 << 20)),
        ("a lie about the size", lying(bomb(1 << 20), 1 << 10)),
        ("cut", zipped({"a": study_files()[0]})[:-40]),
        ("nothing but an end", b"PK\x05\x06" + bytes(18)),
        ("noise", b"PK\x03\x04" + bytes(range(256)) * 50),
        ("a directory beyond the file", b"PK\x05\x06" + bytes(4) + struct.pack("<HHII", 9, 9, 1 << 31, 0) + bytes(2)),
        ("inside another", zipped({"inner.zip": zipped({"a": study_files()[0]})})),
    ],
)
def test_hostile_archives(box: Box, name: str, data: bytes) -> None:
    answer = send(box, (f"{name}.zip", data))
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 0
    assert spooled(box) == 0
    assert left_over(box) == []


def test_an_encrypted_member_is_refused(box: Box) -> None:
    data = bytearray(zipped({"a": study_files()[0], "b": study_files()[1]}))
    at = data.index(b"PK\x01\x02")
    data[at + 8] |= 1
    told = send(box, ("scan.zip", bytes(data))).json()
    assert told["accepted"] == 1
    assert "encrypted" in told["refused"][0]["reason"]


def test_an_archive_may_not_grow_beyond_a_multiple_of_the_limit(open_box: Any) -> None:
    box = open_box(upload_mb=1)
    files = {f"{i}": study_files()[0] + bytes(1 << 20) for i in range(6)}
    answer = send(box, ("scan.zip", zipped(files, compression=zipfile.ZIP_DEFLATED)))
    assert answer.json()["accepted"] == 3
    assert "at most 4 MiB" in answer.json()["refused"][0]["reason"]


def test_a_damaged_member_leaves_nothing(box: Box) -> None:
    files = study_files()
    data = bytearray(zipped({"a": files[0], "b": files[1]}))
    data[3000] ^= 0xFF  # within the pixels of the first member: only its checksum tells
    told = send(box, ("scan.zip", bytes(data))).json()
    assert (told["accepted"], told["refused_count"]) == (1, 1)
    assert spooled(box) == 1


def test_too_many_members() -> None:
    from ichscan.service.web import unzip

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a", b"")
    data = bytearray(buffer.getvalue())
    end = data.index(b"PK\x05\x06")
    directory = bytes(unzip.MOST_DIRECTORY + 100)
    data[end + 12 : end + 16] = struct.pack("<I", len(directory))
    with pytest.raises(unzip.ZipError):
        unzip.Unzipper(io.BytesIO(directory + bytes(data)), 1 << 30)


def test_a_body_that_is_too_large(open_box: Any) -> None:
    box = open_box(upload_mb=1)
    answer = send(box, ("a", bytes(2 << 20)))
    assert answer.status_code == 413

    def chunked() -> Any:
        yield b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
        for _ in range(40):
            yield bytes(1 << 16)

    client = box.logged_in()
    client.headers["Content-Type"] = "multipart/form-data; boundary=x"
    assert client.post("/api/uploads", content=chunked()).status_code == 413
    assert spooled(box) == 0


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data", b"", 400),
        ("multipart/form-data; boundary=", b"", 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nContent-Disposition: form-data\r\n\r\nno end", 400),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 5000 + b"\r\n--x--", 400),
        ("application/zip", b"PK", 415),
        ("", b"", 400),
        ("text", b"", 400),
    ],
)
def test_malformed_bodies(box: Box, content_type: str, body: bytes, status: int) -> None:
    answer = box.logged_in().post("/api/uploads", content=body, headers={"Content-Type": content_type})
    assert answer.status_code == status, answer.text


def test_what_came_before_the_end_is_kept(box: Box) -> None:
    head = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    body = head + study_files()[0] + b"\r\n" + head + study_files()[1][:1000]
    client = box.logged_in()
    answer = client.post("/api/uploads", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert answer.status_code == 400
    assert spooled(box) == 1
    assert any(entry.marker for entry in entries(box.settings.folder))


def test_full(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Settings(folder=box.settings.folder, storage=StorageSettings(free_gb=1e9))
    monkeypatch.setattr(box.spool, "_capacity", Capacity(full))
    answer = send(box, *((f"{i}", data) for i, data in enumerate(study_files())))
    assert answer.status_code == 507
    assert spooled(box) == 0


def test_other_fields_of_the_form_are_let_be(box: Box) -> None:
    answer = box.logged_in().post("/api/uploads", data={"note": "hello"}, files={"files": ("a", study_files()[0])})
    assert answer.json()["accepted"] == 1


def test_uploads_do_not_take_all_threads(box: Box) -> None:
    turns = box.app.state.uploading
    for _ in range(uploads.AT_ONCE):
        assert turns.acquire(blocking=False)
    answer = send(box, ("a", study_files()[0]))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    turns.release()
    assert send(box, ("a", study_files()[0])).status_code == 200
    assert send(box, ("a", b"")).status_code == 200  # the turn was given back


class Kept:
    """A spool that keeps nothing."""

    def accept(self, chunks: Any, source: str) -> None:
        for _ in chunks:
            pass

    def finished(self, study_uids: Any, source: str) -> None:
        pass


FILES = {f"{i}": data for i, data in enumerate(study_files(count=2))}
SEEDS = [zipped(FILES, compression=method) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]


@given(seed=st.sampled_from(SEEDS), flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), max_size=12))
@settings(max_examples=150, deadline=None)
def test_damaged_archives_are_told_not_raised(seed: bytes, flips: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for at, value in flips:
        # half of them where the archive's structure is
        place = at % len(data) if at % 2 else len(data) - 1 - at % min(400, len(data))
        data[place] = value
    plenty = Capacity(Settings(folder=Path(tempfile.gettempdir()), storage=StorageSettings(free_gb=0.0)))
    upload = intake.Upload(Kept(), plenty, Path(tempfile.gettempdir()), "upload:x", 1 << 20)  # type: ignore[arg-type]
    upload.take("a.zip", iter([bytes(data)]))
    upload.finish()
    assert upload.taken.accepted + upload.taken.refused_count >= (1 if data[:2] == b"PK" else 0)
