"""The audit trail of requests: who saw or changed what, from where, and with what outcome."""

import time
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from ichscan.service.audit import audit
from ichscan.service.web.address import address_of
from ichscan.service.web.state import service_of

if TYPE_CHECKING:
    from ichscan.service.web.access import Actor


def record(
    request: HTTPConnection,
    actor: "Actor | str",
    action: str,
    study_id: int | None = None,
    outcome: str = "done",
    detail: str = "",
) -> None:
    """Adds a row to the audit trail. Of something that changed: within the change's own transaction where there is one.

    Args:
        request: that asked for it.
        actor: who, or the text that stands for one who is not known.
        action: a word or two, e.g. "view", "download", "read".
        study_id: of `Study`, or None.
        outcome: "done" or "refused".
        detail: holds no patient data.
    """
    service = service_of(request)
    with service.database.write() as session:
        audit(
            session,
            actor if isinstance(actor, str) else actor.label,
            action,
            study_id,
            address_of(request, service.settings.web),
            outcome,
            detail,
        )


def record_access(
    request: HTTPConnection,
    actor: "Actor | str",
    action: str,
    study_id: int | None = None,
    outcome: str = "done",
    detail: str = "",
) -> None:
    """`record`, once a minute for the same actor, address, action and study: a viewer asks for each slice by itself."""
    service = service_of(request)
    who = actor if isinstance(actor, str) else actor.label
    key = (who, address_of(request, service.settings.web), action, study_id, outcome)
    if not service.seen.first(key):
        return
    try:
        record(request, actor, action, study_id, outcome, detail)
    except BaseException:
        service.seen.forget(key)  # not in the trail: the next one must be
        raise


def now() -> float:
    """Seconds since 1970 (UTC), as in the tables."""
    return time.time()
