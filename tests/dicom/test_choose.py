"""Which series are analysed, and the reason for every one that is not."""

from typing import Any

import pytest
from tests import dicom_builders as build

from ichscan.dicom import Series, open_series


def _only(files: list[bytes]) -> Series:
    series = open_series(files).series
    assert len(series) == 1
    return series[0]


def test_a_plain_head_series_is_chosen_without_warnings() -> None:
    series = _only(build.head_series(20))
    assert series.reason is None
    assert series.slices == 20
    assert series.warnings == ()


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ({"Modality": "MR"}, "modality is MR"),
        ({"Modality": "CR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1"}, "modality is CR"),
        ({"Modality": "SR", "SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.67"}, "structured report"),
        ({"SOPClassUID": build.SECONDARY_CAPTURE}, "secondary capture"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "colour picture"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SeriesDescription": "Topogram 0.6"}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen capture"),
        ({"ImageType": ["DERIVED", "PRIMARY", "PERFUSION", "RCBF"]}, "derived map"),
        ({"ImageOrientationPatient": build.CORONAL}, "coronal"),
        ({"ImageOrientationPatient": build.SAGITTAL}, "sagittal"),
        ({"BodyPartExamined": "CHEST", "SeriesDescription": "Helical"}, "body part is CHEST"),
        ({"BodyPartExamined": None, "SeriesDescription": "Abdomen venous"}, "abd"),
        ({"BodyPartExamined": None, "SeriesDescription": "C-Spine", "StudyDescription": "CT HEAD"}, "spine"),
        ({"PixelData": None}, "no Pixel Data"),
        ({"Rows": 16384, "Columns": 16384}, "16384 x 16384"),
        ({"Rows": None}, "claim 0 x 64"),
        ({"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0}, "Bits Allocated"),
        ({"ImagePositionPatient": [float("nan")] * 3}, "nan"),
        ({"ImageOrientationPatient": [0, 0, 0, 0, 0, 0]}, "0020,0037"),
        ({"ImageOrientationPatient": [1, 0, 0, 1, 0, 0]}, "orthogonal"),
        ({"PixelSpacing": [0, 0]}, "0028,0030"),
        ({"PixelSpacing": [1e9, 1e9]}, "0028,0030"),
    ],
)
def test_reasons_of_refusal(tags: dict[str, Any], said: str) -> None:
    series = _only(build.head_series(**tags))
    assert series.reason is not None
    assert said in series.reason


@pytest.mark.parametrize(
    "tags",
    [
        {"ImageType": None, "SeriesDescription": None, "SliceThickness": None, "SOPClassUID": None},
        {"BodyPartExamined": None, "StudyDescription": None, "ConvolutionKernel": None},
        {"BodyPartExamined": "CHEST", "SeriesDescription": "Brain 5mm"},
        {"StudyDescription": "CT HEAD AND NECK", "BodyPartExamined": None, "SeriesDescription": "5mm"},
        {"PixelSpacing": None},
        {"Modality": None, "SOPClassUID": None},
    ],
)
def test_absent_or_contradicting_optional_tags_do_not_refuse(tags: dict[str, Any]) -> None:
    assert _only(build.head_series(**tags)).reason is None


@pytest.mark.parametrize(("count", "said"), [(1, "1 slice: fewer than the 3"), (2, "2 slices: fewer than the 3")])
def test_too_few_slices(count: int, said: str) -> None:
    reason = _only(build.head_series(count)).reason
    assert reason is not None
    assert said in reason


def test_copies_of_one_slice_are_one_slice() -> None:
    reason = _only(build.head_series(1) * 5).reason
    assert reason == "1 slice (5 copies): fewer than the 3 that a scan needs"


@pytest.mark.parametrize(
    "tags",
    [
        {"ConvolutionKernel": "H60s"},
        {"ConvolutionKernel": "BONEPLUS"},
        {"ConvolutionKernel": "FC30"},
        {"ConvolutionKernel": ["Hr59f", "3"]},
        {"ConvolutionKernel": None, "SeriesDescription": "Head bone 2mm"},
        {"ConvolutionKernel": None, "WindowWidth": "3000", "WindowCenter": "500"},
    ],
)
def test_bone_kernel_is_refused_only_beside_a_soft_tissue_twin(tags: dict[str, Any]) -> None:
    both = open_series(build.head_series() + build.twin_series(2, **tags)).series
    assert [series.reason is None for series in both] == [True, False]
    assert both[1].reason is not None
    assert "bone" in both[1].reason
    alone = _only(build.twin_series(2, **tags))
    assert alone.reason is None
    assert any("Sharp" in warning for warning in alone.warnings)


def test_bone_kernel_of_another_place_or_frame_is_kept() -> None:
    elsewhere = build.twin_series(2, ConvolutionKernel="H70h", FrameOfReferenceUID="1.2.3")
    assert [s.reason for s in open_series(build.head_series() + elsewhere).series] == [None, None]


def test_derived_axial_reformat_is_refused_only_beside_what_it_was_made_from() -> None:
    derived = build.twin_series(2, ImageType=["DERIVED", "SECONDARY", "AXIAL"])
    reasons = [s.reason for s in open_series(build.head_series() + derived).series]
    assert reasons[0] is None
    assert "derived" in str(reasons[1])
    assert _only(derived).reason is None


def test_mixed_planes_and_sizes_are_split_not_merged() -> None:
    files = build.head_series(6)
    files.append(build.to_bytes(build.slice_dataset(9, ImageOrientationPatient=build.CORONAL)))
    files += [build.to_bytes(build.slice_dataset(10 + i, build.head_hu(i, 96, 64))) for i in range(3)]
    tilted = [1, 0, 0, 0, 0.966, -0.259]
    files += [build.to_bytes(build.slice_dataset(20 + i, ImageOrientationPatient=tilted)) for i in range(4)]
    series = open_series(files).series
    assert [(s.slices, s.reason is None) for s in series] == [(6, True), (4, True), (3, True), (1, False)]
    assert all("split into 3 stacks" in s.warnings[0] for s in series[:3])


def test_a_localizer_inside_the_series_does_not_spoil_it() -> None:
    scout = build.to_bytes(build.slice_dataset(40, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    series = open_series([scout, *build.head_series(6)]).series
    assert [(s.slices, s.reason) for s in series] == [(6, None), (1, "a localizer (scout), not axial slices")]


def test_mixed_patients_are_kept_apart_and_never_named() -> None:
    files = build.head_series(5) + build.head_series(5, PatientID="OTHER-99", PatientName="Roe^Rick")
    intake = open_series(files)
    assert [s.slices for s in intake.series] == [5, 5]
    assert all(any("Patient IDs" in w for w in s.warnings) for s in intake.series)
    assert not any(secret in repr(intake.series) for secret in ("OTHER-99", "Roe", "Doe", build.PATIENT_ID))


def test_contrast_lossy_and_short_coverage_are_noted() -> None:
    series = _only(build.head_series(6, ContrastBolusAgent="IOHEXOL", LossyImageCompression="01"))
    assert series.reason is None
    said = " ".join(series.warnings)
    assert "Contrast" in said
    assert "Lossy" in said
    assert "cover 30 mm" in said


def test_absent_uids_are_grouped_by_folder_with_a_warning() -> None:
    series = _only(build.head_series(6, StudyInstanceUID=None, SeriesInstanceUID=None))
    assert series.reason is None
    assert any("grouped by folder" in warning for warning in series.warnings)
