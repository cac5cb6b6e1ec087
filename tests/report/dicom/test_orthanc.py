"""Orthanc (Debian's packages orthanc and orthanc-dicomweb) takes the results and files them in the source's study."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")

import numpy as np
import pydicom
from tests.dicom_builders import head_series
from tests.orthanc import MISSING, Orthanc, orthanc
from tests.report.dicom.results import case_of, write_files
from tests.report.dicom.sources import JPEG_2000, japanese, jpeg_2000, minimal, multi_frame

from ichscan.report.dicom import key_objects, parametric_map, secondary_capture, structured_report, write_dicom

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        MISSING or shutil.which("storescu") is None,
        reason="Orthanc or storescu is not installed (Debian's packages orthanc, orthanc-dicomweb and dcmtk)",
    ),
]
MODALITIES = {"CT": 6, "SR": 1, "KO": 1, "OT": 1 + 6}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Orthanc]:
    with orthanc(tmp_path / "orthanc") as found:
        yield found


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


def _store(server: Orthanc, files: list[Path]) -> None:
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


def test_by_c_store_and_again(server: Orthanc, files: list[Path]) -> None:
    for _ in range(2):
        _store(server, files)
        assert server.instances() == MODALITIES


def test_by_dicomweb(server: Orthanc, files: list[Path]) -> None:
    answer = server.stow(files)
    assert not answer["00081198"].get("Value")  # Failed SOP Sequence
    assert len(answer["00081199"]["Value"]) == len(files)  # Referenced SOP Sequence: what was stored
    assert server.instances() == MODALITIES


def test_pictures_are_shown_as_they_were_made(server: Orthanc, files: list[Path]) -> None:
    _store(server, files)
    captures = [path for path in files if path.name.startswith("capture")]
    assert captures
    for path in captures:
        made = pydicom.dcmread(path)
        (found,) = (i for i in server.get("/instances") if _uid(server, i) == made.SOPInstanceUID)
        np.testing.assert_array_equal(server.picture(f"/instances/{found}/preview")[..., ::-1], made.pixel_array)


def _uid(server: Orthanc, instance: str) -> str:
    return str(server.get(f"/instances/{instance}")["MainDicomTags"]["SOPInstanceUID"])


@pytest.mark.parametrize(
    "make", [japanese, jpeg_2000, multi_frame, "dcm_qa_ct/ge", "dcm_qa_ct/philips", f"ct-transfer-syntaxes/{JPEG_2000}"]
)
def test_results_are_beside_their_source(
    server: Orthanc, make: Callable[[], list[bytes]] | str, tmp_path: Path, request: pytest.FixtureRequest
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


def _stow(server: Orthanc, files: list[Path]) -> None:
    assert not server.stow(files)["00081198"].get("Value")


@pytest.mark.parametrize("make", [minimal, "rsna-2019-sample/stage_2_test"])
def test_results_on_what_has_no_valid_uids_are_beside_their_source_in_the_patient(
    server: Orthanc, make: Callable[[], list[bytes]] | str, tmp_path: Path, request: pytest.FixtureRequest
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
