"""The result JSON, schema `ichscan.result/1`: one object per series or unreadable file. See docs/result-json.md."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from ichscan.labels import LABELS
from ichscan.types import Prediction, Report

SCHEMA: Final = "ichscan.result/1"
DIGITS: Final = 6
MM_DIGITS: Final = 3


def result(report: Report, findings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The contract's object: JSON types only, no NaN, the same keys whether analysed or not.

    Args:
        report: of one series or unreadable file.
        findings: of the same, as `ichscan.report.stored.stored` gives them; None = without the key `findings`.
    """
    prediction = report.prediction
    found = {
        "schema": SCHEMA,
        "status": report.status,
        "reason": None if report.reason is None else as_text(report.reason),
        "study_instance_uid": as_text(report.study_instance_uid),
        "series_instance_uid": as_text(report.series_instance_uid),
        "slices_analysed": 0 if prediction is None else len(prediction.slices),
        "model": None if prediction is None else _model(prediction),
        "scan": {} if prediction is None else _scan(prediction),
        "slices": [] if prediction is None else _slices(report, prediction),
        "warnings": [as_text(warning) for warning in report.warnings],
        "timing_s": {stage: round(float(seconds), 4) for stage, seconds in report.timing_s.items()},
    }
    return found if findings is None else found | {"findings": dict(findings)}


def to_json(results: Iterable[Mapping[str, Any]]) -> str:
    """A JSON array of results (see `result`), also when there is only one or none."""
    return json.dumps(list(results), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def one_to_json(result: Mapping[str, Any]) -> str:
    """One result, not in an array: the file per series."""
    return json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _model(prediction: Prediction) -> dict[str, str]:
    model = prediction.model
    return {"name": model.name, "version": model.version, "sha256": model.sha256}


def _scan(prediction: Prediction) -> dict[str, dict[str, Any]]:
    positive = prediction.scan >= prediction.scan_thresholds
    return {
        label: {
            "probability": _number(prediction.scan[i]),
            "threshold": _number(prediction.scan_thresholds[i]),
            "positive": bool(positive[i]),
        }
        for i, label in enumerate(LABELS)
    }


def _slices(report: Report, prediction: Prediction) -> list[dict[str, Any]]:
    return [
        {
            "sop_instance_uid": as_text(uid),
            "file": as_text(file),
            "position_mm": round(position, MM_DIGITS),
            "probabilities": {label: _number(row[i]) for i, label in enumerate(LABELS)},
        }
        for uid, file, position, row in zip(
            report.sop_instance_uids, report.files, report.positions_mm, prediction.slices, strict=True
        )
    ]


def _number(value: np.float32) -> float:
    return round(float(value), DIGITS)


def as_text(value: str) -> str:
    """Text that UTF-8 can hold: bytes of file names that are none (lone surrogates) become visible escapes."""
    return value.encode("utf-8", "backslashreplace").decode("utf-8")
