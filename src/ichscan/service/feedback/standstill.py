"""What stands still: scanners that no study comes from, analyses that nobody makes, results that do not arrive."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from ichscan.service.feedback.drift import scanners
from ichscan.service.feedback.window import Arrival
from ichscan.service.settings import AlarmSettings, Settings
from ichscan.service.spool import oldest_file
from ichscan.service.tables import Job, Study

HOUR: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Silence:
    """A pause that is longer than those before it.

    Attributes:
        scanner: "" = all together.
        hours: since the first image of the last study.
        longest_hours: the longest pause between two studies before.
    """

    scanner: str
    hours: float
    longest_hours: float


def silences(found: Sequence[Arrival], now: float, settings: AlarmSettings) -> list[Silence]:
    """Who has been silent for `settings.silence` times the longest pause; all scanners together, else one by one.

    Nights and weekends are pauses too, so each scanner has its own measure. Scanners with less than `settings.least`
    studies have none.
    """
    every = _silence("", found, now, settings)
    if every is not None:
        return [every]
    alone = ([one for one in found if one.scanner == name] for name in scanners(found))
    told = (_silence(some[0].scanner, some, now, settings) for some in alone)
    return [one for one in told if one is not None]


def _silence(scanner: str, found: Sequence[Arrival], now: float, settings: AlarmSettings) -> Silence | None:
    if len(found) < max(settings.least, 2):
        return None
    longest = max(later.time - earlier.time for earlier, later in pairwise(found))
    pause = now - found[-1].time
    return Silence(scanner, pause / HOUR, longest / HOUR) if pause > settings.silence * longest else None


def oldest_analysis(session: Session, folder: Path, now: float) -> float | None:
    """Since when the study that waits longest for its analysis has waited, seconds since 1970; None when none does.

    One whose worker died waits too, until another worker takes it. So do images that nobody registers (`folder` of the
    settings), and complete studies that nobody queues.
    """
    left = and_(Job.state == "running", Job.lease_until < now)
    wanted = (Job.kind == "analyse", or_(Job.state == "queued", left))
    queued = session.scalar(select(func.min(Job.created)).where(*wanted))
    due = session.scalar(select(func.min(Study.due)).where(Study.due < now))
    return min((time for time in (queued, due, oldest_file(folder)) if time is not None), default=None)


def late_min(session: Session, settings: Settings, now: float) -> float | None:
    """Minutes that a study has been waiting for its analysis, when they are more than `alarms.late_min`."""
    begin = oldest_analysis(session, settings.folder, now)
    waits = 0.0 if begin is None else (now - begin) / 60
    return round(waits, 1) if waits > settings.alarms.late_min else None


def undelivered(session: Session, settings: AlarmSettings, now: float) -> dict[str, int]:
    """Receiver -> number of current results of the last `days` that it should have had `late_min` minutes ago."""
    begin, end = now - settings.days * 24 * HOUR, now - settings.late_min * 60
    query = (
        select(Job.target, func.count())
        .join(Study, Study.id == Job.study_id)
        .where(Job.kind != "analyse", Job.state.in_(("queued", "running", "set_aside")))
        .where(Job.generation == Study.analysed_generation, Job.created > begin, Job.created < end)
        .group_by(Job.target)
        .order_by(Job.target)
    )
    return dict(session.execute(query).all())
