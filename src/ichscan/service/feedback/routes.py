"""HTTP: what people say of a study, its export as labels, and the dashboard."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import StreamingResponse

from ichscan.service.audit import audit
from ichscan.service.feedback.dashboard import dashboard
from ichscan.service.feedback.export import plan, stream
from ichscan.service.feedback.form import Told
from ichscan.service.feedback.record import (
    ImplausibleError,
    OutdatedError,
    UnknownStudyError,
    add,
    of_study,
    states_told,
    verdicts_of,
)
from ichscan.service.tables import Feedback, Study
from ichscan.service.web.access import Actor, administrator, person, reader
from ichscan.service.web.address import address_of
from ichscan.service.web.answers import KNOWN, OF_STUDY
from ichscan.service.web.fields import Id
from ichscan.service.web.state import service_of
from ichscan.service.web.trail import now, record_access

router = APIRouter(prefix="/api", tags=["feedback"])
MAX_DAYS: Final = 366
ARCHIVE: Final = {"content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}}}


@router.post("/studies/{study_id}/feedback", status_code=201, responses=OF_STUDY)
def give(request: Request, study_id: Id, told: Told, actor: Annotated[Actor, Depends(person)]) -> dict[str, Any]:
    """Adds what the user says of the current result; an earlier statement of the same user no longer counts.

    404 no such study; 409 the result is not the current one; 422 it contradicts itself or marks other images.
    """
    service = service_of(request)
    try:
        with service.database.write() as session:
            row = add(session, study_id, actor.name, told, now())
            address = address_of(request, service.settings.web)
            audit(session, actor.label, "feedback", study_id, address, "done", f"result {row.result_id}")
            return _shown(row)
    except UnknownStudyError as error:
        raise HTTPException(404, str(error)) from error
    except OutdatedError as error:
        raise HTTPException(409, str(error)) from error
    except ImplausibleError as error:
        raise HTTPException(422, str(error)) from error


@router.get("/studies/{study_id}/feedback", responses=OF_STUDY)
def given(request: Request, study_id: Id, actor: Annotated[Actor, Depends(reader)]) -> dict[str, Any]:
    """All that was said of a study, the newest first; `counts` is false for what its user replaced."""
    service = service_of(request)
    with service.database.read() as session:
        if session.get(Study, study_id) is None:
            raise HTTPException(404, f"study {study_id}: expected one that is held, found none")
        rows = of_study(session, study_id)
    record_access(request, actor, "view", study_id)
    last: dict[str, int] = {}
    for row in rows:
        last.setdefault(row.user, row.id)
    hidden = {"reason": ""} if service.settings.web.demo else {}
    return {"feedback": [_shown(row) | {"counts": last[row.user] == row.id} | hidden for row in rows]}


@router.get("/feedback/export", response_class=StreamingResponse, responses=KNOWN | {200: ARCHIVE})
def export(
    request: Request,
    actor: Annotated[Actor, Depends(administrator)],
    reasons: Annotated[bool, Query(description="with the free text, which may name anybody")] = False,
) -> StreamingResponse:
    """A zip archive of labels with their provenance and the images they are of: `ichscan data import feedback`.

    Names and dates of patients are removed from the images; UIDs, and a digest of the patient's identifier, are kept.
    """
    service = service_of(request)
    if service.settings.web.demo:
        raise HTTPException(403, "this is a demonstration: nothing is exported")
    with service.database.read() as session:
        content = plan(session, service.settings.folder, with_reasons=reasons)
    address = address_of(request, service.settings.web)
    with service.database.write() as session:
        for study_id in content.study_ids:
            audit(session, actor.label, "export", study_id, address)
    headers = {"Content-Disposition": 'attachment; filename="ichscan-feedback.zip"', "Cache-Control": "no-store"}
    return StreamingResponse(stream(content), media_type="application/zip", headers=headers)


@router.get("/dashboard", responses=KNOWN)
def figures(
    request: Request,
    actor: Annotated[Actor, Depends(reader)],
    days: Annotated[int, Query(ge=1, le=MAX_DAYS)] = 30,
) -> dict[str, Any]:
    """Counts, shares, distribution of probabilities, agreement and alarms; see docs/service-feedback.md."""
    service = service_of(request)
    with service.database.read() as session:
        return dashboard(session, service.settings, days, now())


def _shown(row: Feedback) -> dict[str, Any]:
    return {
        "id": row.id,
        "study_id": row.study_id,
        "result_id": row.result_id,
        "time": row.time,
        "user": row.user,
        "model_sha256": row.model_sha256,
        "verdicts": verdicts_of(row),
        "states": states_told(row),
        "slices": row.slices,
        "boxes": row.boxes,
        "reason": row.reason,
    }
