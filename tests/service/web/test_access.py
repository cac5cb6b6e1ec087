"""Who may do what: every route of the API, for every kind of caller."""

from typing import Any

import pytest
from tests.service.web.box import Box

from ichscan.service.security.secret import hash_secret
from ichscan.service.security.tokens import PREFIX
from ichscan.service.tables import Audit, MachineToken
from ichscan.service.web.access import COOKIE

OPEN = {("GET", "/health"), ("GET", "/ready"), ("POST", "/api/session"), ("GET", "/{path:path}")}
READ = {
    ("GET", "/api/studies"), ("GET", "/api/studies/{study_id}"), ("GET", "/api/studies/{study_id}/images"),
    ("GET", "/api/studies/{study_id}/images/{series}/{index}"),
    ("GET", "/api/studies/{study_id}/images/{series}/heat/{label}/{index}"),
    ("GET", "/api/studies/{study_id}/files/{name}"), ("GET", "/api/studies/{study_id}/report"),
    ("GET", "/api/studies/{study_id}/feedback"), ("GET", "/api/dashboard"), ("GET", "/api/events"),
}  # fmt: skip
PERSON = {
    ("POST", "/api/studies/{study_id}/read"), ("POST", "/api/studies/{study_id}/analyse"),
    ("POST", "/api/deliveries/{delivery_id}/retry"), ("POST", "/api/studies/{study_id}/feedback"),
    ("GET", "/api/session"), ("DELETE", "/api/session"), ("POST", "/api/session/password"),
}  # fmt: skip
STORE = {("POST", "/api/uploads")}
METRICS = {("GET", "/metrics")}
ADMINISTRATOR = {
    ("GET", "/api/users"), ("POST", "/api/users"), ("PATCH", "/api/users/{user_id}"), ("GET", "/api/tokens"),
    ("POST", "/api/tokens"), ("DELETE", "/api/tokens/{token_id}"), ("GET", "/api/audit"), ("GET", "/api/refusals"),
    ("GET", "/api/jobs"), ("GET", "/api/system"), ("GET", "/api/feedback/export"),
}  # fmt: skip
FILLED = {
    "{study_id}": "1", "{series}": "0", "{index}": "0", "{label}": "any", "{name}": "a.txt", "{delivery_id}": "1",
    "{user_id}": "1", "{token_id}": "1",
}  # fmt: skip


def routes(box: Box) -> set[tuple[str, str]]:
    """Method and path of every route; DICOMweb's by its first part."""
    found = set()
    for path, item in box.app.openapi()["paths"].items():
        found |= {(method.upper(), path) for method in item}
    return found


def asked(client: Any, method: str, path: str) -> int:
    for name, value in FILLED.items():
        path = path.replace(name, value)
    if path == "/api/events":  # without end; who may read the worklist may follow it
        path = "/api/studies"
    status: int = client.request(method, path).status_code
    return status


def test_every_route_is_known_here(box: Box) -> None:
    told = {one for one in routes(box) if not one[1].startswith("/dicom-web")}
    assert told == (OPEN - {("GET", "/{path:path}")}) | READ | PERSON | STORE | METRICS | ADMINISTRATOR


def test_nobody_gets_anything(box: Box) -> None:
    client = box.client()
    for method, path in routes(box) - OPEN:
        filled = path.replace("{study}", "1.2").replace("{series}", "1.3")
        assert asked(client, method, filled) in (401, 422), (method, path)
    assert box.rows(Audit) == []


def test_readers(box: Box) -> None:
    client = box.logged_in()
    for method, path in READ | PERSON | STORE:
        assert asked(client, method, path) not in (401, 403), (method, path)
        if (method, path) == ("DELETE", "/api/session"):
            client = box.logged_in()
    for method, path in ADMINISTRATOR | METRICS:
        assert asked(client, method, path) == 403, (method, path)


def test_administrators(box: Box) -> None:
    client = box.logged_in("administrator")
    for method, path in sorted(READ | STORE | ADMINISTRATOR | METRICS):
        assert asked(client, method, path) not in (401, 403), (method, path)


@pytest.mark.parametrize(("name", "allowed"), [("read", READ), ("store", STORE), ("metrics", METRICS)])
def test_tokens_have_their_scope_and_no_more(box: Box, name: str, allowed: set[tuple[str, str]]) -> None:
    client = box.token(name)
    for method, path in READ | PERSON | STORE | METRICS | ADMINISTRATOR:
        status = asked(client, method, path)
        assert (status in (401, 403)) == ((method, path) not in allowed), (method, path, status)
    stores, reads = client.post("/dicom-web/studies").status_code, client.get("/dicom-web/studies").status_code
    assert (stores == 403) == (name != "store")
    assert (reads == 403) == (name != "read")


def test_a_refusal_is_in_the_audit_trail(box: Box) -> None:
    client = box.logged_in()
    client.get("/api/users")
    (row,) = box.rows(Audit)
    assert (row.actor, row.action, row.outcome) == ("user:the-reader", "refused", "refused")
    assert "/api/users" in row.detail


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {PREFIX}{'k' * 43}", "Bearer ", "Bearer", f"Bearer {PREFIX}", "Basic dXNlcjpwYXNz", "",
        f"Bearer {'x' * 5000}", "Bearer \xff\xfe", "bearer ' OR 1=1 --",
    ],
)  # fmt: skip
def test_forged_tokens(box: Box, header: str) -> None:
    box.token("read")
    client = box.logged_in("administrator")  # a wrong token is not made good by a cookie
    answer = client.get("/api/studies", headers=[(b"authorization", header.encode("latin-1"))])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    (row,) = box.rows(Audit)
    assert (row.actor, row.action, row.outcome) == ("unknown", "credential", "refused")


def test_a_revoked_token(box: Box) -> None:
    client = box.token("read")
    assert client.get("/api/studies").status_code == 200
    assert box.logged_in("administrator").delete("/api/tokens/1").status_code == 204
    assert client.get("/api/studies").status_code == 401


@pytest.mark.parametrize("cookie", ["x", "x" * 5000, "' OR 1=1 --", "0" * 43, "%00"])
def test_forged_cookies(box: Box, cookie: str) -> None:
    box.logged_in()
    client = box.client()
    assert client.get("/api/studies", headers={"Cookie": f"{COOKIE}={cookie}"}).status_code == 401


def test_the_hash_of_a_session_is_no_session(box: Box) -> None:
    text = box.logged_in().cookies[COOKIE]
    assert box.client(cookies={COOKIE: text}).get("/api/session").status_code == 200
    assert box.client(cookies={COOKIE: hash_secret(text)}).get("/api/session").status_code == 401


@pytest.mark.parametrize("csrf", ["", "x", None])
def test_a_write_needs_the_csrf_token(analysed: Box, csrf: str | None) -> None:
    client = analysed.logged_in()
    if csrf is None:
        del client.headers["X-CSRF-Token"]
    else:
        client.headers["X-CSRF-Token"] = csrf
    assert client.post("/api/studies/1/read", json={"read": True}).status_code == 403
    assert client.delete("/api/session").status_code == 403
    assert client.get("/api/studies").json()["studies"][0]["read_at"] is None


def test_the_csrf_token_of_another_session_is_wrong(box: Box) -> None:
    one, other = box.logged_in(name="one"), box.logged_in(name="other")
    one.headers["X-CSRF-Token"] = other.headers["X-CSRF-Token"]
    assert one.delete("/api/session").status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_write_from_another_site_is_refused(box: Box, site: str) -> None:
    assert box.logged_in().delete("/api/session", headers={"Sec-Fetch-Site": site}).status_code == 403


def test_a_token_needs_no_csrf(box: Box) -> None:
    assert box.token("store").post("/api/uploads").status_code in (400, 415)


def test_tokens_are_told_once(box: Box) -> None:
    client = box.logged_in("administrator")
    answer = client.post("/api/tokens", json={"name": "pacs", "scopes": ["store", "read"]})
    assert answer.status_code == 201
    text = answer.json()["token"]
    assert client.post("/api/tokens", json={"name": "pacs", "scopes": ["store"]}).status_code == 400
    assert client.post("/api/tokens", json={"name": "x", "scopes": []}).status_code == 400
    assert client.post("/api/tokens", json={"name": "x", "scopes": ["all"]}).status_code == 422
    assert text not in client.get("/api/tokens").text
    assert text not in str([vars(row) for row in box.rows(MachineToken) + box.rows(Audit)])
    assert box.client(headers={"Authorization": f"Bearer {text}"}).get("/api/studies").status_code == 200


def test_users_are_administrated(box: Box) -> None:
    client = box.logged_in("administrator")
    made = client.post("/api/users", json={"name": "nurse", "role": "reader"}).json()
    assert made["user"]["must_change"] is True
    assert len(made["password"]) > 20
    path = f"/api/users/{made['user']['id']}"
    nurse = box.logged_in(name="nurse")
    assert client.patch(path, json={"role": "administrator"}).json()["user"]["role"] == "administrator"
    assert nurse.get("/api/session").status_code == 401  # what was asked with the old role has ended
    assert client.patch(path, json={"reset_password": True}).json()["password"] != made["password"]
    assert client.patch(path, json={"disabled": True}).json()["user"]["disabled"] is True
    assert client.patch(path, json={"nonsense": 1}).status_code == 422
    assert client.patch("/api/users/99", json={}).status_code == 404
    told = client.get("/api/users").json()["users"]
    assert [one["name"] for one in told] == ["nurse", "the-administrator"]
    assert "hash" not in str(told)


def test_the_last_administrator_stays(box: Box) -> None:
    client = box.logged_in("administrator")
    assert client.patch("/api/users/1", json={"disabled": True}).status_code == 409
    assert client.patch("/api/users/1", json={"role": "reader"}).status_code == 409
    box.add_user("second", "administrator", disabled=True)
    assert client.patch("/api/users/1", json={"disabled": True}).status_code == 409
    box.add_user("third", "administrator")
    assert client.patch("/api/users/1", json={"disabled": True}).status_code == 200


def test_trails_and_system(analysed: Box) -> None:
    client = analysed.logged_in("administrator")
    client.get("/api/studies/1")
    told = client.get("/api/audit?study_id=1").json()
    assert told["total"] == 1
    assert told["rows"][0]["action"] == "view"
    assert client.get("/api/audit?outcome=refused").json()["total"] == 0
    assert client.get("/api/refusals").json() == {"total": 0, "rows": []}
    jobs = client.get("/api/jobs").json()
    assert jobs["counts"]["analyse"] == {"done": 1}
    assert client.get("/api/jobs?state=queued").json()["total"] == 0
    system = client.get("/api/system").json()
    assert system["model"].startswith("fake")
    assert system["storage"]["free"] > 0
    assert system["storage"]["held"] > 0


def test_metrics(analysed: Box) -> None:
    client = analysed.token("metrics")
    told = client.get("/metrics").text
    assert 'ichscan_studies{status="analysed"} 1.0' in told
    assert 'ichscan_jobs{kind="analyse",state="done"} 1.0' in told
    assert "ichscan_database_up 1.0" in told
    client.get("/api/nonsense/Doe")
    told = client.get("/metrics").text
    assert 'ichscan_http_requests_total{method="GET",route="/metrics",status="200"}' in told
    assert "Doe" not in told
