"""Whether the process lives, and whether it can work: for supervisors, so without login or detail."""

import logging
from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from sqlalchemy import text

from ichscan.errors import OutputError
from ichscan.service.capacity import Capacity
from ichscan.service.errors import FullError
from ichscan.service.web.answers import OPEN
from ichscan.service.web.state import service_of

router = APIRouter(tags=["operation"])
_log = logging.getLogger(__name__)


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """What does not work: "database", "storage" (cannot be used) or "full" (no more images are taken)."""

    ready: bool
    problems: list[str]


@router.get("/health", responses=OPEN)
def health() -> Health:
    """The process lives."""
    return Health()


@router.get("/ready", responses=OPEN | {503: {"model": Readiness}})
def ready(request: Request, response: Response) -> Readiness:
    """The database answers and images can be stored; otherwise 503."""
    service = service_of(request)
    problems = []
    try:
        with service.database.read() as session:
            session.execute(text("SELECT 1 FROM study WHERE 1 = 0"))
    except OutputError as error:
        _log.warning("not ready: %s", error)
        problems.append("database")
    try:
        capacity: Capacity = request.app.state.capacity
        capacity.check()
    except FullError:
        problems.append("full")
    except OutputError as error:
        _log.warning("not ready: %s", error)
        problems.append("storage")
    if problems:
        response.status_code = 503
    return Readiness(ready=not problems, problems=problems)
