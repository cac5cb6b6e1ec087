"""Orthanc (Debian's packages orthanc and orthanc-dicomweb) takes the results and files them in the source's study."""

import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")

import cv2
import numpy as np
import pydicom
from tests.dicom_builders import head_series
from tests.report.dicom.results import case_of, write_files
from tests.report.dicom.sources import JPEG_2000, japanese, jpeg_2000, minimal, multi_frame

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

    def post(self, path: str, body: bytes) -> None:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", body, timeout=10):
            pass

    def clear(self) -> None:
        for study in self.get("/studies"):
            request = urllib.request.Request(f"http://127.0.0.1:{self.http}/studies/{study}", method="DELETE")
            with urllib.request.urlopen(request, timeout=30):
                pass

    def picture(self, path: str) -> "np.ndarray[Any, Any]":
        """What Orthanc draws: (rows, cols, 3) BGR."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=10) as answer:
            found = cv2.imdecode(np.frombuffer(answer.read(), np.uint8), cv2.IMREAD_COLOR)
        assert found is not None
        return found

    def found_by_dicomweb(self) -> dict[str, list[str]]:
        """Study Instance UID -> modalities of its series, by QIDO-RS (PS3.18 section 10.6)."""
        found: dict[str, list[str]] = {}
        for series in self.get("/dicom-web/series?includefield=StudyInstanceUID"):
            modality = series["00080060"]["Value"][0]
            found.setdefault(series["0020000D"]["Value"][0], []).append(modality)
        return {study: sorted(modalities) for study, modalities in found.items()}

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


def _with_results(source: Path, out: Path) -> list[Path]:
    """Files of the source, and of the results on it."""
    case = case_of(source)
    results = [
        structured_report(case.findings, case.source),
        parametric_map(case.findings, case.source, case.volume, case.prediction),
        key_objects(case.findings, case.source),
        *secondary_capture(case.findings, case.source, case.volume, case.prediction),
    ]
    return [*map(Path, dict.fromkeys(case.volume.files)), *write_dicom(out, results)]


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Source and results."""
    made = head_series(StudyDate="20250102", PatientBirthDate="19700101")
    return _with_results(write_files(tmp_path / "in", made), tmp_path / "out")


def _store(server: Server, files: list[Path]) -> None:
    # storescu proposes one kind of compression per association; -R: and only the SOP classes that there are
    for proposed in ("-xe", "-xv", "-xw"):
        of = [path for path in files if _syntax(path) == proposed]
        if of:
            command = ["storescu", "-R", proposed, "127.0.0.1", str(server.dicom), *of]
            subprocess.run(command, check=True, capture_output=True)


def _syntax(path: Path) -> str:
    """Option of storescu that proposes the transfer syntax of a file."""
    syntax = pydicom.dcmread(path, stop_before_pixels=True).file_meta.TransferSyntaxUID
    return {"1.2.840.10008.1.2.4.90": "-xv", "1.2.840.10008.1.2.4.91": "-xw"}.get(syntax, "-xe")


def test_by_c_store_and_again(server: Server, files: list[Path]) -> None:
    for _ in range(2):
        _store(server, files)
        assert server.instances() == MODALITIES


def test_by_dicomweb(server: Server, files: list[Path]) -> None:
    answer = server.stow(files)
    assert not answer["00081198"].get("Value")  # Failed SOP Sequence
    assert len(answer["00081199"]["Value"]) == len(files)  # Referenced SOP Sequence: what was stored
    assert server.instances() == MODALITIES


def test_pictures_are_shown_as_they_were_made(server: Server, files: list[Path]) -> None:
    _store(server, files)
    captures = [path for path in files if path.name.startswith("capture")]
    assert captures
    for path in captures:
        made = pydicom.dcmread(path)
        (found,) = (i for i in server.get("/instances") if _uid(server, i) == made.SOPInstanceUID)
        np.testing.assert_array_equal(server.picture(f"/instances/{found}/preview")[..., ::-1], made.pixel_array)


def _uid(server: Server, instance: str) -> str:
    return str(server.get(f"/instances/{instance}")["MainDicomTags"]["SOPInstanceUID"])


@pytest.mark.parametrize(
    "make", [japanese, jpeg_2000, multi_frame, "dcm_qa_ct/ge", "dcm_qa_ct/philips", f"ct-transfer-syntaxes/{JPEG_2000}"]
)
def test_results_are_beside_their_source(
    server: Server, make: Callable[[], list[bytes]] | str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if isinstance(make, str):
        source = request.getfixturevalue("data_dir") / make
        if not source.exists():
            pytest.skip(f"{make} is not there")
    else:
        source = write_files(tmp_path / "in", make())
    files = _with_results(source, tmp_path / "out")
    header = pydicom.dcmread(files[0], stop_before_pixels=True)
    for send in (_store, _stow):
        server.clear()
        send(server, files)
        assert server.found_by_dicomweb() == {header.StudyInstanceUID: ["CT", "KO", "OT", "OT", "SR"]}
        (patient,) = server.get("/patients")  # of results and source, or there were two
        assert server.get(f"/patients/{patient}")["MainDicomTags"]["PatientName"] == str(header.PatientName)


def _stow(server: Server, files: list[Path]) -> None:
    assert not server.stow(files)["00081198"].get("Value")


@pytest.mark.parametrize("make", [minimal, "rsna-2019-sample/stage_2_test"])
def test_results_on_what_has_no_valid_uids_are_beside_their_source_in_the_patient(
    server: Server, make: Callable[[], list[bytes]] | str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Challenge data have names for UIDs, which no valid object may repeat: another study, of the same patient."""
    source = (
        request.getfixturevalue("data_dir") / make if isinstance(make, str) else write_files(tmp_path / "in", make())
    )
    if not source.exists():
        pytest.skip(f"{make} is not there")
    files = _with_results(source, tmp_path / "out")
    results = [path for path in files if path.parent == tmp_path / "out"]
    for path in {*files} - {*results}:
        server.post("/instances", path.read_bytes())  # by no standard way, since they lack their class
    _stow(server, results)
    assert sorted(server.found_by_dicomweb().values()) == [["CT"], ["KO", "OT", "OT", "SR"]]
    assert len(server.get("/patients")) == 1
