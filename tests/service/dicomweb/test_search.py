"""QIDO-RS: what is found, in which order, and what is not understood."""

import pytest
from tests.dicom_builders import STUDY, head_series, slice_dataset, to_bytes, twin_series
from tests.service.dicomweb.conftest import open_box

from ichscan.service.tables import Study

OTHER = "1.2.840.99.1"


@pytest.fixture(scope="module")
def full(tmp_path_factory):
    box = open_box(tmp_path_factory.mktemp("search") / "data")
    fill(box)
    yield box
    box.close()


def fill(box):
    other = slice_dataset(0, StudyInstanceUID=OTHER, SeriesInstanceUID=f"{OTHER}.1", SOPInstanceUID=f"{OTHER}.1.1")
    other.PatientName, other.PatientID, other.PatientBirthDate, other.PatientSex = "Poe^Edgar_A", "X%1", "18090119", "M"
    other.StudyDate, other.StudyTime, other.AccessionNumber, other.SeriesNumber = "20260131", "101530.5", "A1", 3
    other.StudyDescription, other.SpecificCharacterSet = "CT Schädel", "ISO_IR 100"
    assert box.store([*head_series(3), *twin_series(2, 2, Modality="SR"), to_bytes(other)]) == 200


SEARCHES = [
    ("", [OTHER, STUDY]),
    ("PatientName=poe*", [OTHER]),
    ("PatientName=Poe^Edgar_A", [OTHER]),
    ("00100010=POE^EDGAR_A", [OTHER]),
    ("PatientName=Poe", [OTHER]),
    ("PatientName=Po", []),
    ("PatientName=*ed*", [OTHER]),
    ("PatientName=?oe*", [STUDY, OTHER]),
    ("PatientName=Poe%5EEdgar?A", [OTHER]),
    ("PatientName=%25", []),
    ("PatientName=_oe*", []),
    ("PatientName=*", [OTHER, STUDY]),
    ("PatientID=X%251", [OTHER]),
    ("PatientID=x%251", []),
    ("PatientID=X*", [OTHER]),
    ("PatientID=%25*", []),
    ("PatientID=' OR 1=1 --", []),
    ("StudyDate=20260131", [OTHER]),
    ("StudyDate=20260101-20260201", [OTHER]),
    ("StudyDate=-20260130", []),
    ("StudyDate=20260131-", [OTHER]),
    ("StudyTime=10", [OTHER]),
    ("StudyTime=1015-1016", [OTHER]),
    ("StudyTime=101531-", []),
    ("ModalitiesInStudy=SR", [STUDY]),
    ("ModalitiesInStudy=CT", [OTHER, STUDY]),
    ("ModalitiesInStudy=MR,SR", [STUDY]),
    ("AccessionNumber=A1", [OTHER]),
    ("PatientBirthDate=18090119", [OTHER]),
    ("PatientSex=M", [OTHER]),
    ("StudyDescription=*Schädel*", [OTHER]),
    (f"StudyInstanceUID={STUDY},{OTHER}", [OTHER, STUDY]),
    (f"0020000d={STUDY}", [STUDY]),
    ("ReferringPhysicianName=House", []),
    ("StudyID=*", [OTHER, STUDY]),
    ("limit=1", [OTHER]),
    ("limit=1&offset=1", [STUDY]),
    ("limit=0", []),
    ("includefield=all&includefield=00081030&fuzzymatching=true&PatientName=poe*", [OTHER]),
    ("PatientName=poe*&ModalitiesInStudy=SR", []),
]


def values(answer, tag: str = "0020000D") -> list[str]:
    if answer.status_code == 204:
        assert answer.content == b""
        return []
    assert answer.status_code == 200, answer.text
    return [one[tag]["Value"][0] for one in answer.json()]


@pytest.mark.parametrize(("query", "found"), SEARCHES)
def test_studies_are_found(full, query, found):
    assert sorted(values(full.get(f"/studies?{query}"))) == sorted(found)
    if not query:
        assert values(full.get("/studies")) == found


@pytest.mark.parametrize(
    "query",
    [
        "Colour=red", "99999999=1", "00081140=1", "StudyDate=yesterday", "StudyDate=-", "StudyDate=2026", "limit=-1",
        "limit=x", "limit=99999999999", "offset=1e3", "fuzzymatching=maybe", "StudyInstanceUID=../..",
        "PatientName=a&PatientName=b", "PatientName=a&00100010=b", "PatientID=" + "x" * 300, "PatientID=%00",
        "PatientName=" + "*a" * 20, "SeriesInstanceUID=1.2", "StudyTime=1", "patientname=x",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused(full, query):
    """A condition that is left out would answer with other patients."""
    answer = full.get(f"/studies?{query}")
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"].startswith("query: expected") or answer.json()["detail"].startswith("query: ")


def test_attributes_of_a_study(full):
    [told] = full.get("/studies?PatientID=X*").json()
    assert told["00100010"] == {"vr": "PN", "Value": [{"Alphabetic": "Poe^Edgar_A"}]}
    assert told["00080020"] == {"vr": "DA", "Value": ["20260131"]}
    assert told["00080056"] == {"vr": "CS", "Value": ["ONLINE"]}
    assert told["00201206"] == {"vr": "IS", "Value": [1]}
    assert told["00080090"] == {"vr": "PN"}
    [told] = full.get(f"/studies?StudyInstanceUID={STUDY}").json()
    assert told["00080061"] == {"vr": "CS", "Value": ["CT", "SR"]}
    assert (told["00201206"]["Value"], told["00201208"]["Value"]) == ([2], [5])


def test_series_and_instances(full):
    assert values(full.get(f"/studies/{STUDY}/series"), "0020000E") == [f"{STUDY}.1", f"{STUDY}.2"]
    assert values(full.get(f"/studies/{STUDY}/series?Modality=SR"), "0020000E") == [f"{STUDY}.2"]
    assert values(full.get("/series?SeriesNumber=3&PatientName=poe*"), "0020000E") == [f"{OTHER}.1"]
    assert len(values(full.get(f"/studies/{STUDY}/instances"), "00080018")) == 5
    found = full.get(f"/studies/{STUDY}/series/{STUDY}.1/instances?InstanceNumber=2").json()
    assert [one["00080018"]["Value"][0] for one in found] == [f"{STUDY}.1.2"]
    assert found[0]["00083002"]["Value"] == ["1.2.840.10008.1.2.1"]
    assert values(full.get(f"/instances?SOPInstanceUID={OTHER}.1.1"), "00080018") == [f"{OTHER}.1.1"]
    assert full.get(f"/studies/{OTHER}/series/{STUDY}.1/instances").status_code == 204
    assert full.get("/studies/1.2.3/series").status_code == 204


def test_what_is_left_is_told(full):
    answer = full.get("/studies?limit=1&fuzzymatching=true")
    warnings = answer.headers.get_list("warning")
    assert any("There are 1 additional results" in one for one in warnings)
    assert any("fuzzymatching" in one for one in warnings)
    assert "warning" not in full.get("/studies?limit=1&offset=1").headers


def test_only_json_is_given(full):
    for accept in ("application/dicom+json", "application/json", "*/*", "application/*;q=0.5", "text/x, */*;q=0.1"):
        assert full.get("/studies", accept).status_code == 200, accept
    assert full.get("/studies", "application/json").headers["content-type"] == "application/json"
    for accept in ('multipart/related; type="application/dicom+xml"', "text/html", "application/json;q=0"):
        assert full.get("/studies", accept).status_code == 406, accept
    for accept in ("nonsense", "a/b;q=9", "a/b c/d", "a/b;" * 2000):
        assert full.get("/studies", accept).status_code == 400, accept


def test_hostile_names_stay_text(box):
    name = "<script>alert(1)</script>^\"'\\=\u202e"
    box.store([to_bytes(slice_dataset(0, PatientName=name, SpecificCharacterSet="ISO_IR 192"))])
    answer = box.get("/studies")
    assert answer.headers["content-type"] == "application/dicom+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json()[0]["00100010"]["Value"][0]["Alphabetic"].startswith("<script>")


def test_searches_stand_in_the_audit_trail(full):
    from sqlalchemy import select

    from ichscan.service.tables import Audit

    full.get("/studies?PatientName=poe*")
    full.get(f"/studies/{OTHER}", 'multipart/related; type="application/dicom"')
    with full.database.read() as session:
        rows = session.scalars(select(Audit).where(Audit.action != "store")).all()
        other = session.scalar(select(Study.id).where(Study.study_instance_uid == OTHER))
        assert [(row.actor, row.action, row.study_id) for row in rows] == [
            ("token:both", "dicomweb search", None),
            ("token:both", "dicomweb retrieve", other),
        ]
        assert not any("poe" in row.detail for row in rows)


def test_on_postgresql(tmp_path):
    """Wildcards, cases and ranges are the same there; so are characters that it does not have."""
    from tests.service.core.postgres import Postgres

    server = Postgres()
    try:
        server.start()
        box = open_box(tmp_path / "data", server.new_database())
        fill(box)
        for query, found in SEARCHES:
            assert sorted(values(box.get(f"/studies?{query}"))) == sorted(found), query
        assert box.get("/studies?PatientName=a%00b").status_code == 400
        assert len(values(box.get(f"/studies/{STUDY}/instances"), "00080018")) == 5
        assert box.get(f"/studies/{STUDY}").status_code == 200
        assert len(values(box.get("/series?limit=1"))) == 1
        box.close()
    finally:
        server.close()
