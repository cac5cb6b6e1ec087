"""QIDO-RS over HTTP (PS3.18 section 10.6)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, HTTPException, Request
from starlette.responses import JSONResponse, Response

from ichscan.service.dicomweb.media import DICOM_JSON, first_accepted, parse_accept
from ichscan.service.dicomweb.place import base_url
from ichscan.service.dicomweb.search import Level, parse_query, search
from ichscan.service.dicomweb.uid import Uid
from ichscan.service.web.access import Actor, scope
from ichscan.service.web.answers import KNOWN, Problem
from ichscan.service.web.state import service_of
from ichscan.service.web.trail import record_access

JSON_TYPES: Final = (DICOM_JSON, "application/json")

router = APIRouter()
_Reader = Annotated[Actor, Depends(scope("read"))]
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = KNOWN | {
    200: {
        "description": "What was found.",
        "content": {name: {"schema": {"type": "array", "items": {"type": "object"}}} for name in JSON_TYPES},
    },
    204: {"description": "Nothing was found."},
    406: {"model": Problem},
}


@router.get("/studies", response_class=Response, responses=_ANSWERS)
def search_studies(request: Request, actor: _Reader) -> Response:
    """Searches for studies."""
    return _search(request, actor, "studies")


@router.get("/series", response_class=Response, responses=_ANSWERS)
def search_series(request: Request, actor: _Reader) -> Response:
    """Searches for series of any study."""
    return _search(request, actor, "series")


@router.get("/instances", response_class=Response, responses=_ANSWERS)
def search_instances(request: Request, actor: _Reader) -> Response:
    """Searches for instances of any study."""
    return _search(request, actor, "instances")


@router.get("/studies/{study}/series", response_class=Response, responses=_ANSWERS)
def search_series_of_study(request: Request, actor: _Reader, study: Uid) -> Response:
    """Searches for series of a study."""
    return _search(request, actor, "series", StudyInstanceUID=study)


@router.get("/studies/{study}/instances", response_class=Response, responses=_ANSWERS)
def search_instances_of_study(request: Request, actor: _Reader, study: Uid) -> Response:
    """Searches for instances of a study."""
    return _search(request, actor, "instances", StudyInstanceUID=study)


@router.get("/studies/{study}/series/{series}/instances", response_class=Response, responses=_ANSWERS)
def search_instances_of_series(request: Request, actor: _Reader, study: Uid, series: Uid) -> Response:
    """Searches for instances of a series."""
    return _search(request, actor, "instances", StudyInstanceUID=study, SeriesInstanceUID=series)


def json_type(request: Request) -> str:
    """The type of JSON that the caller takes; 406 when it takes none."""
    found = first_accepted(parse_accept(request.headers.get("accept")), JSON_TYPES)
    if found is None:
        raise HTTPException(406, f"Accept: expected {DICOM_JSON}, found only others")
    return found


def _search(request: Request, actor: Actor, level: Level, **path: str) -> Response:
    media_type = json_type(request)
    query = parse_query(level, request.query_params.multi_items(), **path)
    with service_of(request).database.read() as session:
        found = search(session, query, base_url(request))
    record_access(request, actor, "dicomweb search")
    answer = JSONResponse(found.answers, media_type=media_type) if found.answers else Response(status_code=204)
    for warning in found.warnings:
        answer.headers.append("Warning", warning)
    return answer
