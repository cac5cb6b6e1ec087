"""A real PACS: Orthanc with its DICOMweb plugin (Debian's packages orthanc and orthanc-dicomweb)."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tests.network import answers, free_port, until

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
BOUNDARY = "ichscan-results"
MISSING = PROGRAM is None or not PLUGIN.exists()
REASON = "Orthanc is not installed (Debian's packages orthanc and orthanc-dicomweb)"


@dataclass
class Orthanc:
    http: int
    dicom: int

    def get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.http}{path}", timeout=20) as answer:
            return json.load(answer)

    def post(self, path: str, body: Any) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.http}{path}", data)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)

    def upload(self, files: list[bytes]) -> str:
        """Its id of the study."""
        return str([self.post("/instances", data) for data in files][-1]["ParentStudy"])

    def instances(self) -> dict[str, int]:
        """Instances by modality of the only study."""
        (study,) = self.get("/studies")
        found: dict[str, int] = {}
        for series in self.get(f"/studies/{study}/series"):
            modality = series["MainDicomTags"]["Modality"]
            found[modality] = found.get(modality, 0) + len(series["Instances"])
        return found

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


@contextmanager
def orthanc(folder: Path, *, box_dicom: int = 104, box_web: int = 0, token: str = "",
            http: int = 0, dicom: int = 0) -> Iterator[Orthanc]:  # fmt: skip
    """Runs it; it knows the box as DICOM modality and as DICOMweb server."""
    found = Orthanc(http or free_port(), dicom or free_port())
    settings = {
        "HttpPort": found.http, "DicomPort": found.dicom, "DicomAet": "ORTHANC", "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False, "OverwriteInstances": True, "ConcurrentJobs": 2,
        "StorageDirectory": str(folder / "db"), "IndexDirectory": str(folder / "db"),
        "DicomModalities": {"box": ["ICHSCAN", "127.0.0.1", box_dicom]},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {
            "Enable": True, "Root": "/dicom-web/",
            "Servers": {"box": {"Url": f"http://127.0.0.1:{box_web}/dicom-web",
                                "HttpHeaders": {"Authorization": f"Bearer {token}"}}},
        },
    }  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    log = (folder / "orthanc.log").open("ab")
    process = subprocess.Popen([str(PROGRAM), str(folder / "orthanc.json")], stdout=log, stderr=log)
    try:
        until(lambda: answers(f"http://127.0.0.1:{found.http}/system"), 40, "Orthanc")
        yield found
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()
