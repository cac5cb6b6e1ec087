"""Errors as answers: always `{"detail": sentence}`, never with what the caller sent or with anything of ours."""

import logging
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from ichscan.errors import InputError, OutputError, UsageError
from ichscan.service.errors import DatabaseError, FullError

RETRY_S: Final = "5"

_log = logging.getLogger(__name__)


def add_handlers(app: FastAPI) -> None:
    """Registers the answers to every error that is raised on purpose."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(UsageError, _usage)
    app.add_exception_handler(InputError, _input)
    app.add_exception_handler(FullError, _full)
    app.add_exception_handler(DatabaseError, _database)
    app.add_exception_handler(OutputError, _output)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    detail = error.detail if isinstance(error, HTTPException) else "failed"
    headers = error.headers if isinstance(error, HTTPException) else None
    if status in (204, 304):
        return Response(status_code=status, headers=headers)
    return JSONResponse({"detail": detail}, status, headers)


async def _invalid(request: Request, error: Exception) -> Response:
    """Names the field and the rule; what was sent, maybe a password, is not repeated."""
    told = error.errors() if isinstance(error, RequestValidationError) else []
    parts = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in told[:5]]
    detail = "; ".join(parts).encode("utf-8", "replace").decode("utf-8")
    return JSONResponse({"detail": f"the request is not valid: {detail}"[:500]}, 422)


async def _usage(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 400)


async def _input(request: Request, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 400)


async def _full(request: Request, error: Exception) -> Response:
    _log.warning("refused for want of room: %s", error)
    detail = "no more images can be stored for now: the disk or its limit is reached; an administrator must make room"
    return JSONResponse({"detail": detail}, 507)


async def _database(request: Request, error: Exception) -> Response:
    _log.error("database: %s", error)
    return JSONResponse({"detail": "the database does not answer; try again"}, 503, {"Retry-After": RETRY_S})


async def _output(request: Request, error: Exception) -> Response:
    _log.error("output: %s", error)
    return JSONResponse({"detail": "a file could not be written; an administrator must look at the disk"}, 500)
