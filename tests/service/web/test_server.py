"""The server itself, over sockets."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.web.box import Box
from tests.service.web.conftest import Opener
from uvicorn import Server

from ichscan.errors import UsageError
from ichscan.service.events import publish
from ichscan.service.tables import Login
from ichscan.service.web import events
from ichscan.service.web.access import COOKIE
from ichscan.service.web.server import STOP_S, BoundedProtocol, make_server, open_server


@contextlib.contextmanager
def running(box: Box, **web: Any) -> Iterator[tuple[Server, int]]:
    """The server on a free port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make_server(box.app, replace(box.settings.web, **web))
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        end = time.monotonic() + 20
        while not server.started and time.monotonic() < end:
            time.sleep(0.01)
        try:
            yield server, listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


def said(port: int, data: bytes, wait: float = 20.0) -> bytes:
    """What the server answers to bytes, until it closes or is silent."""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as connection:
        connection.sendall(data)
        answer = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            while chunk := connection.recv(65536):
                answer += chunk
        return answer


def asked(port: int, target: str, headers: str = "") -> bytes:
    return said(port, f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n".encode("latin-1"))


def test_paths_do_not_lead_out(analysed: Box) -> None:
    client = analysed.logged_in()
    cookie = f"Cookie: {COOKIE}={client.cookies[COOKIE]}\r\n"
    with running(analysed) as (_, port):
        assert b"200 OK" in asked(port, "/api/studies/1", cookie)
        for target in (
            "/../../../../etc/passwd", "/assets/../../../tables.py", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd",
            "/..%5c..%5cetc", "/assets/..%2f..%2ftables.py", "/api/studies/1/files/..%2f..%2f..%2fichscan.sqlite3",
            "/api/studies/1/files/../../../ichscan.sqlite3", "/api/studies/%2e%2e/1", "/api/studies/1%00", "/%ff%fe",
            "/api/studies/1/files/%c0%ae%c0%ae", "http://elsewhere/etc/passwd", "/api/studies/٣",
        ):  # fmt: skip
            answer = asked(port, target.encode().decode("latin-1"), cookie)
            assert b"root:" not in answer, target
            assert b"SQLite" not in answer, target
            assert b"import" not in answer, target
            assert b" 500 " not in answer, target
            # a path of the application gets its page, whatever it is; everything else nothing
            status = answer.split(b" ", 2)[1]
            assert status in (b"400", b"404", b"422") or b"text/html" in answer, target


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /" + b"x" * 100_000,
        b"GET / HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 20_000,
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /api/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: a\nb\r\n\r\n",
        b"\x00" * 1000,
    ],
)
def test_malformed_requests(box: Box, data: bytes) -> None:
    with running(box) as (_, port):
        answer = said(port, data, 2.0)
        assert answer == b"" or answer.split(b" ")[1] in (b"400", b"413", b"422", b"431", b"404"), answer[:100]
        assert b"200 OK" in asked(port, "/health")


def test_a_slow_head_is_not_waited_for(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "head_s", 0.3)
    with running(box) as (_, port):
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        trickling = socket.create_connection(("127.0.0.1", port))
        trickling.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n")
        ended = False
        for _ in range(40):
            try:
                trickling.sendall(b"A: b\r\n")
            except OSError:
                ended = True
                break
            time.sleep(0.05)
        assert ended
        for one in silent:
            one.settimeout(2)
            with contextlib.suppress(ConnectionError):
                assert one.recv(10) == b""
            one.close()
        trickling.close()
        assert b"200 OK" in asked(port, "/health")


def test_connections_of_one_address_are_bounded(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(BoundedProtocol, "per_address", 5)
    with running(box) as (server, port):
        many = [socket.create_connection(("127.0.0.1", port)) for _ in range(12)]
        end = time.monotonic() + 5
        while len(server.server_state.connections) > 5 and time.monotonic() < end:
            time.sleep(0.02)
        assert len(server.server_state.connections) <= 5
        for one in many:
            one.close()


def test_one_connection_for_many_requests(box: Box) -> None:
    with running(box) as (server, port), httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(5):
            answer = client.get("/health")
            assert answer.status_code == 200
        assert "server" not in answer.headers
        assert len(server.server_state.connections) == 1


def test_events_are_followed(analysed: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_S", 0.02)
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.05)
    monkeypatch.setattr(events, "CHECK_S", 0.05)
    browser = analysed.logged_in()
    with running(analysed) as (_, port), httpx.Client(cookies={COOKIE: browser.cookies[COOKIE]}) as client:
        with client.stream("GET", f"http://127.0.0.1:{port}/api/events", headers={"Last-Event-ID": "0"}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == ": ready"
            assert any('"study_id": 1' in line for line in lines)
            with analysed.database.write() as session:
                publish(session, "study", 1, "new\nevent: forged")
            data = next(line for line in lines if "forged" in line)
            assert data == 'data: {"kind": "study", "study_id": 1, "text": "new\\nevent: forged"}'
            assert any(line == ": still here" for line in lines)
            with analysed.database.write() as session:
                session.query(Login).delete()
            for _ in lines:  # ends by itself when the login does
                pass
        assert client.get(f"http://127.0.0.1:{port}/api/events").status_code == 401
    assert analysed.app.state.followers == set()


def test_followers_do_not_keep_the_server_from_stopping(box: Box) -> None:
    browser = box.logged_in()
    with contextlib.ExitStack() as stack:
        with running(box) as (_, port):
            client = stack.enter_context(httpx.Client(cookies={COOKIE: browser.cookies[COOKIE]}))
            answer = stack.enter_context(client.stream("GET", f"http://127.0.0.1:{port}/api/events"))
            assert answer.status_code == 200
            start = time.monotonic()
        assert time.monotonic() - start < STOP_S


def test_tls(box: Box, tmp_path: Path) -> None:
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    with running(box, tls_certificate=str(certificate), tls_key=str(key)) as (_, port):
        context = ssl.create_default_context(cafile=str(certificate))
        with httpx.Client(verify=context) as client:
            assert client.get(f"https://localhost:{port}/health").status_code == 200
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(("127.0.0.1", port)) as plain, old.wrap_socket(plain) as encrypted:
            assert encrypted.version() == "TLSv1.2"
        assert b"200" not in asked(port, "/health")


def test_it_does_not_listen_beyond_this_machine_in_clear(open_box: Opener) -> None:
    box = open_box(host="0.0.0.0")
    with pytest.raises(UsageError, match="without encryption"):
        open_server(box.settings, box.database, box.spool)
    box = open_box(host="0.0.0.0", behind_proxy=True)
    with pytest.raises(UsageError, match="without any user"):
        open_server(box.settings, box.database, box.spool)
    box.add_user("somebody")
    assert open_server(box.settings, box.database, box.spool).config.host == "0.0.0.0"
