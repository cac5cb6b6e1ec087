"""Server-sent events (HTML, 9.2): browsers are told what changed, and ask for it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, HTTPException, Request
from fastapi.responses import StreamingResponse

from ichscan.errors import OutputError
from ichscan.service.events import after, latest
from ichscan.service.tables import Event
from ichscan.service.web.access import Actor, reader, still_known
from ichscan.service.web.answers import KNOWN
from ichscan.service.web.state import Service, service_of

router = APIRouter(prefix="/api/events", tags=["events"])
LOOK_S: Final = 0.5
HEARTBEAT_S: Final = 15.0
CHECK_S: Final = 60.0
"""A login that ended is told nothing after so long."""
LONGEST_S: Final = 3600.0
"""Then the browser connects again by itself, from the last event on."""
MOST: Final = 200
MOST_AT_ONCE: Final = 200
STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}}
}
HEADERS: Final = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@router.get("", responses=KNOWN | STREAM, response_class=StreamingResponse)
def events(
    request: Request,
    actor: Annotated[Actor, Depends(reader)],
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> StreamingResponse:
    """What changed, as it does: `data` is {kind, study_id, text}. With Last-Event-ID, what was missed comes first."""
    service = service_of(request)
    followers: set[object] = request.app.state.followers
    if len(followers) >= MOST:
        raise HTTPException(503, "too many pages follow the worklist; close some", {"Retry-After": "60"})
    with service.database.read() as session:
        newest = latest(session)
    start = int(last_event_id) if last_event_id and last_event_id.isascii() and last_event_id.isdigit() else newest
    return StreamingResponse(
        _follow(request, service, actor, min(start, newest), followers),
        media_type="text/event-stream",
        headers=HEADERS,
    )


async def _follow(
    request: Request, service: Service, actor: Actor, last: int, followers: set[object]
) -> AsyncIterator[str]:
    me = object()
    followers.add(me)
    begun = told = checked = time.monotonic()
    try:
        yield f": ready\nretry: 3000\nid: {last}\n\n"
        while time.monotonic() < begun + LONGEST_S and not request.app.state.stopping:
            found = await run_sync(_after, service, last)
            now = time.monotonic()
            if now >= checked + CHECK_S:
                checked = now
                if not await run_sync(still_known, service, actor):
                    return
            for event in found:
                last, told = event.id, now
                yield line(event)
            if now >= told + HEARTBEAT_S:
                told = now
                yield ": still here\n\n"
            await asyncio.sleep(LOOK_S)
    finally:
        followers.discard(me)


def line(event: Event) -> str:
    """One event; JSON has no line ends, which would end it early."""
    data = json.dumps({"kind": event.kind, "study_id": event.study_id, "text": event.text})
    return f"id: {event.id}\nevent: message\ndata: {data}\n\n"


def _after(service: Service, last: int) -> list[Event]:
    """Nothing while the database does not answer: what changed is told later."""
    try:
        with service.database.read() as session:
            return after(session, last, MOST_AT_ONCE)
    except OutputError:
        return []
