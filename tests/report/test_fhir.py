"""The FHIR bundle is valid R4, says what the findings say, and is the same every time."""

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests import samples

from ichscan.labels import LABELS
from ichscan.report.fhir import bundle, to_json
from ichscan.report.find import find
from ichscan.report.findings import PRESENT, Findings, Place
from ichscan.types import Report

fhir = pytest.importorskip("fhir.resources.R4B", reason="fhir.resources validates the bundle")
"""R4B (4.3.0) changed nothing in the resources used here: its validator is the current one for R4 (4.0.1)."""

SUBORDINATE = ["amended", "corrected", "cancelled", "entered-in-error", "unknown"]
"""What fhir.resources abbreviates as `+` in its list of statuses."""
UNREADABLE = Report("not_analysable", "a.dcm: truncated", "", "", "not read", 0)


def analysed() -> Findings:
    findings = find(samples.report(), samples.volume())
    placed = replace(
        findings.of("subdural"),
        state=PRESENT,
        slices=(2,),
        place=Place(2, 3.0, 4.0, (-21.25, 10.0, 5.04)),
        side="right",
    )
    return replace(findings, findings=tuple(placed if f.label == "subdural" else f for f in findings.findings))


def resources(found: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [entry["resource"] for entry in found["entry"] if entry["resource"]["resourceType"] == kind]


def valid(found: dict[str, Any]) -> None:
    """Structure and types by fhir.resources; required codes here, since the library leaves these to its users."""
    checked = fhir.get_fhir_model_class("Bundle").model_validate_json(json.dumps(found))
    assert json.loads(checked.model_dump_json()) == found
    for entry in checked.entry:
        for name, value, allowed in _coded(entry):
            assert value in (allowed + SUBORDINATE if "+" in allowed else allowed), f"{name} {value}"


def _coded(model: Any) -> Iterator[tuple[str, str, list[str]]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        extra = field.json_schema_extra or {}
        if isinstance(value, str) and "enum_values" in extra:
            yield name, value, extra["enum_values"]
        for one in value if isinstance(value, list) else [value]:
            if hasattr(type(one), "model_fields"):
                yield from _coded(one)


def test_the_checks_see_a_wrong_code() -> None:
    found = bundle(analysed())
    found["entry"][0]["resource"]["status"] = "guessed"
    with pytest.raises(AssertionError, match="status guessed"):
        valid(found)


@pytest.mark.parametrize(
    "findings", [analysed(), find(samples.report()), find(UNREADABLE)], ids=["placed", "without images", "unreadable"]
)
def test_valid(findings: Findings) -> None:
    valid(bundle(findings))
    valid(bundle(findings, patient="Patient/1"))


def test_says_what_the_findings_say() -> None:
    found = bundle(analysed())
    (report,) = resources(found, "DiagnosticReport")
    assert report["status"] == "preliminary"
    assert report["imagingStudy"][0]["identifier"] == {"system": "urn:dicom:uid", "value": "urn:oid:1.2"}
    observations = resources(found, "Observation")
    assert len(observations) == len(LABELS)
    subdural = observations[LABELS.index("subdural")]
    assert subdural["code"]["coding"][0]["code"] == "35486000"
    assert subdural["valueCodeableConcept"]["coding"][0]["code"] == "52101004"
    told = {one["code"]["text"]: one for one in subdural["component"]}
    assert told["Probability"]["valueQuantity"]["value"] == pytest.approx(0.6)
    assert told["Laterality"]["valueCodeableConcept"]["text"] == "Right"
    assert told["Strongest evidence, mm, LPS"]["valueString"] == "-21.2, 10.0, 5.0"
    assert told["Series Instance UID"]["valueString"] == "1.2.3"
    assert told["SOP Instance UID of the slice with the highest probability"]["valueString"] == "1.2.2"
    (device,) = resources(found, "Device")
    assert device["version"][1]["value"] == "0" * 64
    assert subdural["bodySite"]["coding"][0]["code"] == "1101003"
    assert observations[LABELS.index("intraventricular")]["bodySite"]["coding"][0]["code"] == "35764002"


def test_references_lead_into_the_bundle() -> None:
    found = bundle(analysed())
    names = {entry["fullUrl"] for entry in found["entry"]}
    assert len(names) == len(found["entry"]) == len(LABELS) + 2
    (report,) = resources(found, "DiagnosticReport")
    for reference in report["result"] + [one["device"] for one in resources(found, "Observation")]:
        assert reference["reference"] in names


def test_not_analysed_is_cancelled_and_says_why() -> None:
    found = bundle(find(UNREADABLE))
    (report,) = resources(found, "DiagnosticReport")
    (observation,) = resources(found, "Observation")
    assert report["status"] == observation["status"] == "cancelled"
    assert "truncated" in report["text"]["div"]
    assert "truncated" in base64.b64decode(report["presentedForm"][0]["data"]).decode("utf-8")
    assert "truncated" in observation["dataAbsentReason"]["text"]
    assert observation["dataAbsentReason"]["coding"][0]["code"] == "not-performed"
    assert "valueCodeableConcept" not in observation
    assert not resources(found, "Device")


def test_the_same_every_time_and_another_for_another_source() -> None:
    findings = analysed()
    assert to_json(findings) == to_json(analysed())
    later_slices = replace(findings, sop_instance_uids=("9.1", "9.2", "9.3", "9.4"))
    other_reason = find(replace(UNREADABLE, reason="b.dcm: truncated"))
    urls = [_urls(one) for one in (findings, later_slices, find(UNREADABLE), other_reason)]
    assert not set.intersection(urls[0], urls[1])
    assert not set.intersection(urls[2], urls[3])


def _urls(findings: Findings) -> set[str]:
    return {e["request"]["url"] for e in bundle(findings)["entry"] if e["resource"]["resourceType"] != "Device"}


def test_the_patient_is_only_who_is_asked_for() -> None:
    assert "subject" not in to_json(analysed())
    found = bundle(analysed(), patient="Patient/77")
    for one in resources(found, "Observation") + resources(found, "DiagnosticReport"):
        assert one["subject"] == {"reference": "Patient/77"}


def test_codes_are_those_of_the_structured_report() -> None:
    pytest.importorskip("highdicom", reason="the extra `report`")
    from ichscan.report import codes
    from ichscan.report.dicom import codes as dicom_codes

    def same(ours: codes.Code, theirs: Any) -> bool:
        return (ours.value, ours.scheme, ours.meaning) == (theirs.value, theirs.scheme_designator, theirs.meaning)

    for label, coded in codes.HEMORRHAGES.items():
        assert same(coded.name, dicom_codes.FINDINGS[label])
        assert same(coded.site, dicom_codes.SITES[label])
    assert all(same(codes.STATES[state], code) for state, code in dicom_codes.STATES.items())
    assert all(same(codes.SIDES[side], code) for side, code in dicom_codes.SIDES.items())
