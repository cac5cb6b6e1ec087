"""Pictures for the viewer: slices in HU and heat, as the worker wrote them."""

import gzip
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel

from ichscan.errors import InputError
from ichscan.service.imagery import Imagery, Picture
from ichscan.service.tables import Result
from ichscan.service.web.access import Actor, reader
from ichscan.service.web.answers import OF_STUDY
from ichscan.service.web.fields import Id, Number
from ichscan.service.web.find import result_of
from ichscan.service.web.state import service_of
from ichscan.service.web.studies import purpose
from ichscan.service.web.trail import record_access

router = APIRouter(prefix="/api/studies/{study_id}/images", tags=["images"])
BINARY: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}},
    304: {"description": "not changed"},
}
FRESH: Final = "private, max-age=86400, immutable"
"""A day only, and cleared at logout: others may use the same browser."""
Label = Literal["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"]


class Images(BaseModel):
    """What the viewer needs, see docs/service-api.md: one object per series; URLs of slices number them from 0."""

    result_id: int
    series: list[dict[str, Any]]


@router.get("", responses=OF_STUDY)
def images(request: Request, study_id: Id, actor: Annotated[Actor, Depends(reader)]) -> Images:
    """The series of the current result with their geometry, probabilities and findings; slices by themselves."""
    imagery, result = _opened(request, study_id)
    try:
        found = imagery.index(result)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    record_access(request, actor, purpose(request), study_id)
    demo = service_of(request).settings.web.demo
    return Images(result_id=result.id, series=[_shown(one, demo) for one in found])


@router.get("/{series}/{index}", responses=OF_STUDY | BINARY, response_class=Response)
def slice_(
    request: Request, study_id: Id, series: Number, index: Number, actor: Annotated[Actor, Depends(reader)]
) -> Response:
    """One slice: int16 little endian, Hounsfield units, rows × columns as acquired, inferior to superior."""
    imagery, result = _opened(request, study_id)
    record_access(request, actor, purpose(request), study_id)
    etag = f'"{result.id}-{series}-{index}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=_headers(request, result, etag))
    try:
        picture = imagery.slice(result, series, index)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    return _sent(request, result, picture, etag)


@router.get("/{series}/heat/{label}/{index}", responses=OF_STUDY | BINARY, response_class=Response)
def heat(
    request: Request,
    study_id: Id,
    series: Number,
    label: Label,
    index: Number,
    actor: Annotated[Actor, Depends(reader)],
) -> Response:
    """Heat of one slice: uint8, over the whole slice; the header X-Shape has its rows and columns."""
    imagery, result = _opened(request, study_id)
    record_access(request, actor, purpose(request), study_id)
    etag = f'"{result.id}-{series}-{label}-{index}"'
    if request.headers.get("if-none-match") == etag:
        return Response(status_code=304, headers=_headers(request, result, etag))
    try:
        picture = imagery.heat(result, series, label, index)
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    return _sent(request, result, picture, etag)


def _opened(request: Request, study_id: int) -> tuple[Imagery, Result]:
    imagery: Imagery = request.app.state.imagery
    with service_of(request).database.read() as session:
        return imagery, result_of(session, study_id, content=False)


def _sent(request: Request, result: Result, picture: Picture, etag: str) -> Response:
    headers = _headers(request, result, etag) | {"X-Shape": f"{picture.rows},{picture.cols}"}
    data = picture.data
    if "gzip" in request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
    else:
        data = gzip.decompress(data)
    return Response(data, media_type="application/octet-stream", headers=headers)


def _headers(request: Request, result: Result, etag: str) -> dict[str, str]:
    """Kept by the browser when the URL names the result (?g=), since another result then has another URL."""
    named = request.query_params.get("g") == str(result.id)
    return {"ETag": etag, "Cache-Control": FRESH if named else "private, no-cache", "Vary": "Accept-Encoding"}


NO_IMAGES: Final[dict[str, Any]] = {
    "rows": 0, "cols": 0, "spacing_mm": None, "orientation": None, "sides": None, "labels": [], "heat": {},
}  # fmt: skip
"""Of a series that was not analysed."""


def _shown(entry: dict[str, Any], demo: bool) -> dict[str, Any]:
    """An entry of imagery.json with what is known of each finding in one place."""
    scan = entry.get("scan", {})
    findings = {label: {**finding, **scan.get(label, {})} for label, finding in entry.get("findings", {}).items()}
    shown = NO_IMAGES | {key: value for key, value in entry.items() if key not in ("scan", "slice_thresholds")}
    shown |= {"findings": findings or None, "thresholds": entry.get("slice_thresholds", {})}
    if demo:
        shown |= {"description": "", "warnings": [], "reason": "not shown" if entry.get("reason") else None}
    return shown
