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

from tests.service.running.box import answers, free_port, until

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")
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
