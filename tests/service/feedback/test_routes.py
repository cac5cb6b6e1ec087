import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("httpx", reason="the extra serve is not installed")

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import select
from tests.service.feedback.ward import NOW, Ward, mark

from ichscan.service.feedback.routes import router
from ichscan.service.spool import Spool
from ichscan.service.tables import Audit
from ichscan.service.web.access import Actor, known
from ichscan.service.web.failures import add_handlers
from ichscan.service.web.state import Service

POSITIVE = {"any": "present"}
JSON = {"Content-Type": "application/json"}


class Client:
    """The routes alone, with whoever is logged in as `actor`; that nobody else gets in is tested with the login."""

    def __init__(self, ward: Ward, *, demo: bool = False) -> None:
        settings = replace(ward.settings, web=replace(ward.settings.web, demo=demo))
        self.actor = Actor("user", "ann", "reader")
        app = FastAPI()
        app.state.service = Service(settings, ward.database, Spool(settings))
        add_handlers(app)
        app.include_router(router)
        app.dependency_overrides[known] = lambda: self.actor
        self.http = TestClient(app)

    def become(self, kind: Any, role: str = "", *scopes: str) -> None:
        self.actor = Actor(kind, "bob", role, frozenset(scopes))


@pytest.fixture
def client(ward: Ward) -> Iterator[Client]:
    made = Client(ward)
    with made.http:
        yield made


def audited(ward: Ward) -> list[tuple[str, str, int | None, str]]:
    with ward.database.read() as session:
        return [(a.actor, a.action, a.study_id, a.outcome) for a in session.scalars(select(Audit).order_by(Audit.id))]


def test_what_is_said_is_shown_again(ward: Ward, client: Client) -> None:
    study = ward.study(POSITIVE)
    body = {"result_id": ward.result_of(study), "verdicts": {"any": "agree"}, "slices": [mark("1.2.1.1.1", "any")]}
    first = client.http.post(f"/api/studies/{study}/feedback", json=body)
    assert first.status_code == 201, first.text
    assert first.json()["states"] == {"any": "present"}
    client.http.post(f"/api/studies/{study}/feedback", json=body | {"reason": "later", "slices": []})
    told = client.http.get(f"/api/studies/{study}/feedback").json()["feedback"]
    assert [(one["user"], one["reason"], one["counts"]) for one in told] == [("ann", "later", True), ("ann", "", False)]
    assert told[1]["slices"] == [mark("1.2.1.1.1", "any")]
    assert audited(ward) == [("user:ann", what, study, "done") for what in ("feedback", "feedback", "view")]


@pytest.mark.parametrize(
    ("study", "body", "status", "said"),
    [
        (9, {"result_id": 1, "verdicts": {"any": "agree"}}, 404, "study 9"),
        (1, {"result_id": 7, "verdicts": {"any": "agree"}}, 409, "load the study again"),
        (1, {"result_id": 1}, 422, "expected a verdict"),
        (1, {"result_id": 1, "verdicts": {"any": "agree"}, "user": "eve"}, 422, "not valid"),
        (1, {"result_id": 1, "reason": "\ud800"}, 422, "not valid"),
        (0, {"result_id": 1, "verdicts": {"any": "agree"}}, 422, "not valid"),
        (2**40, {"result_id": 1, "verdicts": {"any": "agree"}}, 422, "not valid"),
        (1, {"result_id": 2**40, "verdicts": {"any": "agree"}}, 422, "not valid"),
    ],
)
def test_what_is_wrong_is_refused(
    ward: Ward, client: Client, study: int, body: dict[str, Any], status: int, said: str
) -> None:
    ward.study(POSITIVE)
    answer = client.http.post(f"/api/studies/{study}/feedback", content=json.dumps(body), headers=JSON)
    assert answer.status_code == status
    assert said in answer.json()["detail"]
    assert client.http.get("/api/studies/1/feedback").json() == {"feedback": []}


def test_roles(ward: Ward, client: Client) -> None:
    study = ward.study(POSITIVE)
    body = {"result_id": ward.result_of(study), "verdicts": {"any": "agree"}}
    assert client.http.get("/api/feedback/export").status_code == 403
    client.become("token", "", "read")
    assert client.http.post(f"/api/studies/{study}/feedback", json=body).status_code == 403
    assert client.http.get("/api/feedback/export").status_code == 403
    assert client.http.get("/api/dashboard").status_code == 200
    client.become("token", "", "store")
    assert client.http.get("/api/dashboard").status_code == 403
    assert client.http.get(f"/api/studies/{study}/feedback").status_code == 403


def test_an_administrator_exports_and_each_study_is_audited(ward: Ward, client: Client) -> None:
    for _ in range(2):
        ward.say(ward.study(POSITIVE, images=True), verdicts={"any": "agree"}, reason="calcified", time=NOW)
    client.become("user", "administrator")
    answer = client.http.get("/api/feedback/export")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert sum(name.startswith("images/") for name in archive.namelist()) == 8
        assert "reasons.json" not in archive.namelist()
    with zipfile.ZipFile(io.BytesIO(client.http.get("/api/feedback/export?reasons=true").content)) as archive:
        assert b"calcified" in archive.read("reasons.json")
    assert audited(ward) == [("user:bob", "export", 1, "done"), ("user:bob", "export", 2, "done")] * 2


def test_a_demonstration_exports_nothing_and_shows_no_free_text(ward: Ward) -> None:
    study = ward.study(POSITIVE, images=True)
    ward.say(study, verdicts={"any": "agree"}, reason="Mrs Doe")
    client = Client(ward, demo=True)
    client.become("user", "administrator")
    assert client.http.get("/api/feedback/export").status_code == 403
    assert "Doe" not in client.http.get(f"/api/studies/{study}/feedback").text


@pytest.mark.parametrize("days", ["0", "367", "x"])
def test_days_of_the_dashboard_are_bounded(client: Client, days: str) -> None:
    assert client.http.get(f"/api/dashboard?days={days}").status_code == 422
    assert client.http.get("/api/dashboard?days=366").json()["days"] == 366


def test_images_that_vanish_while_they_are_sent_end_nothing(ward: Ward, client: Client, tmp_path: Path) -> None:
    ward.say(ward.study(POSITIVE, images=True), verdicts={"any": "agree"})
    for path in (ward.settings.folder / "images").iterdir():
        path.unlink()
    client.become("user", "administrator")
    answer = client.http.get("/api/feedback/export")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.read("problems.csv").count(b"image_left_out") == 4
        assert str(tmp_path).encode() not in archive.read("problems.csv")
