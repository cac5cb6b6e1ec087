"""WADO-RS over HTTP: instances and metadata (PS3.18 section 10.4)."""

import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import Response, StreamingResponse

from ichscan.errors import InputError
from ichscan.service.dicomweb.accept import DicomWanted, choose, dicom_wanted
from ichscan.service.dicomweb.answer import WARNING, multipart_answer
from ichscan.service.dicomweb.held import Held, find
from ichscan.service.dicomweb.media import DICOM, DICOM_JSON, with_syntax
from ichscan.service.dicomweb.metadata import metadata
from ichscan.service.dicomweb.opened import open_held, read_range
from ichscan.service.dicomweb.place import base_url
from ichscan.service.dicomweb.transcode import file_in, syntax_for
from ichscan.service.dicomweb.uid import Uid
from ichscan.service.web.access import Actor, scope
from ichscan.service.web.answers import KNOWN, Problem
from ichscan.service.web.state import service_of
from ichscan.service.web.trail import record_access

router = APIRouter()
_log = logging.getLogger(__name__)
Reader = Annotated[Actor, Depends(scope("read"))]
PROBLEMS: Final[dict[int | str, dict[str, Any]]] = KNOWN | {status: {"model": Problem} for status in (404, 406, 410)}
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_FILES: Final = PROBLEMS | {
    200: {"description": "The instances.", "content": {"multipart/related": _BINARY}},
    206: {"description": "Some of the instances; others cannot be had in an acceptable transfer syntax."},
}
_JSON: Final = PROBLEMS | {
    200: {
        "description": "The metadata.",
        "content": {DICOM_JSON: {"schema": {"type": "array", "items": {"type": "object"}}}},
    },
}


@router.get("/studies/{study}", response_class=Response, responses=_FILES)
def retrieve_study(request: Request, actor: Reader, study: Uid) -> Response:
    """All instances of a study."""
    return _files(request, held_for(request, actor, "retrieve", study))


@router.get("/studies/{study}/series/{series}", response_class=Response, responses=_FILES)
def retrieve_series(request: Request, actor: Reader, study: Uid, series: Uid) -> Response:
    """All instances of a series."""
    return _files(request, held_for(request, actor, "retrieve", study, series))


@router.get("/studies/{study}/series/{series}/instances/{instance}", response_class=Response, responses=_FILES)
def retrieve_instance(request: Request, actor: Reader, study: Uid, series: Uid, instance: Uid) -> Response:
    """One instance; with Accept: application/dicom as a plain file."""
    return _files(request, held_for(request, actor, "retrieve", study, series, instance), one=True)


@router.get("/studies/{study}/metadata", response_class=Response, responses=_JSON)
def study_metadata(request: Request, actor: Reader, study: Uid) -> Response:
    """Metadata of all instances of a study."""
    return _metadata(request, held_for(request, actor, "metadata", study))


@router.get("/studies/{study}/series/{series}/metadata", response_class=Response, responses=_JSON)
def series_metadata(request: Request, actor: Reader, study: Uid, series: Uid) -> Response:
    """Metadata of all instances of a series."""
    return _metadata(request, held_for(request, actor, "metadata", study, series))


@router.get("/studies/{study}/series/{series}/instances/{instance}/metadata", response_class=Response, responses=_JSON)
def instance_metadata(request: Request, actor: Reader, study: Uid, series: Uid, instance: Uid) -> Response:
    """Metadata of one instance."""
    return _metadata(request, held_for(request, actor, "metadata", study, series, instance))


def held_for(
    request: Request, actor: Actor, action: str, study: str, series: str | None = None, instance: str | None = None
) -> list[Held]:
    """What is held of these UIDs; the access stands in the audit trail before anything is given. 404 and 410."""
    held = find(service_of(request), study, series, instance)
    record_access(request, actor, f"dicomweb {action}", held[0].study_id)
    return held


def _files(request: Request, held: Sequence[Held], *, one: bool = False) -> Response:
    wanted = dicom_wanted(request, one=one)
    if one:
        return _file(held[0], wanted)
    chosen = [(each, syntax) for each in held if (syntax := syntax_for(each, wanted.syntaxes)) is not None]
    if not chosen:
        raise _no_syntax(held[0])
    left = len(held) - len(chosen)
    answer = multipart_answer(_file_parts(chosen), DICOM, 206 if left else 200)
    if left:
        answer.headers["Warning"] = WARNING.format(left)
    return answer


def _file(held: Held, wanted: DicomWanted) -> Response:
    syntax = syntax_for(held, wanted.syntaxes)
    if syntax is None:
        raise _no_syntax(held)
    try:
        content_type, chunks = with_syntax(DICOM, syntax), file_in(held, syntax)
    except InputError as error:
        raise _no_syntax(held) from error
    if wanted.alone:
        return StreamingResponse(chunks, media_type=content_type)
    return multipart_answer([(content_type, chunks)], DICOM)


def _no_syntax(held: Held) -> HTTPException:
    return HTTPException(
        406, f"Accept: expected transfer-syntax=*, or {held.transfer_syntax} as it is stored; it cannot be converted"
    )


def _file_parts(chosen: Sequence[tuple[Held, str]]) -> Iterator[tuple[str, Iterable[bytes]]]:
    for held, syntax in chosen:
        try:
            chunks = file_in(held, syntax)
        except InputError as error:
            # The answer has begun. Rather than to leave an image out in silence, it is given as it is, and says so.
            _log.warning("SOP instance %s: given as it is stored: %s", held.sop_instance, error)
            syntax = held.transfer_syntax
            chunks = read_range(held)
        yield with_syntax(DICOM, syntax), chunks


def _metadata(request: Request, held: Sequence[Held]) -> Response:
    media_type = choose(request, (DICOM_JSON, "application/json"))
    return StreamingResponse(_json_array(held, base_url(request)), media_type=media_type)


def _json_array(held: Sequence[Held], url: str) -> Iterator[bytes]:
    start = b"["
    for one in held:
        try:
            told = metadata(open_held(one), one.url(url))
        except InputError as error:
            _log.error("SOP instance %s: metadata not given: %s", one.sop_instance, error)
            continue
        yield start + json.dumps(told, allow_nan=False, separators=(",", ":")).encode("ascii")
        start = b","
    yield b"[]" if start == b"[" else b"]"
