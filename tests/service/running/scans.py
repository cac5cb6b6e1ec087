"""Studies that the tests send."""

import hashlib
from pathlib import Path

from pydicom import dcmread
from tests.dicom_builders import CT, head_hu, slice_dataset, to_bytes

from ichscan.dicom.quiet import quiet_pydicom

RSNA_STUDY = "ID_1f6d1e8aeb"


def uid(text: str) -> str:
    """A valid UID in place of one that is none (PS3.5 B.2)."""
    return f"2.25.{int(hashlib.sha256(text.encode()).hexdigest()[:30], 16)}"


def rsna_study(data_dir: Path) -> list[bytes]:
    """The 32 slices of a real study with blood. The challenge's identifiers (`ID_...`) become UIDs, as PACS have."""
    files = []
    with quiet_pydicom():
        for path in sorted((data_dir / "rsna-2019-sample" / "stage_2_test").iterdir()):
            dataset = dcmread(path)
            if dataset.StudyInstanceUID != RSNA_STUDY:
                continue
            for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
                setattr(dataset, keyword, uid(str(dataset[keyword].value)))
            dataset.SOPClassUID = CT  # the challenge left it out
            files.append(to_bytes(dataset))
    return files


def study(number: int, count: int = 6, **tags: object) -> list[bytes]:
    """A drawn head; numbers give different studies of different patients."""
    name = f"1.2.826.0.1.3680043.8.498.77.{number}"
    told = {"PatientID": f"SECRET-{number}", "PatientName": f"Secret^Patient{number}"} | tags
    return [
        to_bytes(
            slice_dataset(
                i,
                head_hu(i + number),
                StudyInstanceUID=name,
                SeriesInstanceUID=f"{name}.1",
                SOPInstanceUID=f"{name}.1.{i + 1}",
                **told,
            )
        )
        for i in range(count)
    ]


def write(folder: Path, files: list[bytes]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(files):
        (folder / f"{i:03d}.dcm").write_bytes(data)
    return folder
