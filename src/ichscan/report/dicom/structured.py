"""The structured report: TID 1500 Measurement Report (PS3.16), unverified, as Comprehensive 3D SR or Enhanced SR."""

from typing import Final

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    Comprehensive3DSR,
    ContainerContentItem,
    ContentItem,
    ContentSequence,
    EnhancedSR,
    LanguageOfContentItemAndDescendants,
    ObservationContext,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from ichscan.report.dicom import codes
from ichscan.report.dicom.assemble import all_evidence, completed, identifiers, observer
from ichscan.report.dicom.attributes import fitting
from ichscan.report.dicom.groups import finding_group
from ichscan.report.dicom.source import SourceSeries
from ichscan.report.findings import Findings
from ichscan.report.text import sentences

TITLE: Final = "AI result: intracranial hemorrhage"
NOTICE: Final = "AI result, not for diagnostic use alone. Not verified by a physician."
CONTAINS: Final = RelationshipTypeValues.CONTAINS
MODIFIER: Final = RelationshipTypeValues.HAS_CONCEPT_MOD


def structured_report(findings: Findings, source: SourceSeries, *, enhanced: bool = False) -> Dataset:
    """Comprehensive 3D SR (PS3.3 A.35.13): a measurement group per label (TID 1501), then what was not assessed.

    A series that could not be analysed gives a report that says so and why, flagged PARTIAL; otherwise COMPLETE. The
    verification flag is UNVERIFIED, the preliminary flag PRELIMINARY.

    Args:
        findings: the facts.
        source: of the same series.
        enhanced: Enhanced SR (A.35.2) instead, for systems that read no other; coordinates are then those of pixels.
    """
    kind = "esr" if enhanced else "sr"
    arguments = {
        "evidence": all_evidence(source),
        "content": _root(findings, source, enhanced),
        "is_complete": findings.analysed,
        "is_final": False,
        "coding_schemes": [codes.own_scheme()],
        **identifiers(findings, source, kind, TITLE),
    }
    report = EnhancedSR(**arguments) if enhanced else Comprehensive3DSR(**arguments)
    return completed(report, source)


def _root(findings: Findings, source: SourceSeries, enhanced: bool) -> ContainerContentItem:
    root = ContainerContentItem(name=codes.REPORT, template_id="1500")
    content = ContentSequence()
    content.extend(LanguageOfContentItemAndDescendants(CodedConcept("en-US", "RFC5646", "English (United States)")))
    content.extend(ObservationContext(observer_device_context=observer(findings)))
    content.append(CodeContentItem(codes.PROCEDURE_REPORTED, codes.CT_OF_HEAD, MODIFIER))
    if findings.analysed:
        groups = ContainerContentItem(name=codes.MEASUREMENTS, relationship_type=CONTAINS)
        groups.ContentSequence = ContentSequence()
        for finding in findings.findings:
            groups.ContentSequence.extend(finding_group(finding, findings, source, in_space=not enhanced))
        content.append(groups)
    content.append(_evaluations(findings, source))
    root.ContentSequence = content
    return root


def _evaluations(findings: Findings, source: SourceSeries) -> ContainerContentItem:
    """Qualitative Evaluations of TID 1500: status, notice, reason, impression, limits and warnings, a sentence each."""
    container = ContainerContentItem(name=codes.EVALUATIONS, relationship_type=CONTAINS)
    status = codes.ANALYSED if findings.analysed else codes.NOT_ANALYSABLE
    items: list[ContentItem] = [CodeContentItem(codes.STATUS, status, CONTAINS)]
    told: list[tuple[Code, str]] = [(codes.NOTICE, NOTICE)]
    if not findings.analysed:
        told.append((codes.REASON, findings.reason or "not recorded"))
    # What a person reads first; the notice stands above already.
    told += [(codes.CONCLUSION, one.text) for one in sentences(findings) if one.section == "impression" and one.facts]
    told += [(codes.NOT_ASSESSED, sentence) for sentence in findings.not_assessed]
    told += [(codes.WARNING, sentence) for sentence in findings.warnings]
    character_set = source.patient_study.get("SpecificCharacterSet")
    for name, sentence in told:
        items.append(TextContentItem(name, fitting(sentence, character_set) or "-", CONTAINS))
    container.ContentSequence = ContentSequence(items)
    return container
