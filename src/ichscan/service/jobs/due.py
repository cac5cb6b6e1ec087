"""Which studies are complete: no image came for a while, so their analysis is queued."""

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from ichscan.service.database import Database
from ichscan.service.events import publish
from ichscan.service.jobs.queue import enqueue
from ichscan.service.settings import Settings
from ichscan.service.tables import WAITING, Study
from ichscan.service.worklist import priority_of


def queue_due(database: Database, settings: Settings, now: float) -> int:
    """Queues the analysis of studies that are due at `now` (seconds since 1970).

    A study that is due later than it can have been told was told before the clock went back: it waits anew.

    Returns:
        How many were queued.

    Raises:
        DatabaseError: the database does not answer.
    """
    analysis = settings.analysis
    latest = now + max(analysis.quiet_s, analysis.settle_s) + 1.0
    concerned = or_(Study.due <= now, Study.due > latest)
    with database.read() as session:
        if session.scalar(select(Study.id).where(concerned).limit(1)) is None:
            return 0
    queued = 0
    with database.write() as session:
        for study in session.scalars(select(Study).where(concerned).order_by(Study.first_received)):
            if study.due is not None and study.due > latest:
                study.due = now + analysis.quiet_s
                continue
            _queue(session, study)
            queued += 1
    return queued


def analyse_again(session: Session, study_id: int, now: float) -> bool:
    """Has a study analysed anew, as if an image had come; False when its images were deleted or there is none.

    Args:
        session: of `Database.write`.
        study_id: of the study.
        now: seconds since 1970.
    """
    study = session.get(Study, study_id)
    if study is None or study.images_deleted is not None or not study.images:
        return False
    study.generation += 1
    study.due = now
    _queue(session, study)
    return True


def _queue(session: Session, study: Study) -> None:
    study.due, study.status, study.reason = None, WAITING, ""
    study.priority = priority_of(study)
    enqueue(session, "analyse", study.id, study.generation)
    publish(session, "study", study.id, WAITING)
