"""Deliveries to DICOM nodes, DICOMweb servers and hooks, also when these misbehave."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
pytest.importorskip("pynetdicom", reason="the extra `serve` is not installed")

from sqlalchemy import delete
from tests.network import free_port
from tests.service.running.archive import STORED, Archive
from tests.service.running.held import Held

from ichscan.errors import UsageError
from ichscan.model.bundle import load_bundle
from ichscan.service.jobs import deliver
from ichscan.service.jobs.deliver import Sender
from ichscan.service.jobs.worker import Worker
from ichscan.service.send import dicomweb, dimse
from ichscan.service.send.failure import DeliveryError
from ichscan.service.send.http import authorization, post
from ichscan.service.settings import DicomSettings, Hook, Peer, SendSettings, Settings, WebPeer
from ichscan.service.tables import Audit, Instance, Job
from ichscan.service.validate import validate

NODE = DicomSettings()

# pynetdicom leaves the socket of a call that nobody took to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("leftovers"),
]


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A structured report and a secondary capture."""
    from tests.dicom_builders import head_series
    from tests.report.dicom.results import case_of, write_files

    from ichscan.report.dicom import secondary_capture, structured_report, write_dicom

    folder = tmp_path_factory.mktemp("objects")
    case = case_of(write_files(folder / "in", head_series(StudyDate="20250102")))
    captures = list(secondary_capture(case.findings, case.source, case.volume, case.prediction))
    return write_dicom(folder / "out", [structured_report(case.findings, case.source), captures[0]])


@contextmanager
def listening(**changes: Any) -> Iterator[Archive]:
    one = Archive(free_port(), **changes)
    one.start()
    try:
        yield one
    finally:
        one.stop()


def _peer(port: int) -> Peer:
    return Peer("archive", "ARCHIVE", port=port)


def test_c_store_and_echo(objects: list[Path]) -> None:
    with listening() as archive:
        dimse.echo(_peer(archive.port), NODE)
        assert dimse.store(_peer(archive.port), NODE, objects) == 2
        assert [path.stem.split("-")[-1] for path in objects] == archive.received


@pytest.mark.parametrize(("status", "stored"), [(0xB000, True), (0x0107, True), (0xA700, False), (0x0124, False)])
def test_statuses(objects: list[Path], status: int, stored: bool) -> None:
    with listening(status=status) as archive:
        if stored:
            assert dimse.store(_peer(archive.port), NODE, objects) == 2
        else:
            with pytest.raises(DeliveryError, match=f"found 0: status 0x{status:04X}"):
                dimse.store(_peer(archive.port), NODE, objects)


def test_a_class_that_is_not_taken(objects: list[Path]) -> None:
    with listening(takes=STORED[:1]) as archive:
        with pytest.raises(DeliveryError, match="found 1: it does not take Secondary Capture"):
            dimse.store(_peer(archive.port), NODE, objects)
        assert len(archive.received) == 1


def test_nobody_there(objects: list[Path]) -> None:
    with pytest.raises(DeliveryError, match="no association"):
        dimse.store(_peer(free_port()), NODE, objects)
    with pytest.raises(DeliveryError):
        dimse.store(_peer(free_port()), NODE, [objects[0].with_name("gone.dcm")])


@dataclass
class Web:
    """An HTTP server that answers as it is told."""

    status: int = 200
    answer: bytes = b"{}"
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""


@pytest.fixture
def web() -> Iterator[Web]:
    told = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.requests.append((self.path, dict(self.headers), body))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(told.answer)))
            self.end_headers()
            self.wfile.write(told.answer)

        def log_message(self, *words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def test_stow(web: Web, objects: list[Path], tmp_path: Path) -> None:
    (tmp_path / "password").write_text("secret\n")
    peer = WebPeer("web", f"{web.url}/dicom-web/", user="box", password_file=str(tmp_path / "password"))
    assert dicomweb.store(peer, objects) == 2
    ((path, headers, body),) = web.requests
    assert path == "/dicom-web/studies"
    assert headers["Authorization"] == "Basic Ym94OnNlY3JldA=="
    assert body.count(b"Content-Type: application/dicom\r\n") == 2
    assert all(one.read_bytes() in body for one in objects)


FAILED = json.dumps({"00081198": {"vr": "SQ", "Value": [{"00081197": {"vr": "US", "Value": [43264]}}]}}).encode()


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        (202, FAILED, "found 1: 0xA900"), (200, FAILED, "found 1"), (409, b"no JSON", "found 0: HTTP 409"),
        (401, b"", "found 401"), (500, b"<html>", "found 500"), (302, b"", "found 302"), (409, b"[1]", "found 0"),
    ],
)  # fmt: skip
def test_stow_refused(web: Web, objects: list[Path], status: int, answer: bytes, said: str) -> None:
    web.status, web.answer, web.headers = status, answer, {"Location": "http://127.0.0.1:1/elsewhere"}
    with pytest.raises(DeliveryError, match=said):
        dicomweb.store(WebPeer("web", web.url), objects)
    assert len(web.requests) == 1


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "http://x:99999/", "http://"])
def test_wrong_addresses(url: str) -> None:
    with pytest.raises(DeliveryError):
        post("x", url, {}, b"")


def test_missing_secrets() -> None:
    with pytest.raises(DeliveryError, match="cannot be read"):
        authorization("x", token_file="/nowhere/token")
    assert authorization("x") == {}


@pytest.fixture
def ready(tmp_path: Path, fake_bundle: Path) -> Iterator[Callable[..., Held]]:
    """A study that was analysed, whose deliveries wait."""
    opened: list[Held] = []

    def make(send: SendSettings, peers: tuple[Peer, ...] = (), **tags: object) -> Held:
        one = Held(tmp_path / f"data{len(opened)}", send=send)
        opened.append(one)
        one.settings = replace(one.settings, dicom=replace(one.settings.dicom, peers=peers))
        one.due(**tags)
        Worker(one.settings, one.database, load_bundle(fake_bundle, threads=1), "worker").run_once()
        return one

    yield make
    for one in opened:
        one.database.close()


def test_hooks(ready: Callable[..., Held], web: Web, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("key")
    hooks = (
        Hook("json", f"{web.url}/a?b=c", only_positive=False, token_file=str(tmp_path / "token")),
        Hook("fhir", f"{web.url}/fhir", kind="fhir", only_positive=False),
    )
    held = ready(SendSettings(hooks=hooks, exports=()))
    sender = Sender(held.settings, held.database, "sender")
    assert sender.run_once()
    assert sender.run_once()
    (path, headers, body), (_, fhir_headers, fhir) = web.requests
    told = json.loads(body)
    assert path == "/a?b=c"
    assert headers["Authorization"] == "Bearer key"
    assert headers["Idempotency-Key"].startswith("ichscan-")
    assert (told["schema"], told["patient_id"], told["status"]) == ("ichscan.notice/1", "SECRET-1", "analysed")
    assert b"Patient1" not in body
    assert json.loads(fhir)["resourceType"] == "Bundle"
    assert fhir_headers["Content-Type"] == "application/fhir+json"
    assert [row.detail for row in held.rows(Audit) if row.action == "deliver"] == ["hook json", "hook fhir"]


def test_demo_tells_no_identifiers(ready: Callable[..., Held], web: Web) -> None:
    hooks = (Hook("json", web.url, only_positive=False), Hook("fhir", web.url, kind="fhir", only_positive=False))
    held = ready(SendSettings(hooks=hooks, exports=()), SeriesDescription="Secret ward")
    settings = replace(held.settings, web=replace(held.settings.web, demo=True))
    sender = Sender(settings, held.database, "sender")
    assert sender.run_once()
    assert sender.run_once()
    bodies = [body for _, _, body in web.requests]
    assert [b"SECRET" in body.upper() for body in bodies] == [False, False]
    assert "study_instance_uid" not in json.loads(bodies[0])


def test_after_an_hour_away_everything_goes_at_once(ready: Callable[..., Held], fake_bundle: Path) -> None:
    peer = _peer(free_port())
    held = ready(SendSettings(to=("archive",), exports=("sr",), retry_s=0.2), (peer,))
    held.due(2)
    Worker(held.settings, held.database, load_bundle(fake_bundle, threads=1), "worker").run_once()
    sender = Sender(held.settings, held.database, "sender")
    assert sender.run_once()
    assert "no association" in held.rows(Job)[1].error
    with held.database.write() as session:
        for job in session.query(Job).where(Job.kind == "send"):
            job.attempts, job.run_after = 12, job.run_after + 3000  # an hour of failures
        session.get_one(Job, next(job.id for job in held.rows(Job) if job.kind == "send")).run_after = 0.0
    archive = Archive(peer.port)
    archive.start()
    try:
        sender._silent.clear()
        assert sender.run_once()
        assert sender.run_once(), "woken by the first that arrived"
        assert not sender.run_once()
    finally:
        archive.stop()
    assert [job.state for job in held.rows(Job) if job.kind == "send"] == ["done", "done"]
    assert len(set(archive.received)) == 2


def test_what_never_arrives_is_set_aside_and_a_silent_receiver_is_spared(ready: Callable[..., Held]) -> None:
    peer = _peer(free_port())
    held = ready(SendSettings(to=("archive",), exports=("sr",), retry_s=0.1, attempts=2), (peer,))
    sender = Sender(held.settings, held.database, "sender")
    assert sender.run_once()
    with held.database.write() as session:
        session.get_one(Job, 2).run_after = 0.0
    sender._silent["archive"] = float("inf")
    assert sender.run_once()
    job = held.rows(Job)[1]
    assert job.state == "set_aside"
    assert "not tried" in job.error


def test_a_result_without_objects_is_no_delivery(ready: Callable[..., Held]) -> None:
    peers = (Peer("archive", "ARCHIVE", port=9),)
    held = ready(SendSettings(to=("archive",), exports=("sr",)), peers)
    with held.database.write() as session:
        session.execute(delete(Instance).where(Instance.made_here.is_(True)))
    assert Sender(held.settings, held.database, "sender").run_once()
    job = held.rows(Job)[-1]
    assert (job.state, job.attempts) == ("set_aside", 1)
    assert job.error == "archive: the objects could not be made: nothing was sent"


def test_receivers_need_structured_reports() -> None:
    peers = DicomSettings(peers=(Peer("archive", "ARCHIVE", port=9),))
    with pytest.raises(UsageError, match='expected "sr"'):
        validate(Settings(dicom=peers, send=SendSettings(to=("archive",), exports=("heatmaps",))))
    with pytest.raises(UsageError, match="back_to_sender: expected"):
        validate(Settings(dicom=DicomSettings(peers=(Peer("ct", "CT1"),)), send=SendSettings(back_to_sender=True)))


def test_a_receiver_that_left_the_settings(ready: Callable[..., Held]) -> None:
    held = ready(SendSettings(to=("archive",), exports=("sr",)), (_peer(free_port()),))
    settings = replace(held.settings, dicom=replace(held.settings.dicom, peers=()))
    assert Sender(settings, held.database, "sender").run_once()
    assert "found none" in held.rows(Job)[1].error


def test_a_result_that_was_replaced_is_not_sent(ready: Callable[..., Held]) -> None:
    held = ready(SendSettings(to=("archive",), exports=("sr",)), (_peer(free_port()),))
    with held.database.write() as session:
        from ichscan.service.tables import Result

        session.query(Result).update({"current": False})
    assert Sender(held.settings, held.database, "sender").run_once()
    assert held.rows(Job)[1].state == "outdated"


def test_an_unexpected_answer_ends_one_delivery(
    ready: Callable[..., Held], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    held = ready(SendSettings(to=("archive",), exports=("sr",)), (_peer(free_port()),))

    def odd(*words: Any) -> int:
        raise KeyError("Doe^Jane")

    monkeypatch.setattr(deliver.dimse, "store", odd)
    assert Sender(held.settings, held.database, "sender").run_once()
    assert "unexpected KeyError" in held.rows(Job)[1].error
    assert "Doe" not in held.rows(Job)[1].error
