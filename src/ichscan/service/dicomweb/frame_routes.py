"""WADO-RS over HTTP: frames, bulk data, pictures (PS3.18 section 10.4)."""

import re
from collections.abc import Sequence
from itertools import chain
from typing import Annotated, Any, Final

from fastapi import APIRouter, HTTPException, Path, Query, Request
from starlette.responses import Response

from ichscan.errors import InputError
from ichscan.service.dicomweb.accept import accepted_of, choose, frame_wanted
from ichscan.service.dicomweb.answer import multipart_answer
from ichscan.service.dicomweb.bulk import bulk_parts
from ichscan.service.dicomweb.held import Held
from ichscan.service.dicomweb.media import MULTIPART, OCTETS
from ichscan.service.dicomweb.opened import Opened, open_held
from ichscan.service.dicomweb.rendered import JPEG, PNG, THUMBNAIL, Look, parse_look, render
from ichscan.service.dicomweb.retrieve_routes import PROBLEMS, Reader, held_for
from ichscan.service.dicomweb.uid import Uid

MOST: Final = 1000
"""Frames of one request."""
_INSTANCE: Final = "/studies/{study}/series/{series}/instances/{instance}"
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_PARTS: Final[dict[int | str, dict[str, Any]]] = PROBLEMS | {
    200: {"description": "The values.", "content": {MULTIPART: _BINARY}}
}
_PICTURE: Final[dict[int | str, dict[str, Any]]] = PROBLEMS | {
    200: {"description": "A picture.", "content": {JPEG: _BINARY, PNG: _BINARY}}
}
Numbers = Annotated[str, Path(json_schema_extra={"pattern": "^[1-9][0-9]{0,4}(,[1-9][0-9]{0,4})*$"})]
Window = Annotated[str | None, Query(description="centre,width of the values")]
Viewport = Annotated[str | None, Query(description="columns,rows that the picture must fit into")]
Quality = Annotated[str | None, Query(description="of JPEG, 1 to 100")]

router = APIRouter()


@router.get(f"{_INSTANCE}/frames/{{frames}}", response_class=Response, responses=_PARTS)
def retrieve_frames(
    request: Request, actor: Reader, study: Uid, series: Uid, instance: Uid, frames: Numbers
) -> Response:
    """Frames, numbered from 1: decoded as octets, or compressed as they are stored."""
    held = held_for(request, actor, "frames", study, series, instance)[0]
    opened = _opened(held)
    numbers = frame_numbers(frames, opened)
    wanted = frame_wanted(request, opened)
    try:
        first = wanted.frame(opened, numbers[0])  # before the answer begins, while errors can be told
    except InputError as error:
        raise HTTPException(404, str(error)) from error
    frames_told = chain([first], (wanted.frame(opened, number) for number in numbers[1:]))
    return multipart_answer(((one.content_type, [one.data]) for one in frames_told), wanted.media_type)


@router.get(f"{_INSTANCE}/bulkdata/{{path:path}}", response_class=Response, responses=_PARTS)
def retrieve_bulk_data(
    request: Request,
    actor: Reader,
    study: Uid,
    series: Uid,
    instance: Uid,
    path: Annotated[str, Path(json_schema_extra={"pattern": "^[0-9A-F]{8}$"})],
) -> Response:
    """A value that the metadata refers to."""
    if not any(kind.covers(MULTIPART) for kind in accepted_of(request)):
        raise HTTPException(406, f'Accept: expected {MULTIPART}; type="{OCTETS}", found only others')
    held = held_for(request, actor, "bulkdata", study, series, instance)[0]
    inner, parts = bulk_parts(_opened(held), path)
    return multipart_answer(parts, inner)


@router.get(f"{_INSTANCE}/rendered", response_class=Response, responses=_PICTURE)
def render_instance(
    request: Request,
    actor: Reader,
    study: Uid,
    series: Uid,
    instance: Uid,
    window: Window = None,
    viewport: Viewport = None,
    quality: Quality = None,
) -> Response:
    """The first frame of an instance as a picture."""
    held = held_for(request, actor, "rendered", study, series, instance)[0]
    return _picture(request, held, "1", parse_look(window, viewport, quality))


@router.get(f"{_INSTANCE}/frames/{{frames}}/rendered", response_class=Response, responses=_PICTURE)
def render_frame(
    request: Request,
    actor: Reader,
    study: Uid,
    series: Uid,
    instance: Uid,
    frames: Numbers,
    window: Window = None,
    viewport: Viewport = None,
    quality: Quality = None,
) -> Response:
    """One frame as a picture."""
    held = held_for(request, actor, "rendered", study, series, instance)[0]
    return _picture(request, held, frames, parse_look(window, viewport, quality))


@router.get(f"{_INSTANCE}/thumbnail", response_class=Response, responses=_PICTURE)
def instance_thumbnail(request: Request, actor: Reader, study: Uid, series: Uid, instance: Uid) -> Response:
    """A small picture of an instance."""
    return _thumbnail(request, held_for(request, actor, "thumbnail", study, series, instance))


@router.get("/studies/{study}/series/{series}/thumbnail", response_class=Response, responses=_PICTURE)
def series_thumbnail(request: Request, actor: Reader, study: Uid, series: Uid) -> Response:
    """A small picture of the middle of a series."""
    return _thumbnail(request, held_for(request, actor, "thumbnail", study, series))


@router.get("/studies/{study}/thumbnail", response_class=Response, responses=_PICTURE)
def study_thumbnail(request: Request, actor: Reader, study: Uid) -> Response:
    """A small picture of the middle of the first series of a study."""
    held = held_for(request, actor, "thumbnail", study)
    return _thumbnail(request, [one for one in held if one.series == held[0].series])


def frame_numbers(text: str, opened: Opened) -> list[int]:
    """Numbers of a path, all different; 400 when they are none, 404 beyond the last frame."""
    if not re.fullmatch(r"[1-9][0-9]{0,4}(,[1-9][0-9]{0,4})*", text):
        raise HTTPException(400, "frames: expected numbers from 1 on with commas between them")
    numbers = [int(one) for one in text.split(",")]
    if len(set(numbers)) < len(numbers) or len(numbers) > MOST:
        raise HTTPException(400, f"frames: expected at most {MOST:,} numbers, each once")
    if not opened.has_pixels or max(numbers) > opened.slice.pixels.frames:
        raise HTTPException(404, "frames: the instance has no such frame")
    return numbers


def _opened(held: Held) -> Opened:
    """The instance; 404 when what is held of it cannot be read: the fault is not the caller's."""
    try:
        return open_held(held)
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def _picture(request: Request, held: Held, frames: str, look: Look) -> Response:
    media_type = choose(request, (JPEG, PNG))
    opened = _opened(held)
    numbers = frame_numbers(frames, opened)
    if len(numbers) > 1:
        raise HTTPException(400, "rendered: expected one frame, found more")
    try:
        return Response(render(opened, numbers[0], look, media_type), media_type=media_type)
    except InputError as error:
        raise HTTPException(404, str(error)) from error


def _thumbnail(request: Request, held: Sequence[Held]) -> Response:
    return _picture(request, held[len(held) // 2], "1", Look(size=(THUMBNAIL, THUMBNAIL), quality=80))
