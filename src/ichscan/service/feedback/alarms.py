"""Alarms on change: what holds now, and the events that tell of their beginning and end."""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.service.database import Database
from ichscan.service.events import publish
from ichscan.service.feedback.drift import AGREEMENT, FAILED, POSITIVE, SCORES, Change, Span, alarming, changes
from ichscan.service.feedback.window import arrivals, remarks
from ichscan.service.settings import Settings
from ichscan.service.tables import Event

DAY: Final = 86_400.0
KIND: Final = "alarm"
BEGINS: Final = "begins"
ENDS: Final = "ends"
REMEMBERED: Final = 2000
"""So many events of alarms are looked through for those that have begun and not ended."""
WORDING: Final = {
    POSITIVE: "share of studies with hemorrhage suspected",
    FAILED: "share of studies that could not be analysed",
    AGREEMENT: "share of studies whose verdicts agree",
    SCORES: "distribution of scan probabilities (medians told)",
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """A change that is too large and too unlikely.

    Attributes:
        change: what changed.
        model_changed: another model than before made results in the last days; that alone may be the reason.
    """

    change: Change
    model_changed: bool

    @property
    def key(self) -> tuple[str, str]:
        """Measure and scanner: an alarm that goes on keeps it."""
        return self.change.measure, self.change.scanner

    @property
    def sentence(self) -> str:
        """For people; no patient data."""
        one = self.change
        # Names of scanners are whatever a header says: one line of a log stays one line.
        scanner = "".join(c if c.isprintable() else " " for c in one.scanner)
        where = f" of {scanner}" if scanner else ""
        model = "; the model changed meanwhile" if self.model_changed else ""
        return (
            f"{WORDING[one.measure]}{where}: {one.now:.2f} in {one.studies_now} studies, before {one.before:.2f} "
            f"in {one.studies_before}{model}"
        )

    def to_json(self) -> dict[str, Any]:
        """For the dashboard."""
        one = self.change
        return {
            "measure": one.measure,
            "scanner": one.scanner,
            "before": round(one.before, 4),
            "now": round(one.now, 4),
            "studies_before": one.studies_before,
            "studies_now": one.studies_now,
            "size": round(one.size, 4),
            "threshold": one.threshold,
            "chance": one.chance,
            "model_changed": self.model_changed,
            "sentence": self.sentence,
        }


def spans(session: Session, settings: Settings, now: float) -> tuple[Span, Span]:
    """The baseline and the last days, as `AlarmSettings` says."""
    start = now - settings.alarms.days * DAY
    first = start - settings.alarms.baseline_days * DAY
    demo = settings.web.demo
    return (
        Span(arrivals(session, first, start, hide=demo), remarks(session, first, start, hide=demo)),
        Span(arrivals(session, start, now, hide=demo), remarks(session, start, now, hide=demo)),
    )


def current(session: Session, settings: Settings, now: float) -> list[Alarm]:
    """All alarms that hold at a time (seconds since 1970), those of all scanners together first."""
    before, last = spans(session, settings, now)
    models = {one.model_sha256 for one in before.arrivals} - {""}
    changed = bool({one.model_sha256 for one in last.arrivals} - {""} - models) and bool(models)
    return [Alarm(one, changed) for one in alarming(changes(before, last, settings.alarms))]


def watch(database: Database, settings: Settings, now: float) -> list[Alarm]:
    """Publishes an event for each alarm that begins or ends; to be called every few minutes, by one process.

    Its text is JSON: `alarm` ("begins" or "ends"), `measure`, `scanner`, and `sentence` when it begins. When old events
    were deleted, an alarm that goes on may be told again.

    Returns:
        Those that began; `current` gives all that hold.

    Raises:
        DatabaseError: the database does not answer.
    """
    with database.read() as session:
        found = current(session, settings, now)
        told = _told(session)
    holding = {one.key for one in found}
    begun, ended = [one for one in found if one.key not in told], sorted(told - holding)
    if begun or ended:
        with database.write() as session:
            for one in begun:
                publish(session, KIND, None, _text(BEGINS, one.key, one.sentence))
            for key in ended:
                publish(session, KIND, None, _text(ENDS, key))
    return begun


def _told(session: Session) -> set[tuple[str, str]]:
    """Alarms whose beginning was told and whose end was not."""
    query = select(Event.text).where(Event.kind == KIND).order_by(Event.id.desc()).limit(REMEMBERED)
    last: dict[tuple[str, str], str] = {}
    for text in session.scalars(query):
        told = json.loads(text)
        last.setdefault((told["measure"], told["scanner"]), told["alarm"])
    return {key for key, what in last.items() if what == BEGINS}


def _text(what: str, key: tuple[str, str], sentence: str = "") -> str:
    told = {"alarm": what, "measure": key[0], "scanner": key[1]}
    return json.dumps(told | ({"sentence": sentence} if sentence else {}))
