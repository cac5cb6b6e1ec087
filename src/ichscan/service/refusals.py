"""What was sent and not taken, or set aside after it was taken: nothing is lost in silence."""

import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.service.tables import Refusal


def refused(session: Session, source: str, reason: str, path: str = "") -> None:
    """Adds a row to the transaction; one that is there for the same file already stays alone.

    Args:
        session: of `Database.write`.
        source: as the door says it, e.g. "dimse:AE"; of an unknown caller its address.
        reason: what was expected and found; no patient data.
        path: of the file in `aside`, relative to `Settings.folder`; "" when refused at the door.
    """
    if path and session.scalar(select(Refusal.id).where(Refusal.path == path).limit(1)) is not None:
        return
    session.add(Refusal(time=time.time(), source=_plain(source)[:200], reason=_plain(reason)[:2000], path=path))


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
