import time

import numpy as np
import pytest
from sqlalchemy import select
from tests import dicom_builders as build
from tests.service.web.box import ACCESSION, NAME, SLICES, Box

from ichscan.service.tables import Audit, Event, Job, Study


def test_worklist(analysed: Box) -> None:
    answer = analysed.logged_in().get("/api/studies")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["total"] == 1
    assert told["counts"] == {
        "receiving": 0, "waiting": 0, "analysing": 0, "analysed": 1, "not_analysable": 0, "set_aside": 0,
    }  # fmt: skip
    (row,) = told["studies"]
    assert row["patient_name"] == NAME
    assert row["accession_number"] == ACCESSION
    assert row["images"] == SLICES
    assert row["states"].keys() == {
        "any", "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural",
    }  # fmt: skip
    assert row["result_id"] == 1
    assert row["waiting_s"] > 0
    assert told["late_min"] is None
    assert answer.headers["cache-control"] == "no-store"


def test_late_analyses_are_told(analysed: Box) -> None:
    with analysed.database.write() as session:
        study = session.scalars(select(Study)).one()
        begin = time.time() - 20 * 60
        session.add(Job(kind="analyse", study_id=study.id, generation=99, created=begin))
    assert analysed.logged_in().get("/api/studies").json()["late_min"] == pytest.approx(20, abs=1)


def test_images_that_nobody_registers_are_late(analysed: Box) -> None:
    analysed.spool.accept([b"x"], "dimse:CT1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ichscan.service.web.studies.now", lambda: time.time() + 20 * 60)
        assert analysed.logged_in().get("/api/studies").json()["late_min"] == pytest.approx(20, abs=1)


@pytest.mark.parametrize(
    ("query", "search", "count"),
    [
        ("", "doe", 1),
        ("", "jane%20doe", 1),
        ("", "ACC-99", 1),
        ("", "%25", 0),
        ("", "nobody", 0),
        ("status=analysed", "", 1),
        ("status=waiting", "", 0),
        ("unread=true", "", 1),
        ("unread=false", "", 0),
        ("offset=1", "", 0),
    ],
)
def test_filters(analysed: Box, query: str, search: str, count: int) -> None:
    answer = analysed.logged_in().get(f"/api/studies?{query}", headers={"X-Search": search} if search else {})
    assert len(answer.json()["studies"]) == count


def test_a_name_in_the_url_is_refused(analysed: Box) -> None:
    assert analysed.logged_in().get("/api/studies?text=doe").status_code == 400


@pytest.mark.parametrize("query", ["limit=0", "limit=100000", "offset=-1", "status=nonsense", "offset=99999999999"])
def test_wrong_filters(box: Box, query: str) -> None:
    answer = box.logged_in().get(f"/api/studies?{query}")
    assert answer.status_code == 422
    assert isinstance(answer.json()["detail"], str)


def test_detail(analysed: Box) -> None:
    told = analysed.logged_in().get("/api/studies/1").json()
    assert told["study_instance_uid"] == build.STUDY
    assert [one["status"] for one in told["result"]] == ["analysed"]
    kinds = {one["kind"] for one in told["files"]}
    assert kinds == {"report", "text", "fhir", "result", "picture", "dicom"}
    assert any(one["made_here"] for one in told["series"])
    assert all(one["size"] > 0 for one in told["files"])


@pytest.mark.parametrize("path", ["", "/images", "/report", "/files/a.json", "/images/0/0", "/images/0/heat/any/0"])
def test_an_unknown_study(box: Box, path: str) -> None:
    assert box.logged_in().get(f"/api/studies/7{path}").status_code == 404


def test_every_file_can_be_downloaded(analysed: Box) -> None:
    client = analysed.logged_in()
    for one in client.get("/api/studies/1").json()["files"]:
        answer = client.get(f"/api/studies/1/files/{one['name']}")
        assert answer.status_code == 200
        assert answer.headers["content-disposition"] == f'attachment; filename="{one["name"]}"'
        assert answer.headers["x-content-type-options"] == "nosniff"
        if one["kind"] == "dicom":
            assert answer.content[:2] == b"PK"
        else:
            assert len(answer.content) == one["size"]
    downloads = [row for row in analysed.rows(Audit) if row.action == "download"]
    assert downloads
    assert all(row.actor == "user:the-reader" and row.study_id == 1 for row in downloads)


@pytest.mark.parametrize(
    "name",
    ["..%2F..%2Fichscan.sqlite3", "imagery.json", "%2e%2e", "heat-0.zip", ".hidden", "a%00b", "C:x", "x" * 500],
)
def test_only_what_is_offered_can_be_downloaded(analysed: Box, name: str) -> None:
    answer = analysed.logged_in().get(f"/api/studies/1/files/{name}")
    assert answer.status_code in (404, 422)
    assert "sqlite" not in answer.text


def test_a_link_is_not_followed(analysed: Box) -> None:
    (folder,) = [path.parent for path in analysed.settings.folder.glob("results/1/*/imagery.json")]
    (folder / "secret.txt").symlink_to(analysed.settings.folder / "ichscan.sqlite3")
    assert analysed.logged_in().get("/api/studies/1/files/secret.txt").status_code == 404


def test_report_runs_alone(analysed: Box) -> None:
    answer = analysed.logged_in().get("/api/studies/1/report")
    assert answer.status_code == 200
    assert answer.text.startswith("<!doctype html>")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox allow-scripts")
    assert "allow-same-origin" not in policy
    assert "default-src 'none'" in policy
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert analysed.logged_in().get("/api/studies/1/report?series=5").status_code == 404


def test_images(analysed: Box) -> None:
    client = analysed.logged_in()
    told = client.get("/api/studies/1/images").json()
    (series,) = told["series"]
    assert (series["rows"], series["cols"]) == (64, 64)
    assert len(series["slices"]) == SLICES
    assert series["findings"]["any"].keys() >= {"state", "side", "slices", "strongest", "probability", "threshold"}
    assert series["thresholds"].keys() == series["findings"].keys()
    answer = client.get(f"/api/studies/1/images/0/2?g={told['result_id']}", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["x-shape"] == "64,64"
    assert "immutable" in answer.headers["cache-control"]
    hu = np.frombuffer(answer.content, "<i2").reshape(64, 64)
    assert np.array_equal(hu, build.head_hu(2))
    again = client.get("/api/studies/1/images/0/2", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304
    plain = client.get("/api/studies/1/images/0/2", headers={"Accept-Encoding": "identity"})
    assert plain.content == answer.content
    assert "immutable" not in plain.headers["cache-control"]


def test_heat(analysed: Box) -> None:
    client = analysed.logged_in()
    (series,) = client.get("/api/studies/1/images").json()["series"]
    label, slices = next(iter(series["heat"].items()))
    answer = client.get(f"/api/studies/1/images/0/heat/{label}/{slices[0]}")
    rows, cols = map(int, answer.headers["x-shape"].split(","))
    assert len(answer.content) == rows * cols
    assert max(answer.content) > 0
    assert client.get(f"/api/studies/1/images/0/heat/nonsense/{slices[0]}").status_code == 422


@pytest.mark.parametrize("path", ["0/99", "9/0", "0/-1", "0/x", "0/heat/any/9999999999"])
def test_slices_that_are_not_there(analysed: Box, path: str) -> None:
    assert analysed.logged_in().get(f"/api/studies/1/images/{path}").status_code in (404, 422)


def test_looking_is_in_the_audit_trail_once_a_minute(analysed: Box) -> None:
    client = analysed.logged_in()
    client.get("/api/studies/1")
    for i in range(SLICES):
        client.get(f"/api/studies/1/images/0/{i}")
    client.get("/api/studies/1/images/0/0", headers={"X-Purpose": "prefetch"})
    told = [(row.actor, row.action, row.study_id, row.outcome) for row in analysed.rows(Audit)]
    assert told == [("user:the-reader", "view", 1, "done"), ("user:the-reader", "prefetch", 1, "done")]


def test_marking_read(analysed: Box) -> None:
    client = analysed.logged_in()
    told = client.post("/api/studies/1/read", json={"read": True}).json()
    assert told["read_by"] == "the-reader"
    assert told["read_at"] is not None
    assert client.get("/api/studies?unread=true").json()["total"] == 0
    assert client.post("/api/studies/1/read", json={"read": False}).json()["read_at"] is None
    assert [row.action for row in analysed.rows(Audit)][:2] == ["read", "worklist"]
    assert [row.text for row in analysed.rows(Event)][-2:] == ["read", "unread"]


def test_marking_read_what_has_another_result(analysed: Box) -> None:
    client = analysed.logged_in()
    for seen in (2, None):
        answer = client.post("/api/studies/1/read", json={"read": True, "result_id": seen})
        assert (answer.status_code, "load it again" in answer.json()["detail"]) == (409, True)
    assert client.get("/api/studies/1").json()["read_at"] is None
    assert client.post("/api/studies/1/read", json={"read": True, "result_id": 1}).status_code == 200


def test_analysing_again(analysed: Box) -> None:
    client = analysed.logged_in()
    assert client.post("/api/studies/1/analyse").status_code == 202
    assert client.post("/api/studies/1/analyse").status_code == 409
    jobs = [(row.kind, row.state, row.generation) for row in analysed.rows(Job) if row.kind == "analyse"]
    assert jobs[-1][1] == "queued"
    with analysed.database.write() as session:
        study = session.get_one(Study, 1)
        study.status, study.images_deleted = "analysed", 1.0
    assert client.post("/api/studies/1/analyse").status_code == 409
    assert client.post("/api/studies/2/analyse").status_code == 404


def test_retrying_a_delivery(analysed: Box) -> None:
    with analysed.database.write() as session:
        session.add(
            Job(kind="send", study_id=1, generation=1, target="PACS", state="set_aside", attempts=9, created=1.0)
        )
        session.add(Job(kind="store", study_id=1, generation=1, target="WEB", state="done", created=1.0))
        session.flush()
        ids = {job.target: job.id for job in session.query(Job)}
    client = analysed.logged_in()
    answer = client.post(f"/api/deliveries/{ids['PACS']}/retry")
    assert answer.status_code == 202
    assert answer.json()["state"] == "queued"
    assert answer.json()["attempts"] == 0
    assert client.post(f"/api/deliveries/{ids['WEB']}/retry").status_code == 409
    assert client.post(f"/api/deliveries/{ids['']}/retry").status_code == 404
