"""The study, or its current result, that a request is about."""

from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from ichscan.service.tables import Result, Study


def study_of(session: Session, study_id: int) -> Study:
    """The study; 404 when it is not held."""
    study = session.get(Study, study_id)
    if study is None:
        raise HTTPException(404, f"study {study_id}: expected one that is held, found none")
    return study


def result_of(session: Session, study_id: int, *, content: bool = True) -> Result:
    """The current result of a study; 404 when there is none. Without `content` it is cheap, and has no content."""
    query = select(Result).where(Result.study_id == study_id, Result.current.is_(True)).order_by(Result.id.desc())
    if not content:
        query = query.options(defer(Result.content, raiseload=True))
    found = session.scalar(query.limit(1))
    if found is None:
        study_of(session, study_id)
        raise HTTPException(404, f"study {study_id}: expected a result, found none yet; wait until it is analysed")
    return found
