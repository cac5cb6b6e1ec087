"""Results over TLS, and what a process says to systemd."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
pytest.importorskip("pynetdicom", reason="the extra `serve` is not installed")

from tests.network import free_port
from tests.service.node.test_tls import certificate
from tests.service.running.archive import Archive

from ichscan.service.notify import notify
from ichscan.service.send.dimse import echo
from ichscan.service.send.failure import DeliveryError
from ichscan.service.settings import DicomSettings, Peer

# pynetdicom leaves the socket of a call that failed to the garbage collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.usefixtures("leftovers"),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(folder, name) for name in ("archive", "box", "stranger")}


@pytest.fixture
def archive(files: dict[str, tuple[Path, Path]]) -> Iterator[Archive]:
    """Asks callers for the certificate of the box."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files["archive"])
    context.load_verify_locations(files["box"][0])
    context.verify_mode = ssl.CERT_REQUIRED
    one = Archive(free_port(), tls=context)
    one.start()
    yield one
    one.stop()


def _node(files: dict[str, tuple[Path, Path]], mine: str, trusted: str) -> DicomSettings:
    made, key = files[mine]
    return DicomSettings(tls_certificate=str(made), tls_key=str(key), tls_authorities=str(files[trusted][0]))


def test_both_sides_show_certificates(archive: Archive, files: dict[str, tuple[Path, Path]]) -> None:
    echo(Peer("archive", "ARCHIVE", port=archive.port, tls=True), _node(files, "box", "archive"))


@pytest.mark.parametrize(("mine", "trusted", "tls"), [("box", "stranger", True), ("stranger", "archive", True),
                                                      ("box", "archive", False)])  # fmt: skip
def test_otherwise_nothing_is_sent(
    archive: Archive, files: dict[str, tuple[Path, Path]], mine: str, trusted: str, tls: bool
) -> None:
    with pytest.raises(DeliveryError):
        echo(Peer("archive", "ARCHIVE", port=archive.port, tls=tls), _node(files, mine, trusted))


def test_a_certificate_that_cannot_be_read(archive: Archive) -> None:
    node = DicomSettings(tls_certificate="/nowhere", tls_key="/nowhere")
    with pytest.raises(DeliveryError, match="cannot be read"):
        echo(Peer("archive", "ARCHIVE", port=archive.port, tls=True), node)


def test_systemd_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify("READY=1")
