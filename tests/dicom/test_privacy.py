"""Neither messages nor logs nor records carry who the patient is."""

import logging
from typing import Any

import pytest
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series
from ichscan.errors import IchscanError


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"PatientName": "Doe^Jane" + "x" * 80},
        {"PatientID": "SECRET-4711" + "9" * 80},
        {"SOPInstanceUID": "not a uid SECRET-4711"},
        {"PixelData": bytes(100)},
        {"ImagePositionPatient": None, "InstanceNumber": None},
        {"Modality": "MR"},
    ],
)
def test_no_patient_data_in_messages_or_logs(tags: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    files = build.head_series(4, **tags)
    caplog.clear()
    said = []
    with caplog.at_level(logging.DEBUG):
        intake = open_series(files)
        said += [*intake.problems, *(f"{s.description} {s.reason} {s.warnings}" for s in intake.series)]
        for series in intake.series:
            try:
                said += load_volume(series, force=True).warnings
            except IchscanError as error:
                said.append(str(error))
    everything = " ".join(said) + caplog.text
    assert not any(secret in everything for secret in ("Doe", "Jane", "SECRET", "4711"))
