"""Who did what to which study. Rows are added, never changed: the database refuses it."""

import time

from sqlalchemy.orm import Session

from ichscan.service.tables import Audit


def audit(
    session: Session,
    actor: str,
    action: str,
    study_id: int | None = None,
    address: str = "",
    outcome: str = "done",
    detail: str = "",
) -> None:
    """Adds a row to the transaction, so that what is done and that it was done are kept or lost together.

    Args:
        session: of `Database.write`.
        actor: "user:NAME", "token:NAME", "dimse:AE" or "system".
        action: a short word, e.g. "login", "view", "download", "store", "feedback".
        study_id: of the study concerned, if one.
        address: of the caller.
        outcome: "done", "refused" or "failed".
        detail: no patient data.
    """
    # PostgreSQL refuses what is longer than its column, and the NUL character anywhere.
    row = Audit(
        time=time.time(),
        actor=_fit(actor, 80),
        action=_fit(action, 40),
        study_id=study_id,
        address=_fit(address, 64),
        outcome=_fit(outcome, 16),
        detail=_fit(detail, 2000),
    )
    session.add(row)


def _fit(text: str, length: int) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")[:length]
