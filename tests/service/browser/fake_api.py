"""The API of docs/service-api.md in one process and without a database, for tests of the pages alone."""

import json
import re
import threading
import time
from collections.abc import Callable
from email.parser import BytesParser
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.service.browser.fake_admin import ADMIN_ANSWERS, dashboard
from tests.service.browser.fake_studies import CONTENT_TYPES, FakeStudy, row

USERS = {"admin": ("administrator", "correct horse battery"), "reader": ("reader", "correct horse battery")}
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "font-src 'self'; worker-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
STATIC_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".txt": "text/plain"}


class FakeService:
    """What the handler works on; tests look into it and change it."""

    def __init__(self, static: Path, studies: list[FakeStudy]) -> None:
        self.static = static
        self.studies = {study.row["id"]: study for study in studies}
        self.user: str | None = None
        self.must_change = False
        self.late_min: float | None = None
        self.away = False
        self.demo = False
        self.calls: list[tuple[str, str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.changed = threading.Condition()
        self.stopping = False

    def publish(self, kind: str, study_id: int | None, text: str = "") -> None:
        """Tells the browsers."""
        with self.changed:
            self.events.append({"kind": kind, "study_id": study_id, "text": text})
            self.changed.notify_all()

    def session(self) -> dict[str, Any]:
        """As GET /api/session answers."""
        role = USERS[self.user or "reader"][0]
        return {"user": self.user, "role": role, "csrf": "csrf-of-the-test", "must_change": self.must_change,
                "demo": self.demo, "version": "0.6.0", "notice": "AI result, not for diagnostic use alone"}  # fmt: skip

    def listing(self, query: dict[str, str], text: str) -> dict[str, Any]:
        """As GET /api/studies answers."""
        rows = [study.row for study in self.studies.values()]
        counts: dict[str, int] = {}
        for one in rows:
            counts[one["status"]] = counts.get(one["status"], 0) + 1
        kept = [
            one for one in rows
            if (not query.get("status") or one["status"] == query["status"])
            and (query.get("suspected") != "true" or one["suspected"])
            and (query.get("unread") != "true" or one["read_at"] is None)
            and (not text or text in " ".join(str(v) for v in one.values()).lower())
        ]  # fmt: skip
        start, limit = int(query.get("offset", 0)), int(query.get("limit", 100))
        return {"total": len(kept), "counts": counts, "late_min": self.late_min, "studies": kept[start : start + limit]}


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: "FakeServer"

    def log_message(self, *_: Any) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self._route("GET")

    def do_POST(self) -> None:
        self._route("POST")

    def do_DELETE(self) -> None:
        self._route("DELETE")

    def do_PATCH(self) -> None:
        self._route("PATCH")

    def _route(self, method: str) -> None:
        service = self.server.service
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not parts.path.startswith("/api/"):
            return self._static(parts.path)
        content = json.loads(body) if body and "json" in self.headers.get("Content-Type", "") else None
        if method != "GET":
            service.calls.append((method, parts.path, content))
        if (method, parts.path) == ("POST", "/api/session"):
            return self._login(content)
        if service.user is None:
            return self._json({"detail": "not logged in"}, HTTPStatus.UNAUTHORIZED)
        if method != "GET" and self.headers.get("X-CSRF-Token") != "csrf-of-the-test":
            return self._json({"detail": "X-CSRF-Token is missing"}, HTTPStatus.FORBIDDEN)
        if parts.path == "/api/uploads":
            return self._upload(body)
        if parts.path == "/api/events":
            return self._stream()
        for pattern, answer in ROUTES:
            found = re.fullmatch(pattern, f"{method} {parts.path}")
            if found:
                return answer(self, found, query, content)
        return self._json({"detail": f"no such page: {parts.path}"}, HTTPStatus.NOT_FOUND)

    def _login(self, content: Any) -> None:
        known = USERS.get(content["name"])
        if known is None or known[1] != content["password"]:
            return self._json({"detail": "user name or password is wrong"}, HTTPStatus.UNAUTHORIZED)
        self.server.service.user = content["name"]
        return self._json(self.server.service.session())

    def _upload(self, body: bytes) -> None:
        service = self.server.service
        head = b"Content-Type: " + self.headers["Content-Type"].encode() + b"\r\n\r\n"
        names = [part.get_filename() or "" for part in BytesParser().parsebytes(head + body).walk()][1:]
        refused = [{"name": n, "reason": "no DICOM file"} for n in names if not n.endswith((".dcm", ".zip"))]
        number = max(service.studies) + 1
        if len(refused) < len(names):
            service.studies[number] = FakeStudy(row(number, "Sample^Uploaded", status="receiving", result_id=None))
            service.publish("study", number)
        self._json({"accepted": len(names) - len(refused), "refused": refused, "studies": [number]})

    def _stream(self) -> None:
        service = self.server.service
        if service.away:
            return self._json({"detail": "away"}, HTTPStatus.NOT_FOUND)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        sent = len(service.events)
        try:
            self.wfile.write(b": open\n\n")
            while not service.stopping and not service.away and service.user is not None:
                with service.changed:
                    service.changed.wait(0.5)
                    new = service.events[sent:]
                for event in new:
                    sent += 1
                    self.wfile.write(f"id: {sent}\ndata: {json.dumps(event)}\n\n".encode())
                self.wfile.write(b": here\n\n")
                self.wfile.flush()
        except OSError:
            return  # the browser went away

    def _static(self, path: str) -> None:
        root = self.server.service.static.resolve()
        file = (root / path.lstrip("/")).resolve()
        if not file.is_file() or root not in file.parents:
            file = root / "index.html"
        kind = STATIC_TYPES.get(file.suffix, "text/html; charset=utf-8")
        age = "public, max-age=31536000, immutable" if "assets" in file.parts else "no-store"
        self._bytes(file.read_bytes(), kind, {"Content-Security-Policy": CSP, "Cache-Control": age})

    def _json(self, told: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._bytes(json.dumps(told).encode(), "application/json", {"Cache-Control": "no-store"}, status)

    def _bytes(
        self, data: bytes, kind: str, headers: dict[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _session(self, *_: Any) -> None:
        self._json(self.server.service.session())

    def _logout(self, *_: Any) -> None:
        self.server.service.user = None
        self._bytes(b"", "text/plain", status=HTTPStatus.NO_CONTENT)

    def _password(self, _: Any, __: Any, content: Any) -> None:
        if content["old"] != USERS[self.server.service.user or ""][1]:
            return self._json({"detail": "the old password is wrong"}, HTTPStatus.FORBIDDEN)
        self.server.service.must_change = False
        return self._json(self.server.service.session())

    def _studies(self, _: Any, query: dict[str, str], __: Any) -> None:
        self._json(self.server.service.listing(query, unquote(self.headers.get("X-Search", "")).lower()))

    def _study(self, found: re.Match[str], *_: Any) -> None:
        study = self._of(found)
        if study is not None:
            files = [
                {"name": name, "kind": Path(name).suffix[1:], "size": len(data)} for name, data in study.files.items()
            ]
            series = [{"series_instance_uid": s.told["series_instance_uid"], "modality": "CT", "number": 2,
                       "description": s.told["description"]} for s in study.series]  # fmt: skip
            more = {"series": series, "result": study.results, "files": files, "deliveries_list": study.deliveries}
            self._json(study.row | more)

    def _of(self, found: re.Match[str]) -> FakeStudy | None:
        study = self.server.service.studies.get(int(found[1]))
        if study is None:
            self._json({"detail": "no such study"}, HTTPStatus.NOT_FOUND)
        return study

    def _images(self, found: re.Match[str], *_: Any) -> None:
        study = self._of(found)
        if study is not None:
            self._json({"result_id": study.row["result_id"], "series": [series.told for series in study.series]})

    def _slice(self, found: re.Match[str], *_: Any) -> None:
        study = self._of(found)
        if study is not None:
            data = study.series[int(found[2])].slices[int(found[3])]
            kept = {"Content-Encoding": "gzip", "Cache-Control": "private, max-age=31536000, immutable"}
            self._bytes(data, "application/octet-stream", kept)

    def _heat(self, found: re.Match[str], *_: Any) -> None:
        study = self._of(found)
        if study is not None:
            data = study.series[int(found[2])].heat[found[3], int(found[4])]
            kept = {"Content-Encoding": "gzip", "X-Shape": "128,128"}
            self._bytes(data, "application/octet-stream", kept)

    def _file(self, found: re.Match[str], *_: Any) -> None:
        study = self._of(found)
        if study is not None:
            name = found[2]
            kind = CONTENT_TYPES.get(Path(name).suffix, "application/octet-stream")
            self._bytes(study.files[name], kind, {"Content-Disposition": f'attachment; filename="{name}"'})

    def _report(self, found: re.Match[str], *_: Any) -> None:
        study = self._of(found)
        if study is not None:
            page = next(data for name, data in study.files.items() if name.endswith(".html"))
            self._bytes(page, "text/html; charset=utf-8")

    def _read(self, found: re.Match[str], _: Any, content: Any) -> None:
        study = self._of(found)
        if study is not None:
            study.row |= {"read_at": time.time() if content["read"] else None,
                          "read_by": self.server.service.user if content["read"] else ""}  # fmt: skip
            self.server.service.publish("study", study.row["id"])
            self._json({"read": content["read"]})

    def _feedback(self, found: re.Match[str], *_: Any) -> None:
        study = self._of(found)
        if study is not None:
            self._json({"feedback": study.feedback[::-1]})

    def _say(self, found: re.Match[str], _: Any, content: Any) -> None:
        study = self._of(found)
        if study is not None:
            told = {"id": len(study.feedback) + 1, "user": self.server.service.user, "time": time.time(), **content}
            study.feedback.append(told)
            study.row["feedback"] += 1
            self._json(told, HTTPStatus.CREATED)

    def _done(self, *_: Any) -> None:
        self._json({})

    def _dashboard(self, _: Any, query: dict[str, str], __: Any) -> None:
        self._json(dashboard(int(query.get("days", "7"))))

    def _admin(self, found: re.Match[str], *_: Any) -> None:
        if USERS[self.server.service.user or ""][0] != "administrator":
            return self._json({"detail": "only for administrators"}, HTTPStatus.FORBIDDEN)
        return self._json(ADMIN_ANSWERS[found[1]])

    def _made_user(self, _: Any, __: Any, content: Any) -> None:
        self._json({"user": {"id": 9, **(content or {})}, "password": "told-once-to-you"}, HTTPStatus.CREATED)

    def _made_token(self, _: Any, __: Any, content: Any) -> None:
        self._json({"row": {"id": 9, **content}, "token": "secret-told-once"}, HTTPStatus.CREATED)


ROUTES: list[tuple[str, Callable[..., None]]] = [
    (r"GET /api/session", Handler._session),
    (r"DELETE /api/session", Handler._logout),
    (r"POST /api/session/password", Handler._password),
    (r"GET /api/studies", Handler._studies),
    (r"GET /api/studies/(\d+)", Handler._study),
    (r"GET /api/studies/(\d+)/images", Handler._images),
    (r"GET /api/studies/(\d+)/images/(\d+)/(\d+)", Handler._slice),
    (r"GET /api/studies/(\d+)/images/(\d+)/heat/(\w+)/(\d+)", Handler._heat),
    (r"GET /api/studies/(\d+)/files/([^/]+)", Handler._file),
    (r"GET /api/studies/(\d+)/report", Handler._report),
    (r"POST /api/studies/(\d+)/read", Handler._read),
    (r"POST /api/studies/(\d+)/analyse", Handler._done),
    (r"POST /api/deliveries/(\d+)/retry", Handler._done),
    (r"GET /api/studies/(\d+)/feedback", Handler._feedback),
    (r"POST /api/studies/(\d+)/feedback", Handler._say),
    (r"GET /api/dashboard", Handler._dashboard),
    (r"GET /api/(users|tokens|audit|refusals|jobs|system)", Handler._admin),
    (r"POST /api/users", Handler._made_user),
    (r"PATCH /api/users/(\d+)", Handler._made_user),
    (r"POST /api/tokens", Handler._made_token),
    (r"DELETE /api/tokens/(\d+)", Handler._done),
]


class FakeServer(ThreadingHTTPServer):
    """On a free port of this machine; use as a context manager."""

    daemon_threads = True

    def __init__(self, service: FakeService, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.service = service
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> "FakeServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.service.stopping = True
        with self.service.changed:
            self.service.changed.notify_all()
        self.shutdown()
        self._thread.join()
        self.server_close()
