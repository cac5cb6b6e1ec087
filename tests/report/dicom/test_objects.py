"""What the DICOM results hold."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
import pydicom
from pydicom.dataset import Dataset
from tests.dicom_builders import STUDY, enhanced, head_series
from tests.report.dicom.results import AT, Case, case_of, first_series, place_in, write_files

from ichscan.dicom import open_series
from ichscan.errors import NotDicomError, UnreadableFileError
from ichscan.report.contact_sheet import tiles_shown
from ichscan.report.dicom import (
    key_objects,
    parametric_map,
    read_source,
    secondary_capture,
    structured_report,
    write_dicom,
)
from ichscan.report.dicom.write import to_bytes
from ichscan.report.findings import Findings

FEET_FIRST_TILTED = [-1, 0, 0, 0, np.cos(0.3), np.sin(0.3)]


def _everything(case: Case) -> list[Dataset]:
    made = [
        structured_report(case.findings, case.source),
        structured_report(case.findings, case.source, enhanced=True),
        parametric_map(case.findings, case.source, case.volume, case.prediction),
        key_objects(case.findings, case.source),
        *secondary_capture(case.findings, case.source, case.volume, case.prediction),
    ]
    return [one for one in made if one is not None]


def _read(dataset: Dataset) -> Dataset:
    return pydicom.dcmread(io.BytesIO(to_bytes(dataset)))


def _items(dataset: Dataset, value_type: str) -> list[Dataset]:
    """Content items of a type, in the order of the tree."""
    found: list[Dataset] = []
    for item in dataset.get("ContentSequence", ()):
        if item.ValueType == value_type:
            found.append(item)
        found += _items(item, value_type)
    return found


def _not_analysed(reason: str) -> Findings:
    return Findings(False, reason, STUDY, f"{STUDY}.1", "CT", (), (), (), (), (), (), (), None)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return case_of(write_files(tmp_path / "plain", head_series()))


def test_a_rerun_gives_the_same_bytes(case: Case, tmp_path: Path) -> None:
    again = case_of(tmp_path / "plain")
    assert [to_bytes(one) for one in _everything(case)] == [to_bytes(one) for one in _everything(again)]
    first = write_dicom(tmp_path / "out", _everything(case))
    assert write_dicom(tmp_path / "out", [*_everything(again), None]) == first
    assert len(list((tmp_path / "out").iterdir())) == len(first) == 4 + 6


def test_identifiers_differ_between_objects_and_kinds(case: Case) -> None:
    made = _everything(case)
    assert len({one.SOPInstanceUID for one in made}) == len(made)
    assert len({one.SeriesInstanceUID for one in made}) == 5
    assert {one.StudyInstanceUID for one in made} == {STUDY}
    assert all(one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID for one in made)


def test_late_slices_make_another_result(case: Case, tmp_path: Path) -> None:
    more = case_of(write_files(tmp_path / "more", head_series(7)))
    assert structured_report(more.findings, more.source).SOPInstanceUID != (
        structured_report(case.findings, case.source).SOPInstanceUID
    )


def test_the_report_states_presence_probability_side_and_place(case: Case) -> None:
    report = _read(structured_report(case.findings, case.source))
    assert (report.CompletionFlag, report.VerificationFlag, report.PreliminaryFlag) == (
        "COMPLETE",
        "UNVERIFIED",
        "PRELIMINARY",
    )
    codes = [item.ConceptCodeSequence[0].CodeValue for item in _items(report, "CODE")]
    assert codes.count("52101004") == 2  # present
    assert codes.count("272519000") == 3  # absent
    assert codes.count("373068000") == 1  # undetermined
    assert codes.count("7771000") == 2  # left
    values = [float(item.MeasuredValueSequence[0].NumericValue) for item in _items(report, "NUM")]
    assert values[::3] == [0.4, 0.01, 0.01, 0.01, 0.9, 0.9]
    points = _items(report, "SCOORD3D")
    place = place_in(case.volume)
    assert len(points) == 3
    assert all(np.allclose(point.GraphicData, place.lps_mm or (), atol=1e-4) for point in points)
    assert {point.ReferencedFrameOfReferenceUID for point in points} == {f"{STUDY}.9"}


@pytest.mark.parametrize("without", [True, False])
def test_without_frame_of_reference_the_place_is_one_of_the_image(tmp_path: Path, without: bool) -> None:
    tags: dict[str, Any] = {"FrameOfReferenceUID": None} if without else {}
    case = case_of(write_files(tmp_path, head_series(**tags)))
    report = _read(structured_report(case.findings, case.source, enhanced=not without))
    points = _items(report, "SCOORD")
    assert not _items(report, "SCOORD3D")
    assert [list(point.GraphicData) for point in points] == [[AT[2] + 0.5, AT[1] + 0.5]] * 3
    assert points[0].ContentSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == f"{STUDY}.1.4"


@pytest.mark.parametrize("orientation", [[1, 0, 0, 0, 1, 0], [1, 0, 0, 0, -1, 0], FEET_FIRST_TILTED])
def test_the_map_peaks_at_the_place_of_the_lesion(tmp_path: Path, orientation: list[float]) -> None:
    normal = np.cross(orientation[:3], orientation[3:])
    files = []
    for index in range(6):
        (data,) = head_series(1, SOPInstanceUID=f"{STUDY}.1.{index + 1}", ImageOrientationPatient=orientation)
        one = pydicom.dcmread(io.BytesIO(data))
        one.ImagePositionPatient = [round(float(v), 9) for v in np.array([5, -7, 30]) + 5 * index * normal]
        files.append(to_bytes(one))
    case = case_of(write_files(tmp_path, files))
    made = parametric_map(case.findings, case.source, case.volume, case.prediction)
    assert made is not None
    stored = _read(made)
    frame, row, column = np.unravel_index(np.argmax(stored.pixel_array), stored.pixel_array.shape)
    shared = stored.SharedFunctionalGroupsSequence[0]
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float)
    spacing = np.array(shared.PixelMeasuresSequence[0].PixelSpacing, float)
    group = stored.PerFrameFunctionalGroupsSequence[frame]
    corner = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
    at = corner + cosines[:3] * spacing[1] * column + cosines[3:] * spacing[0] * row
    expected = np.array(place_in(case.volume).lps_mm)
    assert np.linalg.norm(at - expected) < 1.5  # a cell is 2 mm wide, its centre 1.5 pixels from the lesion's
    source = group.DerivationImageSequence[0].SourceImageSequence[0]
    assert source.ReferencedSOPInstanceUID == case.volume.sop_instance_uids[AT[0]]
    assert stored.pixel_array.max() > 0.5  # the mean of a peak no wider than a cell of the map


def test_without_geometry_there_is_no_map(tmp_path: Path) -> None:
    case = case_of(write_files(tmp_path, head_series(ImagePositionPatient=None, ImageOrientationPatient=None)))
    assert parametric_map(case.findings, case.source, case.volume, case.prediction) is None
    assert _items(structured_report(case.findings, case.source), "SCOORD")


def test_captures_show_the_heat_at_the_lesion_and_name_their_source(case: Case) -> None:
    made = [_read(one) for one in secondary_capture(case.findings, case.source, case.volume, case.prediction)]
    assert [one.InstanceNumber for one in made] == [1, 2, 3, 4, 5, 6]
    assert [one.SourceImageSequence[0].ReferencedSOPInstanceUID for one in made] == list(case.volume.sop_instance_uids)
    lit = made[AT[0]].pixel_array.astype(int)
    left = (lit.shape[1] - 64) // 2  # narrow pictures are centred above the legend
    picture = lit[:64, left : left + 64]
    row, column = np.unravel_index(np.argmax(picture[..., 0] - picture[..., 2]), picture.shape[:2])
    assert abs(row - AT[1]) <= 3
    assert abs(column - AT[2]) <= 3
    assert list(made[0].PatientOrientation) == ["L", "P"]


def test_captures_of_a_thin_series_are_the_most_suspicious_of_neighbours(tmp_path: Path) -> None:
    case = case_of(write_files(tmp_path, head_series(150)))
    captures = secondary_capture(case.findings, case.source, case.volume, case.prediction)
    made = [int(one.InstanceNumber) - 1 for one in captures]
    assert made == tiles_shown(case.prediction)[0]
    assert AT[0] in made
    assert len(made) == 75


def test_captures_of_mirrored_slices_are_shown_as_radiologists_look_at_them(tmp_path: Path) -> None:
    case = case_of(write_files(tmp_path, head_series(ImageOrientationPatient=[-1, 0, 0, 0, -1, 0])))
    made = next(secondary_capture(case.findings, case.source, case.volume, case.prediction))
    assert list(made.PatientOrientation) == ["L", "P"]


def test_key_objects_are_the_positive_slices(case: Case) -> None:
    made = key_objects(case.findings, case.source)
    assert made is not None
    images = _items(_read(made), "IMAGE")
    assert [image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID for image in images] == [f"{STUDY}.1.4"]


def test_a_multi_frame_source_is_referenced_by_frame(tmp_path: Path) -> None:
    case = case_of(write_files(tmp_path, [enhanced(6, reverse=True)]))
    frame = 6 - AT[0]  # frames are stored from superior to inferior
    made = key_objects(case.findings, case.source)
    assert made is not None
    assert _items(made, "IMAGE")[0].ReferencedSOPSequence[0].ReferencedFrameNumber == frame
    report = structured_report(case.findings, case.source)
    assert frame in {item.ReferencedSOPSequence[0].ReferencedFrameNumber for item in _items(report, "IMAGE")}
    pictures = list(secondary_capture(case.findings, case.source, case.volume, case.prediction))
    assert [one.SourceImageSequence[0].ReferencedFrameNumber for one in pictures] == [6, 5, 4, 3, 2, 1]


def test_a_series_that_was_not_analysed_says_so_and_why(tmp_path: Path) -> None:
    series = first_series(write_files(tmp_path, head_series(2)))
    findings = _not_analysed("2 slices: fewer than the 3 that a scan needs")
    source = read_source(series.files)
    report = _read(structured_report(findings, source))
    assert report.CompletionFlag == "PARTIAL"
    assert findings.reason in [item.TextValue for item in _items(report, "TEXT")]
    assert report.StudyInstanceUID == STUDY
    assert _conclusion(report) == ["The images have to be read without the model."]
    assert key_objects(findings, source) is None


def test_the_report_says_in_words_what_a_person_looks_for(case: Case) -> None:
    for other in (False, True):
        report = _read(structured_report(case.findings, case.source, enhanced=other))
        assert _conclusion(report)[0] == "Intracranial hemorrhage suspected: subdural hemorrhage, left."


def _conclusion(report: Dataset) -> list[str]:
    texts = _items(report, "TEXT")
    return [str(item.TextValue) for item in texts if item.ConceptNameCodeSequence[0].CodeMeaning == "Conclusion"]


def test_a_zip_member_is_read_again(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for number, data in enumerate(head_series()):
            archive.writestr(f"s/{number}", data)
    case = case_of(tmp_path / "a.zip")
    assert structured_report(case.findings, case.source).PatientID == "SECRET-4711"


def test_what_is_no_dicom_or_gone_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="put it back"):
        read_source(["bytes 1"])
    with pytest.raises(UnreadableFileError, match="at least one file"):
        read_source([])
    (tmp_path / "x.txt").write_text("no image, but longer than the preamble of a file" * 9)
    with pytest.raises((NotDicomError, UnreadableFileError)):
        read_source([str(tmp_path / "x.txt")])


def test_scans_without_identifiers_are_not_mixed_up(tmp_path: Path) -> None:
    nameless = dict.fromkeys(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID"))
    reports = []
    for number in range(2):
        case = case_of(write_files(tmp_path / str(number), head_series(7 - number, **nameless)))
        reports.append(structured_report(case.findings, case.source))
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
        assert reports[0][keyword].value != reports[1][keyword].value


def test_results_beside_their_source_are_no_source(case: Case, tmp_path: Path) -> None:
    folder = write_files(tmp_path / "study", head_series())
    written = write_dicom(folder / "results", _everything(case))
    intake = open_series([folder])
    assert (len(intake.series), len(intake.chosen), intake.problems) == (1, 1, ())
    assert intake.results == len(written) == 4 + 6
