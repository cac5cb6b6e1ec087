"""Orthanc (Debian's packages orthanc and orthanc-dicomweb) takes the results and files them in the source's study."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")

from tests.dicom_builders import head_series
from tests.report.dicom.results import case_of, write_files

from ichscan.report.dicom import key_objects, parametric_map, secondary_capture, structured_report, write_dicom

DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
ORTHANC = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        ORTHANC is None or not DICOMWEB.exists() or shutil.which("storescu") is None,
        reason="Orthanc or storescu is not installed (Debian's packages orthanc, orthanc-dicomweb and dcmtk)",
    ),
]
MODALITIES = {"CT": 6, "SR": 1, "KO": 1, "OT": 1 + 6}
BOUNDARY = "ichscan-results"


@dataclass(frozen=True)
class Server:
    http: int
    dicom: int

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=10) as answer:
            return json.load(answer)

    def instances(self) -> dict[str, int]:
        """Instances by modality of the only study."""
        (study,) = self.get("/studies")
        found: dict[str, int] = {}
        for series in self.get(f"/studies/{study}/series"):
            modality = series["MainDicomTags"]["Modality"]
            found[modality] = found.get(modality, 0) + len(series["Instances"])
        return found

    def stow(self, paths: list[Path]) -> Any:
        """Stores by DICOMweb (PS3.18 section 10.5)."""
        head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        body = b"".join(head + path.read_bytes() + b"\r\n" for path in paths) + f"--{BOUNDARY}--".encode()
        headers = {
            "Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}',
            "Accept": "application/dicom+json",
        }
        url = f"http://127.0.0.1:{self.http}/dicom-web/studies"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as answer:
            return json.load(answer)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(_free_port(), _free_port())
    settings = {
        "HttpPort": found.http, "DicomPort": found.dicom, "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "StorageDirectory": str(tmp_path / "db"), "IndexDirectory": str(tmp_path / "db"),
        "Plugins": [str(DICOMWEB)], "DicomWeb": {"Enable": True, "Root": "/dicom-web/"}, "OverwriteInstances": True,
    }  # fmt: skip
    (tmp_path / "orthanc.json").write_text(json.dumps(settings))
    log = (tmp_path / "orthanc.log").open("wb")
    process = subprocess.Popen([str(ORTHANC), str(tmp_path / "orthanc.json")], stdout=log, stderr=log)
    try:
        for _ in range(150):
            try:
                found.get("/system")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.2)
        else:
            pytest.fail(f"Orthanc did not start: {(tmp_path / 'orthanc.log').read_text()[-2000:]}")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Source and results."""
    folder = write_files(tmp_path / "in", head_series(StudyDate="20250102", PatientBirthDate="19700101"))
    case = case_of(folder)
    results = [
        structured_report(case.findings, case.source),
        parametric_map(case.findings, case.source, case.volume, case.prediction),
        key_objects(case.findings, case.source),
        *secondary_capture(case.findings, case.source, case.volume, case.prediction),
    ]
    return [*sorted(folder.iterdir()), *write_dicom(tmp_path / "out", results)]


def test_by_c_store_and_again(server: Server, files: list[Path]) -> None:
    for _ in range(2):
        subprocess.run(["storescu", "-R", "127.0.0.1", str(server.dicom), *files], check=True, capture_output=True)
        assert server.instances() == MODALITIES


def test_by_dicomweb(server: Server, files: list[Path]) -> None:
    answer = server.stow(files)
    assert not answer["00081198"].get("Value")  # Failed SOP Sequence
    assert len(answer["00081199"]["Value"]) == len(files)  # Referenced SOP Sequence: what was stored
    assert server.instances() == MODALITIES
