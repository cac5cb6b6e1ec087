"""Every request is counted, timed and logged by its route; the path itself, which may hold anything, is not."""

import logging
import time
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ichscan.service.settings import WebSettings
from ichscan.service.web.address import address_of

OTHER: Final = "other"
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS: Final = (0.005, 0.02, 0.1, 0.5, 2.0, 10.0)

_log = logging.getLogger("ichscan.service.web")


class Meters:
    """Counters of this process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "ichscan_http_requests_total", "Requests.", ["method", "route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "ichscan_http_seconds", "Time to the end of the answer.", ["route"], buckets=BUCKETS, registry=registry
        )
        self.logins = Counter("ichscan_logins_total", "Logins.", ["outcome"], registry=registry)


class Measure:
    """ASGI middleware. An error that nobody foresaw is logged here, and answered with 500 and nothing more."""

    def __init__(self, app: ASGIApp, meters: Meters, web: WebSettings) -> None:
        self._app = app
        self._meters = meters
        self._web = web

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except Exception as error:  # whatever it is: the caller gets an answer, the log its kind and place
            # the text of an error of a library may hold what the caller sent: only its kind and place are logged
            _log.error("unforeseen %s at %s", type(error).__name__, _place(error))
            if status:
                raise RuntimeError("an answer was cut short") from None
            await JSONResponse({"detail": "failed; the log says where"}, 500)(scope, receive, noting)
        finally:
            self._count(scope, status, time.perf_counter() - start)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        route = route_of(scope)
        method = scope["method"] if scope["method"] in METHODS else OTHER
        self._meters.requests.labels(method, route, str(status)).inc()
        self._meters.seconds.labels(route).observe(seconds)
        level = logging.DEBUG if status < 400 else logging.INFO
        address = address_of(HTTPConnection(scope), self._web)
        _log.log(level, "%s %s %d %.0f ms from %s", method, route, status, seconds * 1000, address)


def route_of(scope: Scope) -> str:
    """The route's pattern, e.g. /api/studies/{study_id}; never what the caller wrote."""
    return str(getattr(scope.get("route"), "path", OTHER))


def _place(error: BaseException) -> str:
    """File and line of each step that led there, innermost last."""
    steps: list[str] = []
    trace: Any = error.__traceback__
    while trace is not None:
        module = trace.tb_frame.f_globals.get("__name__", "?")
        steps.append(f"{module}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(steps[-8:])
