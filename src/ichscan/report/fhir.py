"""The findings as FHIR R4 (4.0.1): one Bundle that a hospital's server takes in one request.

The bundle is a `transaction`, not a `collection`: a server stores its entries whole or not at all, and each entry is a
conditional update by the resource's identifier, so that sending the same result again replaces it. Identifiers are
UUIDs of version 5 (RFC 9562) made of the images, the model and the version of ichscan; there is no time stamp, so that
the same findings give the same bytes.

A series that was not analysed has status `cancelled`, which FHIR defines as "not started or not completed".
`registered` would promise a result, and `entered-in-error` would withdraw one. Its Observation says `not-performed`, so
that software which reads observations only cannot take silence for absence.
"""

import base64
import json
import re
from html import escape
from typing import Any, Final
from uuid import NAMESPACE_URL, UUID, uuid5

from ichscan import __version__
from ichscan.report.codes import (
    CT_HEAD,
    HEMORRHAGES,
    IMAGING,
    LATERALITY,
    PROBABILITY,
    SERIES_UID,
    SIDES,
    STATES,
    Code,
)
from ichscan.report.findings import PRESENT, Finding, Findings, Place
from ichscan.report.text import draft, one_line, sentences
from ichscan.report.wording import ENGLISH
from ichscan.types import ModelIdentity

Resource = dict[str, Any]

SYSTEMS: Final = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
}
TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"
OID: Final = re.compile(r"[0-2](\.(0|[1-9][0-9]*))+")
UUID_SYSTEM: Final = "urn:ietf:rfc:3986"
NAMESPACE: Final = uuid5(NAMESPACE_URL, "urn:ichscan:fhir")


def bundle(findings: Findings, patient: str | None = None) -> Resource:
    """The Bundle as JSON types: DiagnosticReport, one Observation per label and the Device.

    The study is told by a logical reference (its Study Instance UID (0020,000D) as `urn:oid:`), since its ImagingStudy
    belongs to the archive. No patient data: whoever sends the bundle says which Patient is meant.

    Args:
        findings: of one series, analysed or not.
        patient: reference to a FHIR Patient (`Patient/123`); None = no subject.
    """
    seed = _seed(findings)
    device = _device(findings.model) if findings.model is not None else None
    shared = _shared(findings, patient)
    if device is not None:
        shared["device"] = _reference("Device", device)
    if findings.analysed:
        observations = [_observation(findings, finding, seed) for finding in findings.findings]
    else:
        observations = [_not_performed(findings, seed)]
    observations = [one | shared for one in observations]
    report = _report(findings, seed, observations) | {k: v for k, v in shared.items() if k == "subject"}
    resources = [report, *observations] + ([device] if device is not None else [])
    return {"resourceType": "Bundle", "type": "transaction", "entry": [_entry(one) for one in resources]}


def to_json(findings: Findings, patient: str | None = None) -> str:
    """The Bundle as text: the same findings give the same text."""
    return json.dumps(bundle(findings, patient), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _seed(findings: Findings) -> str:
    """What makes a result this result: its images and the model. Parts of a split series differ in their images."""
    source = [findings.study_instance_uid, findings.series_instance_uid, *findings.sop_instance_uids]
    if not findings.analysed:  # several unreadable files have no UID at all
        source += [findings.reason]
    model = findings.model
    by = [model.name, model.version, model.sha256] if model is not None else []
    return json.dumps([__version__, source, by])


def _identity(kind: str, seed: str) -> list[Resource]:
    name: UUID = uuid5(NAMESPACE, f"{kind} {seed}")
    return [{"system": UUID_SYSTEM, "value": f"urn:uuid:{name}"}]


def _entry(resource: Resource) -> Resource:
    identifier = resource["identifier"][0]
    kind = resource["resourceType"]
    url = f"{kind}?identifier={identifier['system']}%7C{identifier['value']}"
    return {"fullUrl": identifier["value"], "resource": resource, "request": {"method": "PUT", "url": url}}


def _reference(kind: str, resource: Resource) -> Resource:
    return {"reference": resource["identifier"][0]["value"], "type": kind}


def _concept(code: Code) -> Resource:
    coding = {"system": SYSTEMS[code.scheme], "code": code.value, "display": code.meaning}
    return {"coding": [coding], "text": code.meaning}


def _hl7(system: str, code: str, display: str) -> Resource:
    return {"coding": [{"system": TERMINOLOGY + system, "code": code, "display": display}]}


def _study(findings: Findings) -> list[Resource]:
    if not findings.study_instance_uid:
        return []
    # Challenge data carry names instead of UIDs, which are no object identifiers.
    uid = one_line(findings.study_instance_uid)
    value = f"urn:oid:{uid}" if OID.fullmatch(uid) else uid
    return [{"type": "ImagingStudy", "identifier": {"system": "urn:dicom:uid", "value": value}}]


def _shared(findings: Findings, patient: str | None) -> Resource:
    """What every Observation tells in the same way."""
    shared: Resource = {"category": [_hl7("observation-category", "imaging", "Imaging")]}
    if patient:
        shared["subject"] = {"reference": patient}
    if study := _study(findings):
        shared["derivedFrom"] = study
    return shared


def _report(findings: Findings, seed: str, observations: list[Resource]) -> Resource:
    report: Resource = {
        "resourceType": "DiagnosticReport",
        "text": _narrative(findings),
        "identifier": _identity("DiagnosticReport", seed),
        "status": "preliminary" if findings.analysed else "cancelled",
        "category": [_hl7("v2-0074", "CT", "CAT Scan")] if findings.analysed else [],
        "code": _concept(CT_HEAD if findings.analysed else IMAGING),
        "result": [_reference("Observation", one) for one in observations],
        "imagingStudy": _study(findings),
        "conclusion": " ".join(one.text for one in sentences(findings) if one.section == "impression"),
        "conclusionCode": [_concept(HEMORRHAGES[f.label].name) for f in findings.findings if f.state == PRESENT],
        "presentedForm": [_text(findings)],
    }
    return {key: value for key, value in report.items() if value != []}  # FHIR has no empty arrays


def _observation(findings: Findings, finding: Finding, seed: str) -> Resource:
    coded = HEMORRHAGES[finding.label]
    observation: Resource = {
        "resourceType": "Observation",
        "identifier": _identity(f"Observation {finding.label}", seed),
        "status": "preliminary",
        "code": _concept(coded.name) | {"text": ENGLISH[finding.label]},
        "valueCodeableConcept": _concept(STATES[finding.state]),
        "bodySite": _concept(coded.site),
        "component": [
            _component(_concept(PROBABILITY), "valueQuantity", _share(finding.probability)),
            _component({"text": "Threshold of the probability"}, "valueQuantity", _share(finding.threshold)),
            *_where(findings, finding),
        ],
    }
    return observation


def _not_performed(findings: Findings, seed: str) -> Resource:
    absent = _hl7("data-absent-reason", "not-performed", "Not Performed")
    absent["text"] = one_line(findings.reason, 1000)
    observation: Resource = {
        "resourceType": "Observation",
        "identifier": _identity("Observation any", seed),
        "status": "cancelled",
        "code": _concept(HEMORRHAGES["any"].name),
        "dataAbsentReason": absent,
    }
    if series := _series(findings):
        observation["component"] = series
    return observation


def _where(findings: Findings, finding: Finding) -> list[Resource]:
    """Side, series, slices and point of a finding; slices only where some are at or above their threshold."""
    found = _series(findings)
    if finding.side:
        found.append(_component(_concept(LATERALITY), "valueCodeableConcept", _concept(SIDES[finding.side])))
    if finding.slices:
        name = {"text": "Number of slices at or above the slice threshold"}
        found.append(_component(name, "valueInteger", len(finding.slices)))
        uid = findings.sop_instance_uids[finding.strongest]
        if uid:
            name = {"text": "SOP Instance UID of the slice with the highest probability"}
            found.append(_component(name, "valueString", one_line(uid)))
    if finding.place is not None and finding.place.lps_mm is not None:
        found.append(_component({"text": "Strongest evidence, mm, LPS"}, "valueString", _point(finding.place)))
    return found


def _series(findings: Findings) -> list[Resource]:
    if not findings.series_instance_uid:
        return []
    return [_component(_concept(SERIES_UID), "valueString", one_line(findings.series_instance_uid))]


def _component(code: Resource, kind: str, value: object) -> Resource:
    return {"code": code, kind: value}


def _share(value: float) -> Resource:
    return {"value": round(value, 4), "system": "http://unitsofmeasure.org", "code": "1"}


def _point(place: Place) -> str:
    return ", ".join(f"{value:.1f}" for value in place.lps_mm or ())


def _device(model: ModelIdentity) -> Resource:
    """The model: its name, version and the SHA-256 of its weights."""
    return {
        "resourceType": "Device",
        "identifier": _identity("Device", json.dumps([model.name, model.version, model.sha256])),
        "deviceName": [{"name": one_line(model.name), "type": "model-name"}],
        "type": {"text": "Software that detects intracranial hemorrhage in head CT"},
        "version": [
            {"value": one_line(model.version)},
            {"type": {"text": "SHA-256 of the weights"}, "value": model.sha256},
        ],
    }


def _text(findings: Findings) -> Resource:
    """The draft report as an attachment."""
    data = base64.b64encode(draft(findings).encode("utf-8")).decode("ascii")
    return {"contentType": "text/plain; charset=utf-8", "language": "en", "data": data, "title": ENGLISH["title"]}


def _narrative(findings: Findings) -> Resource:
    """The draft report as XHTML without anything but paragraphs (FHIR R4, Narrative): what a viewer shows."""
    lines = "".join(f"<p>{escape(line)}</p>" for line in draft(findings).splitlines() if line)
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{lines}</div>'}
