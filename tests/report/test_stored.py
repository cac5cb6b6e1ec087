"""Findings survive the result JSON: what is reported later is what was reported at once."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests import samples

from ichscan.errors import InputError
from ichscan.report.find import find
from ichscan.report.findings import Findings, Place
from ichscan.report.result import one_to_json, result
from ichscan.report.stored import from_result, rounded, stored
from ichscan.types import Report

SCHEMA = json.loads(
    (Path(__file__).resolve().parents[2] / "src/ichscan/report/result.schema.json").read_text(encoding="utf-8")
)
REFUSED = Report("not_analysable", "a caf\udce9 localizer", "1.2", "1.2.3", "CT, scout", 1, files=("a.dcm",))


def placed() -> Findings:
    findings = find(samples.report(), samples.volume())
    third = 1 / 3
    changed = [
        replace(f, place=Place(2, third, 7 * third, (third, -100 * third, third))) if f.label == "any" else f
        for f in findings.findings
    ]
    return replace(findings, findings=tuple(changed))


@pytest.mark.parametrize(
    ("report", "findings"),
    [
        (samples.report(), placed()),
        (samples.report(), find(samples.report())),
        (REFUSED, find(REFUSED)),
    ],
    ids=["placed", "without images", "refused"],
)
def test_round_trip(report: Report, findings: Findings) -> None:
    text = one_to_json(result(report, stored(findings)))
    text.encode("utf-8")
    found = json.loads(text)
    jsonschema.validate(found, SCHEMA)
    assert from_result(found) == rounded(findings)
    assert rounded(rounded(findings)) == rounded(findings)


def _without(key: str) -> dict[str, Any]:
    found = result(samples.report(), stored(placed()))
    del found[key]
    return found


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ([], "expected an object of schema ichscan.result/1"),
        ({"schema": "ichscan.result/2"}, "expected an object of schema ichscan.result/1"),
        (_without("findings"), "expected findings, found none"),
        (_without("scan"), "expected the keys"),
        (_without("slices") | {"slices": []}, "a slice beyond the 0"),
        (_without("findings") | {"findings": None}, "expected the keys"),
    ],
)
def test_what_is_no_result_is_refused(broken: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_result(broken)
