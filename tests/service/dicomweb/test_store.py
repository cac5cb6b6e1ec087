"""STOW-RS: what is taken, what is refused, and what the sender is told."""

import dataclasses
import io
import json

import pydicom
import pytest
from sqlalchemy import select
from tests.dicom_builders import CT, PATIENT_ID, STUDY, deflated, head_series, implicit, slice_dataset, to_bytes
from tests.service.dicomweb.conftest import BOUNDARY, STOW, multipart

from ichscan.service.settings import StorageSettings
from ichscan.service.spool import entries
from ichscan.service.tables import Audit, Refusal, Study

STORED, FAILED, OTHER = "00081199", "00081198", "0008119A"


def reasons(answer, tag: str = FAILED) -> list[int]:
    return [one["00081197"]["Value"][0] for one in answer.json().get(tag, {}).get("Value", [])]


def post(box, body, path="/studies", **headers):
    return box.client.post(f"/dicom-web{path}", content=body, headers=STOW | headers)


def spooled(box) -> list[bytes]:
    return [one.path.read_bytes() for one in entries(box.settings.folder) if not one.marker]


def test_files_reach_the_spool_byte_for_byte_with_a_marker(box):
    files = [*head_series(3), implicit(7), deflated(8)]
    answer = post(box, multipart(files))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/dicom+json"
    assert spooled(box) == files
    [marker] = [one for one in entries(box.settings.folder) if one.marker]
    assert json.loads(marker.path.read_text()) == [STUDY]
    assert marker.source == "stow:both"
    told = answer.json()
    assert told["00081190"]["Value"] == [f"http://127.0.0.1/dicom-web/studies/{STUDY}"]
    assert told[STORED]["Value"][0] == {
        "00081150": {"vr": "UI", "Value": [CT]},
        "00081155": {"vr": "UI", "Value": [f"{STUDY}.1.1"]},
        "00081190": {
            "vr": "UR",
            "Value": [f"http://127.0.0.1/dicom-web/studies/{STUDY}/series/{STUDY}.1/instances/{STUDY}.1.1"],
        },
    }
    assert pydicom.Dataset.from_json(told).ReferencedSOPSequence[2].ReferencedSOPInstanceUID == f"{STUDY}.1.3"


def test_one_file_may_come_without_multipart(box):
    [file] = head_series(1)
    assert post(box, file, **{"Content-Type": "application/dicom"}).status_code == 200
    assert spooled(box) == [file]


def test_a_body_without_length_is_taken_as_it_comes(box):
    body = multipart(head_series(4))
    answer = post(box, (body[i : i + 777] for i in range(0, len(body), 777)))
    assert answer.status_code == 200
    assert spooled(box) == head_series(4)


def test_instances_of_another_study_are_refused(box):
    files = [to_bytes(slice_dataset(1, StudyInstanceUID="1.2.3")), *head_series(1)]
    answer = post(box, multipart(files), f"/studies/{STUDY}")
    assert answer.status_code == 202
    assert reasons(answer) == [0xC409]
    assert spooled(box) == files[1:]
    assert post(box, multipart(files[:1]), f"/studies/{STUDY}").status_code == 409
    with box.database.read() as session:
        rows = session.scalars(select(Refusal)).all()
        assert [row.source for row in rows] == ["stow:both"] * 2
        audits = session.scalars(select(Audit).where(Audit.action == "store")).all()
        assert [(row.actor, row.outcome) for row in audits] == [("token:both", "done"), ("token:both", "refused")]
        assert "1 stored, 1 refused" in audits[0].detail
        assert STUDY in audits[0].detail


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", False),
        (b"hello", False),
        (b"\0" * 128 + b"DICM", False),
        (b"\0" * 128 + b"DICM" + b"\xff" * 500, False),
        (to_bytes(slice_dataset(0, StudyInstanceUID=None)), True),
        (to_bytes(slice_dataset(0, SeriesInstanceUID="../../etc/passwd")), True),
        (to_bytes(slice_dataset(0, SOPInstanceUID="1.2\n3")), False),
        (head_series(1)[0][:300], False),
        (to_bytes(slice_dataset(0), preamble=False), False),
    ],
)
def test_parts_that_are_no_instances_are_refused_alone(box, data, named):
    good = head_series(2)
    answer = post(box, multipart([good[0], data, good[1]]))
    assert answer.status_code == 202
    assert reasons(answer, FAILED if named else OTHER) == [0xC000]
    assert spooled(box) == good
    assert PATIENT_ID not in answer.text
    with box.database.read() as session:
        [row] = session.scalars(select(Refusal)).all()
        assert "expected" in row.reason
        assert PATIENT_ID not in row.reason
    assert post(box, multipart([data])).status_code == 409


def test_parts_of_other_types_are_refused(box):
    body = b"--%s\r\nContent-Type: text/html\r\n\r\n<script>\r\n" % BOUNDARY.encode() + multipart(head_series(1))
    answer = post(box, body)
    assert answer.status_code == 202
    assert reasons(answer, OTHER) == [0xC000]
    coded = b"--%s\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--%s--\r\n" % ((BOUNDARY.encode(),) * 2)
    assert post(box, coded).status_code == 409


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("multipart/form-data; boundary=x", 415),
        ("application/json", 415),
        ("application/dicom+json", 415),
        ('multipart/related; type="application/dicom+json"; boundary=x', 415),
        ('multipart/related; type="application/dicom"', 400),
        ('multipart/related; boundary=""', 400),
        ("multipart/related; boundary=" + "x" * 201, 400),
        ("", 400),
        ("nonsense", 400),
        ("multipart/related; boundary=a, text/plain", 400),
        ("a/b;" + "c=d;" * 3000, 400),
    ],
)
def test_wrong_content_types(box, kind, status):
    answer = post(box, multipart(head_series(1)), **{"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert spooled(box) == []


def test_compressed_bodies_are_refused(box):
    assert post(box, multipart(head_series(1)), **{"Content-Encoding": "gzip"}).status_code == 415


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        b"x" * 100_000,
        multipart([]),
        multipart(head_series(1))[:-9],
        multipart(head_series(1))[:-40],
        multipart(head_series(1)).replace(b"Content-Type: ", b"Content-Type "),
        multipart(head_series(1)).replace(b"\r\nContent", b"garbage\r\nContent"),
        multipart(head_series(1)).replace(b"Content-Type:", b"X-Y: " + b"z" * 10_000 + b"\r\nContent-Type:"),
        multipart(head_series(1)).replace(b"Content-Type:", b"A: 1\r\na: 2\r\nContent-Type:"),
    ],
)
def test_malformed_bodies_are_refused_and_leave_nothing_half(box, body):
    answer = post(box, body)
    assert answer.status_code == 400, answer.text
    assert "expected" in answer.json()["detail"]
    assert spooled(box) == []
    assert not list((box.settings.folder / "spool").glob("*.part"))


def test_what_came_before_a_fault_stays(box):
    body = multipart(head_series(3))[:-100]
    assert post(box, body).status_code == 400
    assert spooled(box) == head_series(2)
    assert [one.marker for one in entries(box.settings.folder)][-1]
    with box.database.read() as session:
        [row] = session.scalars(select(Audit).where(Audit.action == "store")).all()
        assert "2 stored, 0 refused; ended early" in row.detail


def test_bodies_beyond_the_limit_are_refused(make_box):
    box = make_box(upload_mb=1)
    body = multipart([head_series(1)[0] + b"\0" * (1 << 20)])
    assert post(box, body).status_code == 413
    assert post(box, iter([body])).status_code == 413
    assert spooled(box) == []


def test_a_full_disk_is_507_and_the_sender_keeps_its_images(make_box, monkeypatch):
    box = make_box()
    full = dataclasses.replace(box.settings, storage=StorageSettings(free_gb=1e9))
    from ichscan.service.spool import Spool

    service = box.client.app.state.service
    box.client.app.state.service = dataclasses.replace(service, spool=Spool(full))
    answer = post(box, multipart(head_series(2)))
    assert answer.status_code == 507
    assert reasons(answer) == [0xA700, 0xA700]
    assert answer.headers["retry-after"] == "60"
    assert str(box.settings.folder) not in answer.text
    assert spooled(box) == []


@pytest.mark.parametrize("uid", ["..", "1.2.3%2f..", "1..2", ".1", "1.", "a", "1" * 65, "%00", "１", "1.2 "])
def test_uids_of_a_path_are_checked(box, uid):
    assert post(box, multipart(head_series(1)), f"/studies/{uid}").status_code in (400, 404, 405)
    assert box.get(f"/studies/{uid}/metadata").status_code in (400, 404, 405)
    assert spooled(box) == []


def test_who_may_store(box):
    body = multipart(head_series(1))
    for token, status in ((box.tokens["read"], 403), ("ichscan_forged", 401), (box.tokens["store"], 200)):
        assert post(box, body, Authorization=f"Bearer {token}").status_code == status
    assert post(box, body, Authorization="").status_code == 401
    for token, status in ((box.tokens["read"], 200), (box.tokens["store"], 403)):
        box.registrar.run_once()
        answer = box.client.get("/dicom-web/studies", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status


def test_a_demonstration_gives_no_files(make_box):
    box = make_box(demo=True)
    assert box.store(head_series(1)) == 200
    for path in ("/studies", f"/studies/{STUDY}", f"/studies/{STUDY}/metadata", f"/studies/{STUDY}/thumbnail"):
        assert box.get(path).status_code == 403, path


def test_the_study_is_registered_with_its_source(box):
    box.store(head_series(3))
    with box.database.read() as session:
        [study] = session.scalars(select(Study)).all()
        assert (study.images, study.source) == (3, "stow:both")


def test_deep_sequences_and_long_headers_cost_little(box):
    deep = b"\0" * 128 + b"DICM" + _meta() + b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + (
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff"
    ) * 20_000  # fmt: skip
    assert post(box, multipart([deep])).status_code == 409
    long = slice_dataset(0)
    long.add_new(0x00091001, "OB", b"\0" * (3 << 20))
    data = to_bytes(long)
    assert post(box, multipart([data])).status_code == 200
    assert spooled(box) == [data]
    endless = slice_dataset(0)
    endless.add_new(0x00091001, "OB", b"\0" * (17 << 20))
    body = multipart([to_bytes(endless)])
    assert post(box, (body[i : i + 65536] for i in range(0, len(body), 65536))).status_code == 409


def _meta() -> bytes:
    buffer = io.BytesIO(to_bytes(slice_dataset(0)))
    length = int.from_bytes(buffer.getvalue()[140:144], "little")
    return buffer.getvalue()[132 : 144 + length]


def test_a_deflated_bomb_is_not_inflated_at_the_door(box):
    import zlib

    meta = _meta().replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.1.99")
    meta = meta.replace(b"\x10\x00UI\x14\x00", b"\x10\x00UI\x16\x00")
    meta = meta[:8] + (len(meta) - 12).to_bytes(4, "little") + meta[12:]
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"\x08\x00\x08\x00OB\0\0" + (1 << 30).to_bytes(4, "little")
    packed = bomb.compress(data) + b"".join(bomb.compress(b"\0" * (1 << 20)) for _ in range(200)) + bomb.flush()
    assert post(box, multipart([b"\0" * 128 + b"DICM" + meta + packed])).status_code == 409
