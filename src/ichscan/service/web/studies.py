"""The worklist, one study, and what a person does with it."""

from typing import Annotated, Any, Literal
from urllib.parse import unquote

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import ColumnElement, Integer, and_, cast, func, or_, select
from sqlalchemy.orm import Session

from ichscan.service.audit import audit
from ichscan.service.events import publish
from ichscan.service.feedback.standstill import late_min
from ichscan.service.jobs.due import analyse_again
from ichscan.service.jobs.queue import again
from ichscan.service.tables import ANALYSING, RECEIVING, STATUSES, WAITING, Instance, Job, Result, Series, Study
from ichscan.service.web.access import Actor, person, reader
from ichscan.service.web.address import address_of
from ichscan.service.web.answers import KNOWN, OF_STUDY
from ichscan.service.web.demo import hidden_result, searched_id
from ichscan.service.web.fields import Id, Limit, Offset
from ichscan.service.web.find import study_of
from ichscan.service.web.folder import FileInfo, files_of
from ichscan.service.web.rows import StudyRow, rows_of
from ichscan.service.web.state import service_of
from ichscan.service.web.trail import now, record_access
from ichscan.service.worklist import order

router = APIRouter(prefix="/api", tags=["studies"])
Status = Literal["receiving", "waiting", "analysing", "analysed", "not_analysable", "set_aside"]
SEARCHED = (Study.patient_name, Study.patient_id, Study.accession_number, Study.description, Study.study_date)


class Worklist(BaseModel):
    """Studies in the order in which they are to be looked at. `counts` is over all that are held, by status.

    `late_min`: how long an analysis has been waiting, once that is longer than `alarms.late_min`: the order is not to
    be relied on then.
    """

    total: int
    counts: dict[str, int]
    late_min: float | None
    studies: list[StudyRow]


class SeriesRow(BaseModel):
    """One series; `made_here` when all of it are results of ichscan."""

    series_instance_uid: str
    modality: str
    number: int | None
    description: str
    images: int
    made_here: bool


class Delivery(BaseModel):
    """One way that the results go."""

    id: int
    kind: str
    target: str
    generation: int
    state: str
    attempts: int
    error: str
    created: float
    run_after: float
    finished: float | None


class StudyDetail(StudyRow):
    """One study with its series, current result, deliveries and files. `result` holds objects of ichscan.result/1."""

    study_instance_uid: str
    series: list[SeriesRow]
    result: list[dict[str, Any]]
    analysed_at: float | None
    deliveries_list: list[Delivery]
    files: list[FileInfo]


class Read(BaseModel):
    """Whether the study is read; with `result_id` (null: none yet), 409 when that is not its current result."""

    model_config = ConfigDict(extra="forbid")
    read: bool
    result_id: int | None = None


@router.get("/studies", responses=KNOWN)
def worklist(
    request: Request,
    actor: Annotated[Actor, Depends(reader)],
    status: Annotated[Status | None, Query()] = None,
    suspected: Annotated[bool | None, Query()] = None,
    unread: Annotated[bool | None, Query()] = None,
    x_search: Annotated[str | None, Header(max_length=600)] = None,
    limit: Limit = 100,
    offset: Offset = 0,
) -> Worklist:
    """The worklist. What is searched for may name a patient, so it comes in a header (percent-encoded), not the URL."""
    if "text" in request.query_params:
        raise HTTPException(
            400, "expected the text in the header X-Search, found it in the URL, where logs would keep it"
        )
    service = service_of(request)
    demo = service.settings.web.demo
    chosen = and_(True, *_filters(status, suspected, unread, unquote(x_search or ""), demo))
    with service.database.read() as session:
        total = session.scalar(select(func.count()).select_from(Study).where(chosen)) or 0
        found = session.scalars(select(Study).where(chosen).order_by(*order()).limit(limit).offset(offset)).all()
        by_status = select(Study.status, func.count()).group_by(Study.status)
        counted = dict(session.execute(by_status).all())
        rows = rows_of(session, found, now(), demo)
        late = late_min(session, service.settings, now())
    record_access(request, actor, "worklist")
    counts = {name: counted.get(name, 0) for name in STATUSES}
    return Worklist(total=total, counts=counts, studies=rows, late_min=late)


@router.get("/studies/{study_id}", responses=OF_STUDY)
def detail(request: Request, study_id: Id, actor: Annotated[Actor, Depends(reader)]) -> StudyDetail:
    """One study with everything but its pictures."""
    service = service_of(request)
    demo = service.settings.web.demo
    with service.database.read() as session:
        study = study_of(session, study_id)
        row = rows_of(session, [study], now(), demo)[0]
        result = session.scalar(select(Result).where(Result.study_id == study_id, Result.current.is_(True)).limit(1))
        series, deliveries = _series(session, study_id, demo), _deliveries(session, study_id)
    content: list[dict[str, Any]] = [] if result is None else list(result.content)
    record_access(request, actor, purpose(request), study_id)
    return StudyDetail(
        **row.model_dump(),
        study_instance_uid=study.study_instance_uid,
        series=series,
        result=[hidden_result(one) for one in content] if demo else content,
        analysed_at=None if result is None else result.created,
        deliveries_list=deliveries,
        files=[] if result is None else files_of(service.settings.folder / result.folder, demo),
    )


@router.post("/studies/{study_id}/read", responses=OF_STUDY)
def mark_read(request: Request, study_id: Id, told: Read, actor: Annotated[Actor, Depends(person)]) -> StudyRow:
    """Says that a study is read, or that it is not after all."""
    service = service_of(request)
    with service.database.write() as session:
        study = study_of(session, study_id)
        current = session.scalar(select(Result.id).where(Result.study_id == study_id, Result.current.is_(True)))
        if told.read and "result_id" in told.model_fields_set and told.result_id != current:
            raise HTTPException(409, f"study {study_id}: it has another result than you looked at; load it again")
        study.read_at, study.read_by = (now(), actor.name) if told.read else (None, "")
        publish(session, "study", study_id, "read" if told.read else "unread")
        address = address_of(request, service.settings.web)
        audit(session, actor.label, "read" if told.read else "unread", study_id, address)
        return rows_of(session, [study], now(), service.settings.web.demo)[0]


@router.post("/studies/{study_id}/analyse", status_code=202, responses=OF_STUDY)
def analyse(request: Request, study_id: Id, actor: Annotated[Actor, Depends(person)]) -> StudyRow:
    """Has a study analysed again, e.g. one that was set aside. 409 while it is under way or has no images."""
    service = service_of(request)
    with service.database.write() as session:
        study = study_of(session, study_id)
        if study.due is not None or study.status in (RECEIVING, WAITING, ANALYSING):
            raise HTTPException(409, f"study {study_id}: its analysis is under way already; wait for it")
        if not analyse_again(session, study_id, now()):
            raise HTTPException(409, f"study {study_id}: its images are not held any more; send it again")
        audit(session, actor.label, "analyse", study_id, address_of(request, service.settings.web))
        return rows_of(session, [study], now(), service.settings.web.demo)[0]


@router.post("/deliveries/{delivery_id}/retry", status_code=202, responses=OF_STUDY)
def retry(request: Request, delivery_id: Id, actor: Annotated[Actor, Depends(person)]) -> Delivery:
    """Tries a delivery again that was set aside or waits; 409 when it is done, under way or outdated."""
    service = service_of(request)
    with service.database.write() as session:
        job = session.get(Job, delivery_id)
        if job is None or job.kind == "analyse":
            raise HTTPException(404, f"delivery {delivery_id}: expected one, found none")
        if not again(session, delivery_id):
            raise HTTPException(409, f"delivery {delivery_id}: it is {job.state}; only one that failed can be retried")
        session.refresh(job)
        publish(session, "delivery", job.study_id, "retry")
        audit(session, actor.label, "retry", job.study_id, address_of(request, service.settings.web), "done", job.kind)
        return delivery_of(job)


def _filters(
    status: str | None, suspected: bool | None, unread: bool | None, text: str, demo: bool
) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if status is not None:
        found.append(Study.status == status)
    if suspected is not None:
        found.append(Study.suspected.is_(True) if suspected else func.coalesce(Study.suspected, False).is_(False))
    if unread is not None:
        found.append(Study.read_at.is_(None) if unread else Study.read_at.is_not(None))
    for word in text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8").split()[:8]:
        if demo:  # a search must not tell what is hidden
            found.append(Study.id == searched_id(word) if searched_id(word) is not None else Study.id < 0)
        else:
            found.append(or_(*(column.icontains(word, autoescape=True) for column in SEARCHED)))
    return found


def _series(session: Session, study_id: int, demo: bool) -> list[SeriesRow]:
    query = (
        select(Series, func.count(Instance.id), func.min(cast(Instance.made_here, Integer)))
        .outerjoin(Instance, Instance.series_id == Series.id)
        .where(Series.study_id == study_id)
        .group_by(Series.id)
        .order_by(Series.number, Series.id)
    )
    return [
        SeriesRow(
            series_instance_uid=one.series_instance_uid,
            modality=one.modality,
            number=one.number,
            description="" if demo else one.description,
            images=count,
            made_here=bool(made),
        )
        for one, count, made in session.execute(query)
    ]


def _deliveries(session: Session, study_id: int) -> list[Delivery]:
    query = select(Job).where(Job.study_id == study_id, Job.kind != "analyse").order_by(Job.id.desc()).limit(100)
    return [delivery_of(job) for job in session.scalars(query)]


def delivery_of(job: Job) -> Delivery:
    """A job as it is shown."""
    return Delivery(**{name: getattr(job, name) for name in Delivery.model_fields})


def purpose(request: Request) -> str:
    """For the audit trail: viewers fetch the next study in advance, and say so: nobody has looked at it yet."""
    return "prefetch" if request.headers.get("x-purpose") == "prefetch" else "view"
