"""Findings inside a result JSON, and back: a report made later says what one made at once says, to the byte.

What the contract of `ichscan.result/1` holds already (probabilities, UIDs, warnings, the model) is not stored twice.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from ichscan.errors import InputError
from ichscan.labels import LABELS
from ichscan.report.findings import Finding, Findings, Place
from ichscan.report.result import DIGITS, MM_DIGITS, SCHEMA, as_text
from ichscan.types import ModelIdentity

KEY: Final = "findings"
PIXEL_DIGITS: Final = 2


def stored(findings: Findings) -> dict[str, Any]:
    """What a result JSON needs besides its contract, under the key `findings`: JSON types, numbers rounded."""
    told = rounded(findings)
    return {
        "series_description": told.series_description,
        "slice_thresholds": dict(zip(LABELS, told.slice_thresholds, strict=False)),
        "not_assessed": list(told.not_assessed),
        "labels": {finding.label: _label(finding) for finding in told.findings},
    }


def rounded(findings: Findings) -> Findings:
    """The findings with the digits that a result JSON keeps, and with text that UTF-8 can hold."""
    return replace(
        findings,
        reason=as_text(findings.reason),
        study_instance_uid=as_text(findings.study_instance_uid),
        series_instance_uid=as_text(findings.series_instance_uid),
        series_description=as_text(findings.series_description),
        findings=tuple(_rounded(finding) for finding in findings.findings),
        slice_probabilities=tuple(tuple(round(p, DIGITS) for p in row) for row in findings.slice_probabilities),
        slice_thresholds=tuple(round(t, DIGITS) for t in findings.slice_thresholds),
        positions_mm=tuple(round(p, MM_DIGITS) for p in findings.positions_mm),
        sop_instance_uids=tuple(map(as_text, findings.sop_instance_uids)),
        not_assessed=tuple(map(as_text, findings.not_assessed)),
        warnings=tuple(map(as_text, findings.warnings)),
    )


def from_result(result: Mapping[str, Any]) -> Findings:
    """The findings of one object of a result JSON, as `rounded` gives them.

    Raises:
        InputError: no `ichscan.result/1`, one without findings, or one that was altered.
    """
    if not isinstance(result, Mapping) or result.get("schema") != SCHEMA:
        raise InputError(f"result JSON: expected an object of schema {SCHEMA}, found none; see docs/result-json.md")
    if KEY not in result:
        raise InputError("result JSON: expected findings, found none; analyse again with this version of ichscan")
    try:
        return _findings(result, result[KEY])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"result JSON: expected the keys of schema {SCHEMA}, found a wrong or missing one ({error!r}); "
            "use the file as ichscan wrote it"
        ) from error


def _findings(result: Mapping[str, Any], more: Mapping[str, Any]) -> Findings:
    slices, model = result["slices"], result["model"]
    analysed = result["status"] == "analysed"
    labels = LABELS if analysed else ()
    return Findings(
        analysed=analysed,
        reason=result["reason"] or "",
        study_instance_uid=result["study_instance_uid"],
        series_instance_uid=result["series_instance_uid"],
        series_description=more["series_description"],
        findings=tuple(_finding(label, result["scan"][label], more["labels"][label], len(slices)) for label in labels),
        slice_probabilities=tuple(tuple(one["probabilities"][label] for label in LABELS) for one in slices),
        slice_thresholds=tuple(more["slice_thresholds"][label] for label in labels),
        positions_mm=tuple(one["position_mm"] for one in slices),
        sop_instance_uids=tuple(one["sop_instance_uid"] for one in slices),
        not_assessed=tuple(more["not_assessed"]),
        warnings=tuple(result["warnings"]),
        model=None if model is None else ModelIdentity(model["name"], model["version"], model["sha256"]),
    )


def _finding(label: str, scan: Mapping[str, Any], more: Mapping[str, Any], count: int) -> Finding:
    place = more["place"]
    slices = tuple(more["slices"])
    if not all(0 <= i < count for i in (*slices, more["strongest"])):
        raise ValueError(f"{label}: a slice beyond the {count} of the result")
    return Finding(
        label=label,
        state=more["state"],
        probability=scan["probability"],
        threshold=scan["threshold"],
        slices=slices,
        strongest=more["strongest"],
        place=None if place is None else _place(place),
        side=more["side"],
    )


def _place(place: Mapping[str, Any]) -> Place:
    x, y, z = place["lps_mm"] or (0.0, 0.0, 0.0)
    return Place(place["slice_index"], place["row"], place["column"], (x, y, z) if place["lps_mm"] else None)


def _label(finding: Finding) -> dict[str, Any]:
    place = finding.place
    return {
        "state": finding.state,
        "side": finding.side,
        "slices": list(finding.slices),
        "strongest": finding.strongest,
        "place": None
        if place is None
        else {
            "slice_index": place.slice_index,
            "row": place.row,
            "column": place.column,
            "lps_mm": None if place.lps_mm is None else list(place.lps_mm),
        },
    }


def _rounded(finding: Finding) -> Finding:
    place = finding.place
    if place is not None:
        mm = place.lps_mm
        place = Place(
            place.slice_index,
            round(place.row, PIXEL_DIGITS),
            round(place.column, PIXEL_DIGITS),
            None if mm is None else (round(mm[0], MM_DIGITS), round(mm[1], MM_DIGITS), round(mm[2], MM_DIGITS)),
        )
    probability, threshold = round(finding.probability, DIGITS), round(finding.threshold, DIGITS)
    return replace(finding, probability=probability, threshold=threshold, place=place)
