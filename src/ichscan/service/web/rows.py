"""The worklist's rows: what is shown of a study, with what is counted beside it."""

from collections.abc import Sequence

from pydantic import BaseModel
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ichscan.service.jobs.queue import ASIDE, DONE, QUEUED, RUNNING
from ichscan.service.tables import Feedback, Job, Result, Study
from ichscan.service.web.demo import hidden


class Deliveries(BaseModel):
    """How many deliveries of the current result are in which state."""

    done: int = 0
    waiting: int = 0
    set_aside: int = 0


class StudyRow(BaseModel):
    """One study. Times are seconds since 1970 (UTC); dates and times of the study are DICOM's DA and TM."""

    id: int
    patient_name: str
    patient_id: str
    birth_date: str
    sex: str
    study_date: str
    study_time: str
    accession_number: str
    description: str
    station: str
    source: str
    status: str
    reason: str
    images: int
    images_deleted: float | None
    probability: float | None
    suspected: bool | None
    states: dict[str, str]
    priority: float
    first_received: float
    last_received: float
    waiting_s: float
    read_at: float | None
    read_by: str
    result_id: int | None
    deliveries: Deliveries
    feedback: int


COPIED = tuple(
    name for name in StudyRow.model_fields if name not in ("waiting_s", "result_id", "deliveries", "feedback")
)
COUNTED = {DONE: "done", QUEUED: "waiting", RUNNING: "waiting", ASIDE: "set_aside"}


def rows_of(session: Session, studies: Sequence[Study], now: float, demo: bool) -> list[StudyRow]:
    """Rows of studies, in their order; with three more queries however many there are."""
    ids = [study.id for study in studies]
    current = select(Result.study_id, Result.id).where(Result.study_id.in_(ids), Result.current.is_(True))
    results = dict(session.execute(current).all())
    said = select(Feedback.study_id, func.count()).where(Feedback.study_id.in_(ids)).group_by(Feedback.study_id)
    feedback = dict(session.execute(said).all())
    deliveries = _deliveries(session, ids)
    rows = []
    for study in studies:
        fields = {name: getattr(study, name) for name in COPIED}
        if demo:
            fields |= hidden(study.id, fields)
        end = study.read_at if study.read_at is not None else now
        rows.append(
            StudyRow(
                **fields,
                waiting_s=max(end - study.first_received, 0.0),
                result_id=results.get(study.id),
                deliveries=deliveries.get(study.id, Deliveries()),
                feedback=feedback.get(study.id, 0),
            )
        )
    return rows


def _deliveries(session: Session, ids: Sequence[int]) -> dict[int, Deliveries]:
    query = (
        select(Job.study_id, Job.state, func.count())
        .join(Study, Study.id == Job.study_id)
        .where(Job.study_id.in_(ids), Job.kind != "analyse", Job.generation == Study.analysed_generation)
        .group_by(Job.study_id, Job.state)
    )
    found: dict[int, Deliveries] = {}
    for study_id, state, count in session.execute(query):
        if state in COUNTED:
            entry = found.setdefault(study_id, Deliveries())
            setattr(entry, COUNTED[state], getattr(entry, COUNTED[state]) + count)
    return found
