"""Upload of files, folders and zip archives from the browser."""

import re
import time
from threading import BoundedSemaphore
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel
from sqlalchemy import select

from ichscan.service.audit import audit
from ichscan.service.dicomweb.body import check_coding, read_chunks
from ichscan.service.dicomweb.media import parse_type
from ichscan.service.dicomweb.multipart import Part, read_parts
from ichscan.service.refusals import refused as note_refusal
from ichscan.service.tables import Study
from ichscan.service.web.access import Actor, scope
from ichscan.service.web.address import address_of
from ichscan.service.web.answers import KNOWN, Problem
from ichscan.service.web.intake import RefusedFile, Taken, Upload
from ichscan.service.web.limits import MB
from ichscan.service.web.state import Service, service_of

router = APIRouter(prefix="/api/uploads", tags=["uploads"])
AT_ONCE: Final = 8
"""Each holds a thread while its bytes come; logins and pages need some, too."""
REGISTERED_S: Final = 5.0
"""So long an answer waits for the studies to be in the tables; they come without it, too."""
LOOK_S: Final = 0.05
MOST_NOTED: Final = 20
_NAME: Final = re.compile(r'filename="((?:[^"\\]|\\.)*)"|filename=([^;"\s]+)', re.IGNORECASE)
BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"files": {"type": "array", "items": {"type": "string", "format": "binary"}}},
                    "required": ["files"],
                }
            }
        },
    }
}


class Refused(BaseModel):
    """A file that was not taken, as the sender called it."""

    name: str
    reason: str


class Uploaded(BaseModel):
    """What became of the files. Of refused ones the first 200 are told, `refused_count` counts all.

    `studies` are those that the worklist has already; the others follow in a moment.
    """

    accepted: int
    refused: list[Refused]
    refused_count: int
    studies: list[int]


@router.post(
    "",
    responses=KNOWN | {415: {"model": Problem}, 507: {"model": Problem}},
    openapi_extra=BODY,
    response_model=Uploaded,
)
def upload(request: Request, actor: Annotated[Actor, Depends(scope("store"))]) -> Uploaded:
    """Takes DICOM files and zip archives of them. 507 when there is no room for any of them."""
    check_coding(request)
    most = service_of(request).settings.web.upload_mb * MB
    content = parse_type(request.headers.get("content-type", ""))
    if content.name != "multipart/form-data":
        raise HTTPException(415, "expected multipart/form-data, found another type")
    turns: BoundedSemaphore = request.app.state.uploading
    if not turns.acquire(blocking=False):
        raise HTTPException(503, "too many uploads at a time; try again in a moment", {"Retry-After": "5"})
    try:
        return _take(request, actor, content.parameters.get("boundary", ""), most)
    finally:
        turns.release()


def _take(request: Request, actor: Actor, boundary: str, most: int) -> Uploaded:
    service = service_of(request)
    source = f"upload:{actor.name}"
    todo = Upload(service.spool, request.app.state.capacity, service.settings.folder, source, most)
    try:
        for part in read_parts(read_chunks(request), boundary):
            name = file_name(part)
            if name is not None:
                todo.take(name, part.body)
    finally:
        todo.finish()  # also of an upload that broke off: what was taken is analysed
        _note(request, actor, source, todo.taken)
    if todo.taken.full and not todo.taken.accepted:
        raise HTTPException(507, "no more images can be stored for now; an administrator must make room")
    studies = _registered(service, list(todo.taken.studies))
    return Uploaded(
        accepted=todo.taken.accepted,
        refused=[_told(one) for one in todo.taken.refused],
        refused_count=todo.taken.refused_count,
        studies=studies,
    )


def file_name(part: Part) -> str | None:
    """What the sender calls the file of a part; None when the part is another field of the form."""
    match = _NAME.search(part.headers.get("content-disposition", ""))
    if match is None:
        return None
    name = match[1] if match[1] is not None else match[2]
    return re.sub(r"\\(.)", r"\1", name).encode("latin-1", "replace").decode("utf-8", "replace")


def _told(one: RefusedFile) -> Refused:
    return Refused(name=one.name, reason=one.reason)


def _note(request: Request, actor: Actor, source: str, taken: Taken) -> None:
    """The audit trail and the refusals, without the names of the files: they may name a patient."""
    service = service_of(request)
    address = address_of(request, service.settings.web)
    reasons = list(dict.fromkeys(one.reason for one in taken.refused))
    with service.database.write() as session:
        detail = f"{taken.accepted} files accepted, {taken.refused_count} refused"
        audit(session, actor.label, "upload", None, address, "done", detail)
        for reason in reasons[:MOST_NOTED]:
            note_refusal(session, source, reason)


def _registered(service: Service, uids: list[str]) -> list[int]:
    """Ids of the studies, as soon as all of them are in the tables, or after a while those that are."""
    end = time.monotonic() + REGISTERED_S
    while uids:
        with service.database.read() as session:
            found = list(session.scalars(select(Study.id).where(Study.study_instance_uid.in_(uids)).order_by(Study.id)))
        if len(found) == len(uids) or time.monotonic() >= end:
            return found
        time.sleep(LOOK_S)
    return []
