"""Alarms on change and on standstill: what holds now, and the events that tell of their beginning and end."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.service.database import Database
from ichscan.service.events import publish
from ichscan.service.feedback.drift import (
    AGREEMENT,
    DAY,
    FAILED,
    POSITIVE,
    SCORES,
    VOLUME,
    Change,
    Span,
    alarming,
    changes,
)
from ichscan.service.feedback.standstill import Silence, late_min, silences, undelivered
from ichscan.service.feedback.window import arrivals, remarks
from ichscan.service.settings import Settings
from ichscan.service.tables import Event

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
    VOLUME: "studies a day",
}
SILENCE: Final = "silence"
LATE: Final = "late"
UNDELIVERED: Final = "undelivered"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something is not as it was.

    Attributes:
        measure: of a change (`ichscan.service.feedback.drift.MEASURES`), "silence", "late" or "undelivered".
        scanner: "" = all together.
        sentence: for people; no patient data.
        facts: the figures, for the dashboard.
    """

    measure: str
    scanner: str
    sentence: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """Measure and scanner: an alarm that goes on keeps it."""
        return self.measure, self.scanner

    def to_json(self) -> dict[str, Any]:
        """For the dashboard."""
        return {"measure": self.measure, "scanner": self.scanner, **self.facts, "sentence": self.sentence}


def _changed(one: Change, model_changed: bool) -> Alarm:
    """`model_changed`: another model than before made results in the last days; that alone may be the reason."""
    model = "; the model changed meanwhile" if model_changed and one.measure != VOLUME else ""
    what = f"{WORDING[one.measure]}{_of(one.scanner)}"
    sentence = (
        f"{what}: {one.now:.2f} in {one.studies_now} studies, before {one.before:.2f} in {one.studies_before}{model}"
    )
    told = {
        name: round(value, 4) if name in ("before", "now", "size") else value for name, value in asdict(one).items()
    }
    return Alarm(one.measure, one.scanner, sentence, told | {"model_changed": model_changed})


def _silent(one: Silence) -> Alarm:
    sentence = (
        f"no study{_of(one.scanner)} for {one.hours:.1f} h, the longest pause before was {one.longest_hours:.1f} h: "
        "is it off, or are its images lost on the way?"
    )
    return Alarm(SILENCE, one.scanner, sentence, asdict(one))


def _late(minutes: float) -> Alarm:
    sentence = f"an analysis has been waiting for {minutes:.0f} min: are there too many studies, or do workers fail?"
    return Alarm(LATE, "", sentence, {"minutes": minutes})


def _undelivered(counts: Mapping[str, int]) -> Alarm:
    receivers = ", ".join(f"{name} ({count})" for name, count in counts.items())
    sentence = f"results that did not arrive at {receivers}: the deliveries of the studies say why"
    return Alarm(UNDELIVERED, "", sentence, {"receivers": dict(counts)})


def _of(scanner: str) -> str:
    # Names of scanners are whatever a header says: one line of a log stays one line.
    name = "".join(c if c.isprintable() else " " for c in scanner)
    return f" of {name}" if name else ""


def spans(session: Session, settings: Settings, now: float) -> tuple[Span, Span]:
    """The baseline and the last days, as `AlarmSettings` says."""
    start = now - settings.alarms.days * DAY
    first = start - settings.alarms.baseline_days * DAY
    demo = settings.web.demo
    return (
        Span(arrivals(session, first, start, hide=demo), remarks(session, first, start, hide=demo), first, start),
        Span(arrivals(session, start, now, hide=demo), remarks(session, start, now, hide=demo), start, now),
    )


def current(session: Session, settings: Settings, now: float) -> list[Alarm]:
    """All alarms that hold at a time (seconds since 1970): what stands still first, then what changed."""
    before, last = spans(session, settings, now)
    models = {one.model_sha256 for one in before.arrivals} - {""}
    changed = bool({one.model_sha256 for one in last.arrivals} - {""} - models) and bool(models)
    late = late_min(session, settings, now)
    owed = undelivered(session, settings.alarms, now)
    return [
        *([] if late is None else [_late(late)]),
        *([_undelivered(owed)] if owed else []),
        *(_silent(one) for one in silences([*before.arrivals, *last.arrivals], now, settings.alarms)),
        *(_changed(one, changed) for one in alarming(changes(before, last, settings.alarms))),
    ]


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
