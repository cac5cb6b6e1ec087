"""Other people's tools take the results: dciodvfy (dicom3tools) finds no error, DCMTK's dsrdump shows the tree."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
from pydicom.dataset import Dataset
from tests.dicom_builders import enhanced, head_series, slice_dataset, to_bytes
from tests.report.dicom.results import Case, case_of, first_series, write_files

from ichscan.report.dicom import (
    key_objects,
    parametric_map,
    read_source,
    secondary_capture,
    structured_report,
    write_dicom,
)
from ichscan.report.findings import Findings

needs_dciodvfy = pytest.mark.skipif(
    shutil.which("dciodvfy") is None, reason="dciodvfy is not installed (Debian's package dicom3tools)"
)
JPEG_2000 = "CTImage.dcm_JPEG2000TransferSyntax_1.2.840.10008.1.2.4.91.dcm"
RSNA_LACKS = (
    "SOPClassUID", "FrameOfReferenceUID", "PatientName", "ImageType", "SeriesDescription", "BodyPartExamined",
    "ConvolutionKernel", "SliceThickness", "InstanceNumber",
)  # fmt: skip


def _results(case: Case) -> Iterator[Dataset | None]:
    yield structured_report(case.findings, case.source)
    yield structured_report(case.findings, case.source, enhanced=True)
    yield parametric_map(case.findings, case.source, case.volume, case.prediction)
    yield key_objects(case.findings, case.source)
    yield next(secondary_capture(case.findings, case.source, case.volume, case.prediction))


def _check(paths: list[Path]) -> None:
    for path in paths:
        done = subprocess.run(["dciodvfy", path], capture_output=True, text=True, errors="replace", check=False)
        faults = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
        assert not faults, path.name


def _minimal() -> list[bytes]:
    """Slices with the attributes that the RSNA challenge kept, and names for UIDs."""
    lacking = dict.fromkeys(RSNA_LACKS)
    return [
        to_bytes(
            slice_dataset(i, SOPInstanceUID=f"ID_{i}", StudyInstanceUID="ID_st", SeriesInstanceUID="ID_se", **lacking)
        )
        for i in range(6)
    ]


def _japanese() -> list[bytes]:
    return head_series(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう")


def _mirrored() -> list[bytes]:
    return head_series(ImageOrientationPatient=[-1, 0, 0, 0, -1, 0])


def _hostile() -> list[bytes]:
    nasty = "<script>alert('x')</script>\x00\x1b\n'; DROP TABLE studies;--" * 200
    return head_series(
        PatientName=nasty, PatientID=nasty, StudyDescription=nasty, SeriesDescription=nasty, AccessionNumber=nasty,
        ReferringPhysicianName="^^^^^^" + nasty, PatientBirthDate="yesterday", PatientSex="?", StudyTime="99",
        PatientAge="old", SpecificCharacterSet="NONE", SeriesNumber=2**31 - 1,
    )  # fmt: skip


def _multi_frame() -> list[bytes]:
    return [enhanced(6, reverse=True)]


@needs_dciodvfy
@pytest.mark.parametrize("make", [head_series, _japanese, _minimal, _mirrored, _multi_frame, _hostile])
def test_results_of_made_series(make: Callable[[], list[bytes]], tmp_path: Path) -> None:
    paths = write_dicom(tmp_path / "out", _results(case_of(write_files(tmp_path / "in", make()))))
    assert len(paths) == 5
    _check(paths)


@needs_dciodvfy
@pytest.mark.parametrize(
    "name", ["dcm_qa_ct/ge", "dcm_qa_ct/philips", "rsna-2019-sample/stage_2_test", f"ct-transfer-syntaxes/{JPEG_2000}"]
)
def test_results_of_real_series(data_dir: Path, name: str, tmp_path: Path) -> None:
    if not (data_dir / name).exists():
        pytest.skip(f"{name} is not at {data_dir}")
    paths = write_dicom(tmp_path, _results(case_of(data_dir / name)))
    assert len(paths) == 5
    _check(paths)


@needs_dciodvfy
def test_report_of_a_series_that_was_not_analysed(tmp_path: Path) -> None:
    series = first_series(write_files(tmp_path / "in", head_series(2)))
    findings = Findings(
        False, "2 slices: too few", series.study_instance_uid, series.series_instance_uid, "CT",
        (), (), (), (), (), (), (), None,
    )  # fmt: skip
    _check(write_dicom(tmp_path / "out", [structured_report(findings, read_source(series.files))]))


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dsrdump is not installed (Debian's package dcmtk)")
def test_the_tree_is_read_by_dcmtk(tmp_path: Path) -> None:
    case = case_of(write_files(tmp_path / "in", head_series()))
    (path,) = write_dicom(tmp_path / "out", [structured_report(case.findings, case.source)])
    done = subprocess.run(["dsrdump", path], capture_output=True, text=True, errors="replace", check=True)
    for expected in (
        "Comprehensive 3D SR Document",
        "UNVERIFIED",
        'CODE:(,,"Finding")=(35486000,SCT,"Subdural intracranial hemorrhage")',
        'CODE:(,,"Laterality")=(7771000,SCT,"Left")',
        'CODE:(,,"Presence of property")=(52101004,SCT,"Present")',
        'NUM:(,,"Probability")="0.9"',
        "SCOORD3D",
    ):
        assert expected in done.stdout
