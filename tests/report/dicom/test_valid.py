"""Other people's tools take the results: dciodvfy (dicom3tools) finds no error, DCMTK's dsrdump shows the tree."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
import pydicom
from pydicom.dataset import Dataset
from tests.dicom_builders import head_series
from tests.report.dicom.results import Case, case_of, first_series, write_files
from tests.report.dicom.sources import JPEG_2000, MADE, hostile, minimal

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
LONGEST = {"PN": 3 * 64 + 2, "LO": 64, "SH": 16, "CS": 16, "ST": 1024, "LT": 10_240, "UT": 20_000}
"""Characters of a value (PS3.5 section 6.2); of unlimited text, no more than was there."""


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


@needs_dciodvfy
@pytest.mark.parametrize("make", MADE)
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
    _check(write_dicom(tmp_path / "out", [_refused(tmp_path)]))


def _refused(tmp_path: Path) -> Dataset:
    series = first_series(write_files(tmp_path / "in", head_series(2)))
    findings = Findings(
        False, "2 slices: too few", series.study_instance_uid, series.series_instance_uid, "CT",
        (), (), (), (), (), (), (), None,
    )  # fmt: skip
    return structured_report(findings, read_source(series.files))


@needs_dciodvfy
def test_hostile_text_stays_text_of_the_length_that_is_allowed(tmp_path: Path) -> None:
    case = case_of(write_files(tmp_path / "in", hostile()))
    nasty = "</text>\x00\x1b[31m\r\n<script>alert(1)</script>\\" + "x" * 10_000
    found = replace(case.findings, warnings=(nasty,), not_assessed=(nasty,), series_description=nasty)
    paths = write_dicom(tmp_path / "out", _results(replace(case, findings=found)))
    _check(paths)
    for path in paths:
        for element in pydicom.dcmread(path).iterall():
            if element.VR not in LONGEST or element.value is None:
                continue
            for value in element.value if element.VM > 1 else [element.value]:
                assert str(value).isprintable(), element.keyword
                assert len(str(value)) <= LONGEST[element.VR], element.keyword
    report = pydicom.dcmread(paths[0])
    assert report.PatientID.startswith("<script>alert('x')</script>")
    texts = [str(one.value) for one in report.iterall() if one.keyword == "TextValue"]
    assert sum("<script>alert(1)</script>" in text for text in texts) == 2


needs_dsrdump = pytest.mark.skipif(
    shutil.which("dsrdump") is None, reason="dsrdump is not installed (Debian's package dcmtk)"
)


def _tree(path: Path) -> str:
    done = subprocess.run(["dsrdump", path], capture_output=True, text=True, errors="replace", check=True)
    faults = [line for line in done.stderr.splitlines() if line.startswith(("E:", "W:"))]
    assert not [line for line in faults if "Character" not in line]  # DCMTK warns that it does not check all of them
    return done.stdout


@needs_dsrdump
@pytest.mark.parametrize("make", MADE)
def test_the_tree_is_read_by_dcmtk(make: Callable[[], list[bytes]], tmp_path: Path) -> None:
    case = case_of(write_files(tmp_path / "in", make()))
    (path,) = write_dicom(tmp_path / "out", [structured_report(case.findings, case.source)])
    tree = _tree(path)
    for expected in (
        "Comprehensive 3D SR Document",
        "UNVERIFIED",
        'CODE:(,,"Finding")=(35486000,SCT,"Subdural intracranial hemorrhage")',
        'CODE:(,,"Laterality")=(7771000,SCT,"Left")',
        'CODE:(,,"Presence of property")=(52101004,SCT,"Present")',
        'NUM:(,,"Probability")="0.9"',
        "SCOORD" if make is minimal else "SCOORD3D",
    ):
        assert expected in tree
    lines = [line.lstrip("<") for line in tree.splitlines() if line.startswith(" ") or line.startswith("<")]
    groups = [line for line in lines if 'CONTAINER:(,,"Measurement Group")' in line]
    assert len(groups) == 6
    assert {_depth(line) for line in groups} == {_depth(lines[0]) + 4}


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip())


@needs_dsrdump
def test_the_tree_of_a_series_that_was_not_analysed(tmp_path: Path) -> None:
    tree = _tree(write_dicom(tmp_path / "out", [_refused(tmp_path)])[0])
    assert 'TEXT:(,,"Reason why the series was not analysed")="2 slices: too few"' in tree
    assert "PARTIAL" in tree
