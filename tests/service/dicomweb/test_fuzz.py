"""Altered files and bodies: stored or refused, and given out again, without a failure and without a path of ours."""

import random

import pytest
from sqlalchemy import select
from tests.dicom_builders import deflated, enhanced, head_series, implicit
from tests.service.dicomweb.conftest import STOW, multipart, open_box
from tests.service.dicomweb.test_retrieve import OCTETS, STORED, jpeg_ls

from ichscan.service.tables import Instance, Series, Study

ROUNDS = 25
ASKED = (
    ("", None), ("", "application/dicom; transfer-syntax=*"), ("/metadata", None), ("/frames/1", OCTETS),
    ("/frames/2", f"{OCTETS}; transfer-syntax=*"), ("/rendered", None), ("/bulkdata/7FE00010", None),
)  # fmt: skip


def altered(data: bytes, source: random.Random) -> bytes:
    changed = bytearray(data)
    end = len(changed) if source.random() < 0.3 else min(len(changed), 2200)
    for _ in range(source.randint(1, 8)):
        at, how = source.randrange(128, max(end, 129)), source.random()
        if how < 0.6:
            changed[at : at + 1] = bytes([source.choice([0, 1, 255, source.randrange(256)])])
        elif how < 0.8:
            del changed[at : at + source.randint(1, 40)]
        else:
            changed[at:at] = source.randbytes(source.randint(1, 12))
        end = min(end, len(changed))
    return bytes(changed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_altered_files_and_bodies(tmp_path, seed):
    source = random.Random(seed)
    box = open_box(tmp_path / "data", requests_per_minute=10**7)
    bases = [head_series(1)[0], implicit(0), deflated(0), enhanced(3), jpeg_ls()]
    seen = set()
    for _ in range(ROUNDS):
        body = multipart([altered(source.choice(bases), source) for _ in range(3)])
        if source.random() < 0.2:
            body = altered(b"\0" * 128 + body, source)[128:]
        answer = box.client.post("/dicom-web/studies", content=body, headers=STOW)
        seen.add(answer.status_code)
        box.registrar.run_once()
        for path, accept in asked(box):
            told = box.get(path, accept)
            assert told.status_code in (200, 206, 204, 400, 404, 406), (path, told.text)
            assert str(tmp_path).encode() not in told.content
    assert seen >= {200, 202}
    assert not seen & {500, 503}
    assert not list((box.settings.folder / "spool").glob("*.part"))
    box.close()


def asked(box):
    with box.database.read() as session:
        statement = select(Study.study_instance_uid, Series.series_instance_uid, Instance.sop_instance_uid)
        statement = statement.join(Series, Series.study_id == Study.id).join(Instance, Instance.series_id == Series.id)
        [(study, series, instance)] = session.execute(statement.order_by(Instance.received.desc()).limit(1)).all()
    for path, accept in ASKED:
        yield f"/studies/{study}/series/{series}/instances/{instance}{path}", accept
    yield f"/studies/{study}", STORED
    yield f"/studies/{study}/instances", None
