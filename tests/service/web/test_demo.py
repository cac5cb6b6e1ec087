import pytest
from tests import dicom_builders as build
from tests.service.web.box import ACCESSION, Box
from tests.service.web.conftest import Opener

SECRETS = ("Doe", "Jane", build.PATIENT_ID, ACCESSION, "19500102", "20260102", "Smith", "CT1", "SCANNER", "Head 5mm")


@pytest.fixture
def demo(open_analysed: Opener) -> Box:
    return open_analysed(demo=True)


def test_without_it_the_names_are_there(analysed: Box) -> None:
    client = analysed.logged_in()
    told = (
        client.get("/api/studies").text + client.get("/api/studies/1").text + client.get("/api/studies/1/report").text
    )
    for one in SECRETS:
        assert one in told, one


def test_nobody_is_named(demo: Box) -> None:
    client = demo.logged_in("administrator")
    assert client.get("/api/session").json()["demo"] is True
    for path in (
        "/api/studies", "/api/studies/1", "/api/studies/1/images", "/api/studies/1/report", "/api/studies/1/feedback",
        "/api/audit", "/api/jobs", "/api/refusals", "/metrics",
    ):  # fmt: skip
        answer = client.get(path)
        assert answer.status_code == 200, path
        for one in SECRETS:
            assert one not in answer.text, (path, one)
    told = client.get("/api/studies/1").json()
    assert (told["patient_name"], told["patient_id"]) == ("Demo 1", "DEMO-1")
    assert {one["kind"] for one in told["files"]} == {"picture"}


def test_files_that_name_are_not_given(demo: Box, analysed: Box) -> None:
    client = demo.logged_in("administrator")
    for one in analysed.logged_in().get("/api/studies/1").json()["files"]:
        status = client.get(f"/api/studies/1/files/{one['name']}").status_code
        assert status == (200 if one["kind"] == "picture" else 404)


def test_dicomweb_gives_nothing(demo: Box) -> None:
    for client in (demo.logged_in("administrator"), demo.token("read")):
        assert client.get("/dicom-web/studies").status_code == 403


@pytest.mark.parametrize(
    ("text", "count"), [("doe", 0), ("SECRET", 0), ("demo-1", 1), ("DEMO-2", 0), ("1", 1), ("%25", 0)]
)
def test_a_search_does_not_tell_what_is_hidden(demo: Box, text: str, count: int) -> None:
    assert demo.logged_in().get("/api/studies", headers={"X-Search": text}).json()["total"] == count


def test_nothing_of_feedback_is_exported(demo: Box) -> None:
    assert demo.logged_in("administrator").get("/api/feedback/export").status_code == 403
