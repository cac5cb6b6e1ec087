"""What one caller may ask of the server: how often, how much, and how slowly."""

import asyncio
import math
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final

from fastapi import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ichscan.service.security.listening import here_only
from ichscan.service.security.rates import Rates
from ichscan.service.settings import WebSettings
from ichscan.service.web.address import address_of, peer_of

BODY: Final = 1 << 20
"""Bytes of a body, except where images come in."""
LARGE: Final = ("/api/uploads", "/dicom-web/", "/dicom-web")
MB: Final = 1 << 20
PATIENCE_S: Final = 30.0
LEAST_RATE: Final = 1024.0
"""Bytes per second below which a body is too slow, once the patience is used up."""
SEND_S: Final = 120.0
"""A caller who takes nothing of an answer for so long is left."""


class Limits:
    """ASGI middleware. Answers 400, 403, 413 and 429 itself; what is found while a body is read becomes 408 or 413."""

    def __init__(self, app: ASGIApp, web: WebSettings) -> None:
        self._app = app
        self._web = web
        self._rates = Rates(web.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._refusal(HTTPConnection(scope))
        if answer is not None:
            await answer(scope, receive, send)
            return
        body = _Body(receive, self._most(scope["path"]))
        await self._app(scope, body.receive, _patient(send))

    def _refusal(self, request: HTTPConnection) -> JSONResponse | None:
        web = self._web
        peer = peer_of(request)
        if web.behind_proxy and peer and peer != web.proxy_address and not here_only(peer):
            return _answer(403, "only the proxy may call this server; use its address")
        wait = self._rates.wait(network_of(address_of(request, web)))
        if wait:
            return _answer(429, "too many requests; wait a moment", {"Retry-After": str(math.ceil(wait))})
        if "transfer-encoding" in request.headers and "content-length" in request.headers:
            # a proxy may believe the other one, and take the rest for a request of its own (RFC 9112, 11.2)
            return _answer(400, "expected one length of the body, found two", {"Connection": "close"})
        length = request.headers.get("content-length", "0")
        if not length.isascii() or not length.isdigit() or int(length[:20]) > self._most(request.url.path):
            return _answer(413, self._too_large(request.url.path), {"Connection": "close"})
        return None

    def _most(self, path: str) -> int:
        return self._web.upload_mb * MB if path.startswith(LARGE) else BODY

    def _too_large(self, path: str) -> str:
        return f"the body is too large: expected at most {self._most(path)} bytes; send less at a time"


class _Body:
    """Counts the bytes of a body and the time that was waited for them."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._bytes = 0
        self._waited = 0.0
        self._complete = False

    async def receive(self) -> Message:
        if self._complete:  # what follows is only the end of the connection
            return await self._receive()
        loop = asyncio.get_running_loop()
        start = loop.time()
        patience = PATIENCE_S + self._bytes / LEAST_RATE - self._waited
        try:
            message = await asyncio.wait_for(self._receive(), max(patience, 0.0))
        except TimeoutError:
            raise HTTPException(408, "the body came too slowly", {"Connection": "close"}) from None
        self._waited += loop.time() - start
        self._bytes += len(message.get("body", b""))
        self._complete = not message.get("more_body", False)
        if self._bytes > self._most:
            detail = f"the body is too large: expected at most {self._most} bytes; send less at a time"
            raise HTTPException(413, detail, {"Connection": "close"})
        return message


def _patient(send: Send) -> Send:
    async def bounded(message: Message) -> None:
        await asyncio.wait_for(send(message), SEND_S)

    return bounded


def network_of(address: str) -> str:
    """The caller that an address stands for: of IPv6 the /64, since one customer has all of its addresses."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or ip_network((found, 64), strict=False))
    return address


def _answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": detail}, status, headers)
