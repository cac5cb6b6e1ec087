"""Answers of the administration and the dashboard."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

from ichscan.labels import LABELS

NOW = time.time()


def _user(number: int, name: str, role: str, **more: bool) -> dict[str, Any]:
    told = {"id": number, "name": name, "role": role, "created": NOW - 1e6 * number}
    return told | {"disabled": False, "must_change": False, "locked": False} | more


def _audit(number: int, actor: str, action: str, study_id: int | None, outcome: str, detail: str) -> dict[str, Any]:
    return {"id": number, "time": NOW - 3600 / number, "actor": actor, "action": action, "study_id": study_id,
            "address": "127.0.0.1", "outcome": outcome, "detail": detail}  # fmt: skip


def _job(number: int, kind: str, target: str, state: str, attempts: int, error: str) -> dict[str, Any]:
    return {"id": number, "kind": kind, "study_id": 1, "generation": 1, "target": target, "state": state,
            "priority": 0.9, "attempts": attempts, "run_after": NOW + 40, "worker": "", "error": error,
            "created": NOW - 300, "finished": NOW - 290 if state == "done" else None}  # fmt: skip


ADMIN_ANSWERS: dict[str, Any] = {
    "users": {"users": [
        _user(1, "admin", "administrator"), _user(2, "reader", "reader", must_change=True),
        _user(3, "left", "reader", disabled=True),
    ]},
    "tokens": {"tokens": [
        {"id": 1, "name": "prometheus", "scopes": ["metrics"], "created": NOW - 5e6, "revoked": False},
        {"id": 2, "name": "old-pacs", "scopes": ["store", "read"], "created": NOW - 8e6, "revoked": True},
    ]},
    "audit": {"total": 3, "rows": [
        _audit(3, "user:reader", "view", 1, "done", ""), _audit(2, "user:reader", "login", None, "done", ""),
        _audit(1, "user:?", "login", None, "refused", ""),
    ]},
    "refusals": {"total": 1, "rows": [
        {"id": 1, "time": NOW - 400, "source": "dimse:UNKNOWN", "reason": "the calling AE title is not among the peers",
         "set_aside": False},
    ]},
    "jobs": {"total": 2, "counts": {"send": {"queued": 1}, "analyse": {"done": 1}}, "rows": [
        _job(5, "send", "archive", "queued", 3, "association refused"), _job(4, "analyse", "", "done", 1, ""),
    ]},
    "system": {
        "version": "0.6.0", "python": "3.11.2", "packages": {"pydicom": "3.0.1", "pynetdicom": "3.0.4"},
        "database": "sqlite", "model": "ichscan-small 1.0", "model_sha256": "ab" * 32,
        "storage": {"total": 512 * 10**9, "free": 120 * 10**9, "held": 32 * 10**8, "limit": 0, "least_free": 2 * 10**9},
        "node": "ICHSCAN 127.0.0.1:11112",
        "peers": [{"name": "pacs", "kind": "dicom", "address": "ORTHANC 127.0.0.1:4242", "receives_results": True}],
    },
}  # fmt: skip


def _figures(studies: int, suspected: int, failed: int) -> dict[str, Any]:
    analysed = studies - failed
    return {
        "studies": studies, "analysed": analysed, "not_analysable": failed, "open": 0, "suspected": suspected,
        "positive_rate": suspected / analysed if analysed else None,
        "not_analysable_rate": failed / studies if studies else None, "median_probability": 0.08,
        "median_wait_s": 4.2, "remarks": suspected, "studies_with_verdict": suspected, "agreement": 0.91,
    }  # fmt: skip


def dashboard(days: int) -> dict[str, Any]:
    """As GET /api/dashboard answers."""
    today = datetime.fromtimestamp(NOW, UTC)
    daily = [(18 + (i * 7) % 23, 2 + (i * 5) % 4, i % 3 // 2) for i in range(days)]
    counts = [92, 61, 40, 22, 15, 11, 9, 8, 6, 5, 5, 4, 4, 5, 4, 6, 7, 9, 14, 21]
    total = [sum(one[k] for one in daily) for k in range(3)]
    verdicts = {"agree": 40, "disagree": 4, "unsure": 2, "of_uncertain_findings": 1, "wrongly_present": 3,
                "wrongly_absent": 1, "agreement": 0.909}  # fmt: skip
    return {
        "days": days, "since": NOW - days * 86400, "until": NOW, "total": _figures(*total),
        "per_day": [
            {"date": f"{today - timedelta(days=days - 1 - i):%Y-%m-%d}", **_figures(*one)}
            for i, one in enumerate(daily)
        ],
        "per_scanner": [
            {"scanner": "GE MEDICAL SYSTEMS Discovery", **_figures(300, 38, 4)},
            {"scanner": "SIEMENS Definition", **_figures(120, 9, 11)},
        ],
        "scores": {"edges": [i / 20 for i in range(21)], "counts": counts,
                   "suspected": [0] * 9 + counts[9:]},
        "agreement": dict.fromkeys(LABELS, verdicts),
        "alarms": [{"measure": "not_analysable_rate", "chance": 0.001, "sentence":
                    "share of studies that could not be analysed of SIEMENS Definition: 0.09 in 120 studies, "
                    "before 0.01 in 410"}],
        "watch": {"days": 7, "baseline_days": 28, "least": 20, "chance": 0.01},
    }  # fmt: skip
