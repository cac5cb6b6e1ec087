"""TLS with dcmtk's programs and certificates made here by openssl."""

import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from tests.dicom_builders import head_series
from tests.service.node.box import Start, until

from ichscan.errors import UsageError
from ichscan.service.node import Node
from ichscan.service.settings import DicomSettings, Settings
from ichscan.service.spool import Spool


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate and its key."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    key, made = folder / f"{name}.key", folder / f"{name}.pem"
    subprocess.run(
        [program, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", made, "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return made, key


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Path]]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: certificate(folder, name) for name in ("node", "scanner", "stranger")}


def test_callers_show_a_certificate_and_may_send(
    start: Start, certificates: dict[str, tuple[Path, Path]], tmp_path: Path
) -> None:
    (node, node_key), (scanner, scanner_key) = certificates["node"], certificates["scanner"]
    box = start(tls_certificate=str(node), tls_key=str(node_key), tls_authorities=str(scanner))
    path = tmp_path / "one.dcm"
    path.write_bytes(head_series(1)[0])
    code, said = call(box, "storescu", ["+tls", scanner_key, scanner, "+cf", node], path)
    assert code == 0, said
    assert len(box.images) == 1

    stranger, stranger_key = certificates["stranger"]
    assert call(box, "echoscu", ["+tls", stranger_key, stranger, "+cf", node])[0] != 0
    assert call(box, "echoscu", ["-ic", "+tla"])[0] != 0
    assert call(box, "echoscu", [])[0] != 0
    assert until(lambda: len(box.refusals) >= 3)
    assert all("TLS could not be agreed on" in reason for _, reason in box.refusals)
    assert call(box, "echoscu", ["+tls", scanner_key, scanner, "+cf", node])[0] == 0


def test_a_caller_that_stops_in_the_handshake_holds_up_nobody(
    start: Start, certificates: dict[str, tuple[Path, Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ichscan.service.node.server.HANDSHAKE_S", 1.0)
    node, key = certificates["node"]
    box = start(tls_certificate=str(node), tls_key=str(key))
    slow = [socket.create_connection(("127.0.0.1", box.node.port)) for _ in range(5)]
    for one in slow:
        one.sendall(b"\x16\x03\x01")
    assert call(box, "echoscu", ["+tla", "+cf", node])[0] == 0
    assert until(lambda: len(box.refusals) == 5, 4)
    for one in slow:
        one.close()


def test_files_that_cannot_be_used_are_told(tmp_path: Path, certificates: dict[str, tuple[Path, Path]]) -> None:
    node, _ = certificates["node"]
    _, other_key = certificates["stranger"]
    for told in (
        {"tls_certificate": str(tmp_path / "none.pem")},
        {"tls_certificate": str(node), "tls_key": str(other_key)},
        {"tls_key": str(other_key)},
        {"tls_authorities": str(node)},
    ):
        settings = Settings(folder=tmp_path, dicom=DicomSettings(**told))
        with pytest.raises(UsageError, match=r"dicom\.tls_"):
            Node(settings, Spool(settings))


def call(box: object, program: str, options: list[str | Path], *files: Path) -> tuple[int, str]:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian's package dcmtk)")
    port = box.node.port  # type: ignore[attr-defined]
    command = [found, "-v", *options, "-aec", "ICHSCAN", "127.0.0.1", str(port), *files]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.returncode, done.stdout + done.stderr
