"""The worklist entry as it is posted to hooks."""

from typing import Any, Final

from ichscan.service.tables import Study

SCHEMA: Final = "ichscan.notice/1"


def notice(study: Study, demo: bool) -> dict[str, Any]:
    """JSON types. Identifiers for whoever must find the scan; no name and no birth date, which nobody needs for that.

    Args:
        study: analysed.
        demo: `web.demo`: without identifiers and dates.
    """
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "study": study.id,
        "generation": study.generation,
        "status": study.status,
        "reason": study.reason,
        "suspected": study.suspected,
        "probability": study.probability,
        "states": dict(study.states),
        "priority": study.priority,
        "images": study.images,
        "first_received": study.first_received,
        "last_received": study.last_received,
    }
    if demo:
        return told | {"reason": ""}  # may hold words of the images
    return told | {
        "study_instance_uid": study.study_instance_uid,
        "accession_number": study.accession_number,
        "patient_id": study.patient_id,
        "study_date": study.study_date,
        "study_time": study.study_time,
        "description": study.description,
    }
