"""A real PACS as client: Orthanc's DICOMweb plugin stores to us, searches here, and fetches from here."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.dicom_builders import STUDY, head_series, twin_series
from tests.orthanc import MISSING, REASON, Orthanc, orthanc
from tests.service.dicomweb.conftest import BOUNDARY, Box, multipart, open_box

FILES = [*head_series(6), *twin_series(2, 3)]


@contextlib.contextmanager
def served(box: Box) -> Iterator[int]:
    """The application on a free port."""
    from ichscan.service.web.server import make_server

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = make_server(box.client.app, box.settings.web)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        end = time.monotonic() + 20
        while not server.started and time.monotonic() < end:
            time.sleep(0.01)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            thread.join(20)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Box, Orthanc]]:
    if MISSING:
        pytest.skip(REASON)
    folder = tmp_path_factory.mktemp("orthanc")
    box = open_box(folder / "data")
    with served(box) as port, orthanc(folder / "pacs", box_web=port, token=box.tokens["both"]) as pacs:
        study = pacs.upload(FILES)
        answer = pacs.post("/dicom-web/servers/box/stow", {"Resources": [study], "Synchronous": True})
        assert answer["InstancesCount"] == len(FILES) or answer["InstancesCount"] == str(len(FILES))
        box.registrar.run_once()
        yield box, pacs
    box.close()


def test_orthanc_stores_here(pair):
    box, _ = pair
    found = box.get("/studies").json()
    assert found[0]["00201208"]["Value"] == [len(FILES)]
    assert found[0]["0020000D"]["Value"] == [STUDY]


def test_orthanc_searches_here(pair):
    _, pacs = pair
    found = pacs.post("/dicom-web/servers/box/qido", {"Uri": "/studies", "Arguments": {"PatientName": "doe*"}})
    assert "SECRET-4711" in str(found)
    assert STUDY in str(found)


def test_orthanc_fetches_from_here(pair):
    _, pacs = pair
    url = f"http://127.0.0.1:{pacs.http}"
    [study] = pacs.get("/studies")
    before = {one["ID"] for one in pacs.get(f"/studies/{study}/instances")}
    assert httpx.delete(f"{url}/studies/{study}").status_code == 200
    assert pacs.get("/studies") == []
    pacs.post("/dicom-web/servers/box/retrieve", {"Resources": [{"Study": STUDY}], "Synchronous": True})
    [study] = pacs.get("/studies")
    assert {one["ID"] for one in pacs.get(f"/studies/{study}/instances")} == before
    files = {httpx.get(f"{url}/instances/{one}/file").content for one in before}
    assert files == set(FILES)


def test_an_upload_that_breaks_off_leaves_whole_files_only(tmp_path):
    box = open_box(tmp_path / "data")
    spool = box.settings.folder / "spool"
    deadline = time.monotonic() + 20
    body = multipart(FILES)
    head = (
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {box.tokens['store']}\r\n"
        f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY}\r\n'
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    with served(box) as port:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(head + body[: int(len(body) * 0.6)])
            while len(list(spool.glob("*.dcm"))) < 3 and time.monotonic() < deadline:
                time.sleep(0.05)
        while (list(spool.glob("*.part")) or not list(spool.glob("*.end"))) and time.monotonic() < deadline:
            time.sleep(0.05)
        stored = sorted(spool.glob("*.dcm"))
        assert [one.read_bytes() for one in stored] == FILES[: len(stored)]
        assert 3 <= len(stored) <= 6
        assert not list(spool.glob("*.part"))
    box.close()


def test_the_whole_body_is_not_held_in_memory(tmp_path):
    """A body of 100 MiB: the process does not grow by it."""
    import resource

    box = open_box(tmp_path / "data")
    [file] = head_series(1)
    big = file + b"\0" * (100 << 20)
    head = (
        f"POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {box.tokens['store']}\r\n"
        f"Content-Type: application/dicom\r\nContent-Length: {len(big)}\r\nConnection: close\r\n\r\n"
    ).encode()
    with served(box) as port:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            connection.sendall(head)
            connection.sendall(big)
            answer = connection.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 << 10
    box.close()
