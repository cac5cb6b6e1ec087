"""STOW-RS over HTTP (PS3.18 section 10.5)."""

import logging
from typing import Annotated, Any, Final

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import JSONResponse, Response

from ichscan.errors import InputError
from ichscan.service.dicomweb.body import check_coding, read_chunks
from ichscan.service.dicomweb.media import DICOM, DICOM_JSON, MULTIPART, MediaType, parse_type
from ichscan.service.dicomweb.place import base_url
from ichscan.service.dicomweb.store import Outcome, record_failures, response, store
from ichscan.service.dicomweb.uid import Uid
from ichscan.service.web.access import Actor, scope
from ichscan.service.web.answers import KNOWN
from ichscan.service.web.state import Service, service_of
from ichscan.service.web.trail import record

AT_A_TIME: Final = 16
"""Bodies that are read at a time, each by a thread of its own; others wait for their turn."""
MOST_NAMED: Final = 20
"""Studies named in a row of the audit trail."""

router = APIRouter()
_log = logging.getLogger(__name__)
_limiter = CapacityLimiter(AT_A_TIME)
_Sender = Annotated[Actor, Depends(scope("store"))]
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            f'{MULTIPART}; type="{DICOM}"': {"schema": {"type": "string", "format": "binary"}},
            DICOM: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = KNOWN | {
    status: {"description": text, "content": {DICOM_JSON: {"schema": {"type": "object"}}}}
    for status, text in {
        200: "All instances are stored.",
        202: "Some are stored.",
        409: "None is stored; the answer says why.",
        415: "Not DICOM, or compressed.",
        500: "None is stored: they could not be written.",
        507: "None is stored: no space is left.",
    }.items()
}


@router.post("/studies", response_class=Response, responses=_ANSWERS, openapi_extra=_BODY)
async def store_instances(request: Request, actor: _Sender) -> Response:
    """Stores instances of any studies."""
    return await _store(request, actor, None)


@router.post("/studies/{study}", response_class=Response, responses=_ANSWERS, openapi_extra=_BODY)
async def store_instances_of_study(request: Request, actor: _Sender, study: Uid) -> Response:
    """Stores instances of one study; those of another are refused."""
    return await _store(request, actor, study)


async def _store(request: Request, actor: Actor, study: str | None) -> Response:
    content = _content(request)
    check_coding(request)
    return await to_thread.run_sync(_store_body, request, actor, content, study, limiter=_limiter)


def _content(request: Request) -> MediaType:
    """The Content-Type; 400 when it is none, 415 when it is another than DICOM."""
    content = parse_type(request.headers.get("content-type", ""))
    if content.name == MULTIPART and "boundary" not in content.parameters:
        raise HTTPException(400, "Content-Type: expected multipart/related with a boundary, found none")
    inner = content.parameters.get("type", DICOM).lower() if content.name == MULTIPART else content.name
    if inner != DICOM:
        raise HTTPException(
            415,
            f'Content-Type: expected {MULTIPART}; type="{DICOM}", or {DICOM}; found another; see PS3.18 section 10.5',
        )
    return content


def _store_body(request: Request, actor: Actor, content: MediaType, study: str | None) -> Response:
    service, source, outcome = service_of(request), f"stow:{actor.name}", Outcome()
    try:
        store(service.spool, read_chunks(request), content, source, study, outcome)
    except (InputError, HTTPException) as error:
        _record(request, service, actor, outcome, f"; ended early: {_reason(error)}")
        raise
    _record(request, service, actor, outcome, "")
    headers = {"Retry-After": "60"} if outcome.status == 507 else None
    return JSONResponse(response(outcome, base_url(request)), outcome.status, headers, DICOM_JSON)


def _reason(error: InputError | HTTPException) -> str:
    return str(error.detail) if isinstance(error, HTTPException) else str(error)


def _record(request: Request, service: Service, actor: Actor, outcome: Outcome, more: str) -> None:
    """What was stored and what was not, in the audit trail, the list of refusals and the log."""
    source = f"stow:{actor.name}"
    told = f"{len(outcome.stored)} stored, {len(outcome.failures)} refused{more}"
    if outcome.failures:
        with service.database.write() as session:
            record_failures(session, outcome.failures, source)
    studies = outcome.studies
    named = ", ".join(studies[:MOST_NAMED]) + (f" and {len(studies) - MOST_NAMED} more" if studies[MOST_NAMED:] else "")
    done = "done" if outcome.stored and not more else "refused"
    record(request, actor, "store", outcome=done, detail=f"{told}; studies {named or 'none'}")
    _log.info("%s: %s", source, told)
