"""Real scans: RSNA 2019, a GE and a Philips head, every transfer syntax, CT-ICH pictures."""

from pathlib import Path

import numpy as np
import pytest

from ichscan.dicom import load_volume, open_series

LOSSLESS = ("Endian", "JPEGProcess14", "JPEGLSLossless", "LosslessOnly", "RLE", "Deflated")


def test_rsna_loose_files_become_one_study_and_singles(data_dir: Path) -> None:
    intake = open_series([data_dir / "rsna-2019-sample" / "stage_2_test"])
    assert intake.problems == ()
    assert [s.slices for s in intake.chosen] == [32]
    assert intake.chosen[0].study_instance_uid == "ID_1f6d1e8aeb"
    refused = [s for s in intake.series if s.reason is not None]
    assert sum(s.slices for s in refused) == 30
    assert all("fewer than the 3" in str(s.reason) for s in refused)
    volume = load_volume(intake.chosen[0])
    assert volume.hu.shape == (32, 512, 512)
    assert volume.tilt_deg == pytest.approx(11, abs=0.1)
    np.testing.assert_allclose(np.diff(volume.positions_mm), 5, atol=0.02)


def test_ge_head_with_two_thicknesses_and_tilt(data_dir: Path) -> None:
    volume = load_volume(open_series([data_dir / "dcm_qa_ct" / "ge"]).chosen[0])
    assert volume.hu.shape == (28, 512, 512)
    assert volume.tilt_deg == pytest.approx(18.5, abs=0.01)
    assert any("4 to 7 mm" in warning for warning in volume.warnings)
    assert volume.hu[:, 0, 0].max() == -1000  # padding -1500


def test_philips_disc_with_localizers_and_captures(data_dir: Path) -> None:
    folder = data_dir / "dcm_qa_ct" / "philips"
    for path in (folder, folder / "DICOMDIR"):
        intake = open_series([path])
        assert [(s.slices, s.description) for s in intake.chosen] == [(28, "CT, STD BRAIN 5MM, 512 x 512")]
        reasons = sorted(str(s.reason).split(",")[0] for s in intake.series if s.reason)
        assert reasons == ["a localizer (scout)"] * 2 + ["a secondary capture (a picture of a screen or report)"] * 2


def test_every_transfer_syntax_is_read_or_refused_with_a_reason(data_dir: Path) -> None:
    files = sorted((data_dir / "ct-transfer-syntaxes").glob("*.dcm"))
    reference = load_volume(open_series([f for f in files if f.name == "CTImage.dcm"]).series[0], force=True).hu
    for file in files:
        (series,) = open_series([file]).series
        assert series.reason is not None
        if not file.name.startswith("CTImage"):
            continue
        hu = load_volume(series, force=True).hu
        if any(name in file.name for name in LOSSLESS) or file.name == "CTImage.dcm":
            np.testing.assert_array_equal(hu, reference, err_msg=file.name)
        else:
            assert np.abs(hu.astype(int) - reference).mean() < 16, file.name


def test_fragments_without_offset_table(data_dir: Path) -> None:
    file = data_dir / "ct-transfer-syntaxes" / "CT0012.fragmented_no_bot_jpeg_baseline.51.dcm"
    (series,) = open_series([file]).series
    assert load_volume(series, force=True).hu.shape == (2, 512, 512)


def test_ct_ich_pictures(data_dir: Path) -> None:
    patients = sorted((data_dir / "ct-ich-1.0.0" / "Patients_CT").iterdir())[:3]
    for patient in patients:
        intake = open_series([patient], window=(40, 120))
        assert len(intake.chosen) == 1
        volume = load_volume(intake.chosen[0])
        assert (volume.hu.min(), volume.hu.max()) == (-20, 100)
