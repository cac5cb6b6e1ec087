"""What arrived, and what was said, in a span of time."""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.service.feedback.record import states_told, verdicts_of
from ichscan.service.feedback.verdicts import AGREE, DISAGREE, outcome
from ichscan.service.tables import ANALYSED, NOT_ANALYSABLE, SET_ASIDE, Feedback, Result, Study


@dataclass(frozen=True, slots=True)
class Arrival:
    """A study that arrived.

    Attributes:
        time: when its first image came, seconds since 1970.
        scanner: `Study.station`.
        waited_s: from its last image to its result; None without one.
        model_sha256: of its current result, "" without one.
    """

    study_id: int
    time: float
    scanner: str
    status: str
    probability: float | None
    suspected: bool | None
    waited_s: float | None
    model_sha256: str

    @property
    def analysed(self) -> bool:
        """It has a probability."""
        return self.status == ANALYSED and self.probability is not None

    @property
    def failed(self) -> bool:
        """It could not be analysed, for whatever reason."""
        return self.status in (NOT_ANALYSABLE, SET_ASIDE)


@dataclass(frozen=True, slots=True)
class Remark:
    """What one person said of one study: the newest of that span.

    Attributes:
        outcomes: label -> (state in the result, verdict, "agree" or "disagree" or None).
    """

    study_id: int
    time: float
    scanner: str
    outcomes: dict[str, tuple[str, str, str | None]]


def arrivals(session: Session, since: float, until: float, *, hide: bool = False) -> list[Arrival]:
    """Studies whose first image came in [since, until), oldest first.

    Args:
        session: to read with.
        since: seconds since 1970.
        until: seconds since 1970, not included.
        hide: names of scanners, in a demonstration.
    """
    query = (
        select(
            Study.id, Study.first_received, Study.station, Study.status, Study.probability, Study.suspected,
            Study.last_received, Result.created, Result.model_sha256,
        )
        .join(Result, (Result.study_id == Study.id) & Result.current, isouter=True)
        .where(Study.last_received >= since, Study.first_received >= since, Study.first_received < until)
        .order_by(Study.first_received, Study.id)
    )  # fmt: skip
    return [
        Arrival(
            row.id, row.first_received, _scanner(row.station, hide), row.status, row.probability, row.suspected,
            None if row.created is None else max(row.created - row.last_received, 0.0), row.model_sha256 or "",
        )
        for row in session.execute(query)
    ]  # fmt: skip


def remarks(session: Session, since: float, until: float, *, hide: bool = False) -> list[Remark]:
    """What was said in [since, until); of one person and study the last. `hide`: see `arrivals`."""
    query = (
        select(Feedback.user, Feedback.study_id, Feedback.time, Feedback.verdicts, Study.station)
        .join(Study, Study.id == Feedback.study_id)
        .where(Feedback.time >= since, Feedback.time < until)
        .order_by(Feedback.id)
    )
    last = {(row.user, row.study_id): row for row in session.execute(query)}
    return [_remark(row, _scanner(row.station, hide)) for row in last.values()]


def _remark(row: Any, scanner: str) -> Remark:
    states = states_told(row)
    outcomes = {
        label: (states[label], verdict, outcome(states[label], verdict)) for label, verdict in verdicts_of(row).items()
    }
    return Remark(row.study_id, row.time, scanner, outcomes)


def _scanner(station: str, hide: bool) -> str:
    return f"scanner {sha256(station.encode()).hexdigest()[:4]}" if hide and station else station


def studies_agreed(found: Iterable[Remark]) -> dict[int, bool]:
    """Study -> True when every decided verdict on it agrees, False when one disagrees; undecided ones are left out."""
    agreed: dict[int, bool] = {}
    for remark in found:
        for _, _, told in remark.outcomes.values():
            if told in (AGREE, DISAGREE):
                agreed[remark.study_id] = agreed.get(remark.study_id, True) and told == AGREE
    return agreed
