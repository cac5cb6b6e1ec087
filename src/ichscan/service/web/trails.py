"""What happened, for administrators: the audit trail, what was refused, and the jobs."""

from typing import Annotated, Any, Literal, TypeVar

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from ichscan.service.tables import Audit, Job, Refusal
from ichscan.service.web.access import Actor, administrator
from ichscan.service.web.answers import KNOWN
from ichscan.service.web.fields import LARGEST_ID, Limit, Offset
from ichscan.service.web.state import service_of

router = APIRouter(prefix="/api", tags=["administration"])
Administrator = Annotated[Actor, Depends(administrator)]
Row = TypeVar("Row", bound=BaseModel)
StudyId = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]


class AuditRow(BaseModel):
    """Who did what."""

    id: int
    time: float
    actor: str
    action: str
    study_id: int | None
    address: str
    outcome: str
    detail: str


class AuditRows(BaseModel):
    """The newest first."""

    total: int
    rows: list[AuditRow]


class RefusalRow(BaseModel):
    """What was sent and not taken, or set aside."""

    id: int
    time: float
    source: str
    reason: str
    set_aside: bool


class RefusalRows(BaseModel):
    """The newest first."""

    total: int
    rows: list[RefusalRow]


class JobRow(BaseModel):
    """Work in the queue."""

    id: int
    kind: str
    study_id: int
    generation: int
    target: str
    state: str
    priority: float
    attempts: int
    run_after: float
    worker: str
    error: str
    created: float
    finished: float | None


class JobRows(BaseModel):
    """The newest first; `counts` is over all, by kind and state."""

    total: int
    counts: dict[str, dict[str, int]]
    rows: list[JobRow]


@router.get("/audit", responses=KNOWN)
def audit_trail(
    request: Request,
    actor: Administrator,
    study_id: StudyId = None,
    outcome: Annotated[Literal["done", "refused", "failed"] | None, Query()] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> AuditRows:
    """The audit trail."""
    query = select(Audit)
    if study_id is not None:
        query = query.where(Audit.study_id == study_id)
    if outcome is not None:
        query = query.where(Audit.outcome == outcome)
    with service_of(request).database.read() as session:
        total, rows = _page(session, query, Audit.id, limit, offset)
        return AuditRows(total=total, rows=[_filled(AuditRow, row) for row in rows])


@router.get("/refusals", responses=KNOWN)
def refusals(request: Request, actor: Administrator, limit: Limit = 100, offset: Offset = 0) -> RefusalRows:
    """What was refused at a door, or set aside by the registrar."""
    with service_of(request).database.read() as session:
        total, rows = _page(session, select(Refusal), Refusal.id, limit, offset)
        return RefusalRows(total=total, rows=[_filled(RefusalRow, row, set_aside=bool(row.path)) for row in rows])


@router.get("/jobs", responses=KNOWN)
def jobs(
    request: Request,
    actor: Administrator,
    state: Annotated[Literal["queued", "running", "done", "set_aside", "outdated"] | None, Query()] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> JobRows:
    """Analyses and deliveries."""
    query = select(Job) if state is None else select(Job).where(Job.state == state)
    with service_of(request).database.read() as session:
        total, rows = _page(session, query, Job.id, limit, offset)
        counts: dict[str, dict[str, int]] = {}
        for kind, name, count in session.execute(
            select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state)
        ):
            counts.setdefault(kind, {})[name] = count
        return JobRows(total=total, counts=counts, rows=[_filled(JobRow, row) for row in rows])


def _page(session: Session, query: Select[Any], newest: Any, limit: int, offset: int) -> tuple[int, list[Any]]:
    """How many rows there are, and those asked for."""
    total = session.scalar(select(func.count()).select_from(query.subquery())) or 0
    return total, list(session.scalars(query.order_by(newest.desc()).limit(limit).offset(offset)))


def _filled(kind: type[Row], row: Any, **more: Any) -> Row:
    """The fields of a row that are shown."""
    return kind(**{name: getattr(row, name) for name in kind.model_fields if name not in more}, **more)
