"""What changed, in order: browsers follow it by server-sent events. Holds no patient data."""

import time
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ichscan.service.tables import Event

KINDS: Final = ("study", "result", "delivery", "feedback", "alarm")


def publish(session: Session, kind: str, study_id: int | None, text: str = "") -> None:
    """Adds an event to the transaction. Numbers ascend in the order of commits, since writes happen one at a time.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"event: expected one of {', '.join(KINDS)}, found {kind!r}")
    session.add(Event(time=time.time(), kind=kind, study_id=study_id, text=text))


def after(session: Session, event_id: int, limit: int = 1000) -> list[Event]:
    """Events after the one of that number, oldest first."""
    return list(session.scalars(select(Event).where(Event.id > event_id).order_by(Event.id).limit(limit)))


def latest(session: Session) -> int:
    """Number of the newest event, 0 when there is none: where a follower that only wants news begins."""
    return session.scalar(select(func.max(Event.id))) or 0
