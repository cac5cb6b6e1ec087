"""The bundled model gives the same probabilities whichever way a scan comes in."""

import json
from pathlib import Path

import numpy as np
import pytest
from tests.dicom_builders import slice_dataset, to_bytes

from ichscan.cli import main
from ichscan.dicom import load_volume, open_series
from ichscan.labels import LABELS
from ichscan.model.bundle import load_bundle
from ichscan.model.predict import predict
from ichscan.pipeline import analyse

WINDOW = (40.0, 120.0)


def test_python_command_line_and_converted_pictures_agree(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = data_dir / "ct-ich-1.0.0" / "Patients_CT" / "081" / "brain"
    (series,) = open_series([pictures], window=WINDOW).series
    volume = load_volume(series)
    direct = predict(volume, load_bundle(None))

    folder = tmp_path / "dicom"
    folder.mkdir()
    for i, hu in enumerate(volume.hu):
        dataset = slice_dataset(i, hu, ImagePositionPatient=[0, 0, float(volume.positions_mm[i])])
        (folder / f"{i}.dcm").write_bytes(to_bytes(dataset))
    (report,) = analyse([folder])
    assert report.prediction is not None
    np.testing.assert_allclose(report.prediction.slices, direct.slices, atol=1e-4)
    np.testing.assert_allclose(report.prediction.scan, direct.scan, atol=1e-4)

    for arguments in ([str(folder)], [str(pictures), "--window", "40,120"]):
        assert main(["predict", *arguments, "--json", "-"]) == 0
        (result,) = json.loads(capsys.readouterr().out)
        found = [[row["probabilities"][label] for label in LABELS] for row in result["slices"]]
        np.testing.assert_allclose(found, direct.slices, atol=1e-4)
        np.testing.assert_allclose([result["scan"][label]["probability"] for label in LABELS], direct.scan, atol=1e-4)
