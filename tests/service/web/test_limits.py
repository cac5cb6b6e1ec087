import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest
from fastapi import HTTPException
from tests.service.web.box import NAME, Box
from tests.service.web.conftest import Opener

from ichscan.errors import UsageError
from ichscan.service.errors import DatabaseError
from ichscan.service.security import rates
from ichscan.service.security.listening import check_listening
from ichscan.service.security.rates import Rates
from ichscan.service.settings import WebSettings
from ichscan.service.web import limits, recent
from ichscan.service.web.headers import POLICY
from ichscan.service.web.limits import network_of
from ichscan.service.web.recent import Recent


def test_every_answer_has_the_headers(box: Box) -> None:
    client = box.client()
    for path in ("/", "/health", "/api/studies", "/api/nonsense", "/nonsense.js", "/studies/7", "/openapi.json"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers
        assert "strict-transport-security" not in headers


def test_the_policy_lets_nothing_else_run() -> None:
    told = dict(one.strip().split(" ", 1) for one in POLICY.split(";"))
    assert told["default-src"] == told["base-uri"] == told["frame-ancestors"] == "'none'"
    assert told["script-src"] == told["connect-src"] == told["style-src"] == "'self'"
    assert "unsafe" not in POLICY


@pytest.mark.parametrize("web", [{"behind_proxy": True}, {"tls_certificate": "c.pem", "tls_key": "k.pem"}])
def test_encrypted_servers_say_so(open_box: Opener, web: dict[str, Any]) -> None:
    box = open_box(**web)
    assert box.client().get("/health").headers["strict-transport-security"].startswith("max-age=")


def test_requests_are_limited_by_address(open_box: Opener) -> None:
    box = open_box(requests_per_minute=5)
    client = box.client()
    assert [client.get("/health").status_code for _ in range(6)] == [200] * 5 + [429]
    answer = client.get("/health")
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-security-policy"] == POLICY
    assert box.client(client=("10.0.0.9", 1)).get("/health").status_code == 200


def test_only_the_proxy_is_believed(open_box: Opener) -> None:
    box = open_box(behind_proxy=True, proxy_address="10.0.0.1", requests_per_minute=2)
    proxy, stranger = box.client(client=("10.0.0.1", 1)), box.client(client=("10.0.0.2", 1))
    assert stranger.get("/health").status_code == 403
    for first in ("1.1.1.1", "2.2.2.2", "3.3.3.3"):
        # what the caller writes itself stands first
        last = proxy.get("/health", headers={"X-Forwarded-For": f"{first}, 9.9.9.9"})
    assert last.status_code == 429
    assert proxy.get("/health", headers={"X-Forwarded-For": "9.9.9.8"}).status_code == 200
    assert proxy.get("/health", headers={"X-Forwarded-For": "nonsense"}).status_code == 200
    direct = open_box(requests_per_minute=2).client()
    told = [direct.get("/health", headers={"X-Forwarded-For": f"1.1.1.{i}"}).status_code for i in range(3)]
    assert told == [200, 200, 429]


def test_cookies_behind_a_proxy_are_secure(open_box: Opener) -> None:
    from ichscan.service.web.session import _secure
    from ichscan.service.web.state import Service

    for web, secure in (({"behind_proxy": True}, True), ({"tls_certificate": "c", "tls_key": "k"}, True), ({}, False)):
        box = open_box(**web)
        service: Service = box.app.state.service
        assert _secure(service) is secure


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:10.1.2.3", "10.1.2.3"),
        ("", ""),
        ("testclient", "testclient"),
    ],
)
def test_networks(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_large_body_is_refused(box: Box) -> None:
    client = box.client()
    answer = client.post("/api/session", content=b'{"name": "' + b"x" * limits.BODY + b'"}')
    assert answer.status_code == 413

    def chunks() -> Any:
        for _ in range(20):
            yield b"x" * (1 << 16)

    answer = client.post("/api/session", content=chunks(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_body_that_trickles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PATIENCE_S", 0.05)

    async def trickle() -> Any:
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def read() -> None:
        body = limits._Body(trickle, 1000)
        for _ in range(20):
            await body.receive()

    with pytest.raises(HTTPException) as caught:
        asyncio.run(read())
    assert caught.value.status_code == 408


def test_buckets_fill_again() -> None:
    now = [0.0]
    some = Rates(60, clock=lambda: now[0])
    assert [some.wait("a") for _ in range(60)] == [0.0] * 60
    assert some.wait("a") == pytest.approx(1.0)
    assert some.wait("b") == 0.0
    now[0] = 1.5
    assert some.wait("a") == 0.0
    assert some.wait("a") == pytest.approx(0.5)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST", 10)
    monkeypatch.setattr(recent, "MOST", 10)
    some, seen = Rates(1), Recent()
    for i in range(100):
        some.wait(i)
        seen.first(i)
    assert len(some._buckets) == len(seen._times) == 10


def test_what_happened_a_moment_ago() -> None:
    now = [0.0]
    seen = Recent(60.0, clock=lambda: now[0])
    assert [seen.first("a"), seen.first("a"), seen.first("b")] == [True, False, True]
    now[0] = 61.0
    assert seen.first("a")
    seen.forget("a")
    assert seen.first("a")


@pytest.mark.parametrize(
    ("web", "users", "problem"),
    [
        ({}, 0, None),
        ({"host": "::1"}, 0, None),
        ({"host": "localhost"}, 0, None),
        ({"host": "0.0.0.0"}, 1, "without encryption"),
        ({"host": "::"}, 1, "without encryption"),
        ({"host": "box.hospital.example"}, 1, "without encryption"),
        ({"host": "0.0.0.0", "behind_proxy": True}, 1, None),
        ({"host": "0.0.0.0", "behind_proxy": True}, 0, "without any user"),
        ({"host": "0.0.0.0", "behind_proxy": True, "proxy_address": "proxy"}, 1, "IP address"),
        ({"tls_certificate": "a.pem"}, 1, "both"),
        ({"tls_certificate": "/nowhere.pem", "tls_key": "/nowhere.key"}, 1, "PEM file"),
    ],
)
def test_where_it_may_listen(web: dict[str, Any], users: int, problem: str | None) -> None:
    if problem is None:
        check_listening(WebSettings(**web), users)
    else:
        with pytest.raises(UsageError, match=problem):
            check_listening(WebSettings(**web), users)


def test_a_lost_database_is_told(analysed: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    client = analysed.logged_in()

    def lost() -> Any:
        raise DatabaseError("database: expected an answer, found: secret of the driver")

    monkeypatch.setattr(analysed.database, "read", lost)
    answer = client.get("/api/studies")
    assert answer.status_code == 503
    assert "secret" not in answer.text
    assert answer.headers["retry-after"]
    assert client.get("/health").status_code == 200
    told = client.get("/ready")
    assert (told.status_code, told.json()) == (503, {"ready": False, "problems": ["database"]})


def test_an_unforeseen_error_tells_nothing(
    analysed: Box, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from ichscan.service.web import studies

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError(f"of {NAME}")

    monkeypatch.setattr(studies, "rows_of", broken)
    with caplog.at_level(logging.DEBUG):
        answer = analysed.logged_in().get("/api/studies")
    assert answer.status_code == 500
    assert answer.headers["content-security-policy"] == POLICY
    assert NAME not in answer.text + caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_no_patient_in_the_log(analysed: Box, caplog: pytest.LogCaptureFixture) -> None:
    client = analysed.logged_in()
    with caplog.at_level(logging.DEBUG, "ichscan"):
        client.get("/api/studies", headers={"X-Search": "doe"})
        client.get("/api/studies?text=Doe")
        client.get("/api/studies/1")
        client.get("/Doe^Jane")
        client.get("/api/Doe^Jane")
    told = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("ichscan"))
    assert "/api/studies/{study_id} 200" in told
    assert "doe" not in told.lower()


def test_pages(box: Box, tmp_path: Path) -> None:
    from ichscan.service.web.pages import read_pages

    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>" + "x" * 500)
    (tmp_path / "assets" / "a-1.js").write_text("1;" * 500)
    (tmp_path / "secret.key").write_text("x")
    box.app.state.pages = read_pages(tmp_path)
    client = box.client()
    for path in ("/", "/login", "/studies/7", "/index.html"):
        answer = client.get(path)
        assert answer.text.startswith("<!doctype html>")
        assert answer.headers["cache-control"] == "no-cache"
    answer = client.get("/assets/a-1.js", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["content-encoding"] == "gzip"
    assert "immutable" in answer.headers["cache-control"]
    assert client.get("/assets/a-1.js", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    for path in ("/secret.key", "/assets/b.js", "/api/x", "/api", "/dicom-web/x", "/%2e%2e/%2e%2e/etc/passwd.txt"):
        assert client.get(path).status_code == 404, path
