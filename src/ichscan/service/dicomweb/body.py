"""The body of a request on its way into a worker thread. `ichscan.service.web.limits` bounds its size and time."""

from collections.abc import AsyncIterator, Iterator

from anyio.from_thread import run
from fastapi import HTTPException, Request
from starlette.requests import ClientDisconnect


def check_coding(request: Request) -> None:
    """Refuses a compressed body with 415: it would be held in memory, and may be of any size."""
    coding = request.headers.get("content-encoding", "identity").strip().lower()
    if coding != "identity":
        raise HTTPException(415, "Content-Encoding: expected none, the body must come as it is")


def read_chunks(request: Request) -> Iterator[bytes]:
    """The body, for a thread that `anyio.to_thread.run_sync` started; no more of it is read than is asked for.

    Raises:
        HTTPException: 408 and 413 of the limits, 400 when the caller has gone.
    """
    stream = request.stream()
    while (chunk := run(_next, stream)) is not None:
        if chunk:
            yield chunk


async def _next(stream: AsyncIterator[bytes]) -> bytes | None:
    """The next bytes; None at the end."""
    try:
        return await anext(stream, None)
    except ClientDisconnect as error:
        raise HTTPException(400, "the caller has gone before the body was complete") from error
