"""The result JSON keeps to its schema, analysed or not."""

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from tests.samples import report

from ichscan.labels import LABELS
from ichscan.report.result import one_to_json, result, to_json
from ichscan.types import Report

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "src/ichscan/report/result.schema.json").read_text(encoding="utf-8")
)
KEYS = [
    *("schema", "status", "reason", "study_instance_uid", "series_instance_uid", "slices_analysed"),
    *("model", "scan", "slices", "warnings", "timing_s"),
]


def _strict(text: str) -> object:
    def refuse(name: str) -> None:
        raise AssertionError(f"{name} in JSON")

    return json.loads(text, parse_constant=refuse)


def test_analysed() -> None:
    found = result(report())
    jsonschema.validate(found, SCHEMA)
    assert list(found) == KEYS
    assert list(found["scan"]) == list(found["slices"][0]["probabilities"]) == list(LABELS)
    assert found["scan"]["any"] == {"probability": 0.9, "threshold": 0.5, "positive": True}
    assert found["slices"][1]["position_mm"] == 5.0
    assert _strict(one_to_json(result(report()))) == found


def test_not_analysable_has_the_same_keys() -> None:
    refused = Report("not_analysable", "a localizer", "1.2", "1.2.3", "CT", 1)
    found = result(refused)
    jsonschema.validate(found, SCHEMA)
    assert list(found) == KEYS


def test_always_an_array() -> None:
    assert _strict(to_json([])) == []
    assert _strict(to_json([result(report())])) == [result(report())]


def test_file_names_that_are_no_text() -> None:
    found = to_json([result(replace(report(), files=("caf\udce9.dcm",) + ("größe.dcm",) * 3))])
    found.encode("utf-8")
    assert "größe" in found
    assert "\\\\udce9" in found


def test_values_that_are_no_numbers_never_get_out() -> None:
    scan = report().prediction
    assert scan is not None
    broken = replace(report(), prediction=replace(scan, scan=np.full(6, np.nan, np.float32)))
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json([result(broken)])
