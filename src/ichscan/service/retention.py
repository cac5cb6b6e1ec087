"""Deletes images of studies received long ago, and old notes. Findings, feedback and the audit trail stay.

Images are those received, and those made of them: DICOM results, pages and contact sheets, which hold pixels as well.

A clock that jumps ahead must not delete anything: nothing is deleted in the first hour of a process, nor in the hour
after the wall clock was seen to jump against the one that does not.
"""

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, exists, func, or_, select

from ichscan.service import disk
from ichscan.service.audit import audit
from ichscan.service.database import Database
from ichscan.service.events import publish
from ichscan.service.held_images import study_folder
from ichscan.service.recover import remove_parts
from ichscan.service.settings import Settings
from ichscan.service.tables import ANALYSING, RECEIVING, WAITING, Event, Instance, Job, Refusal, Series, Study

DAY_S: Final = 86_400.0
STEADY_S: Final = 3600.0
JUMP_S: Final = 60.0
AT_ONCE: Final = 20
"""Studies per round: registering goes on between rounds."""
CHUNK: Final = 500
"""Paths in one statement; databases have a limit."""
EVENTS_KEPT: Final = 10_000
REFUSALS_KEPT: Final = 20_000

_log = logging.getLogger(__name__)


class Retention:
    """Keeps an eye on the clock between calls: keep one for as long as the process lives."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._folder = settings.folder
        self._database = database
        self._wall = wall
        self._steady = steady
        self._seen = (wall(), steady())
        self._trusted_from = self._seen[1] + STEADY_S

    def run_once(self) -> int:
        """Deletes what is due, at most `AT_ONCE` studies.

        Returns:
            How many studies lost their images.

        Raises:
            DatabaseError: the database does not answer.
            OutputError: a file cannot be deleted.
        """
        remove_parts(self._folder)
        now = self._wall()
        if not self._clock_is_steady(now):
            return 0
        self._forget(now)
        if not self._settings.storage.keep_days:
            return 0
        oldest = now - self._settings.storage.keep_days * DAY_S
        self._delete_aside(oldest)
        with self._database.write() as session:
            studies = session.scalars(select(Study).where(_deletable(oldest)).limit(AT_ONCE)).all()
            for study in studies:
                # Said before it is done: after a kill between the two, the deletion is repeated, not forgotten.
                study.images_deleted = study.images_deleted or now
        for study in studies:
            self._delete_images(study)
        return len(studies)

    def _clock_is_steady(self, now: float) -> bool:
        steady = self._steady()
        jump = (now - self._seen[0]) - (steady - self._seen[1])
        self._seen = (now, steady)
        if abs(jump) > JUMP_S:
            _log.warning("the clock jumped by %.0f s: nothing is deleted for %.0f s", jump, STEADY_S)
            self._trusted_from = steady + STEADY_S
        return steady >= self._trusted_from

    def _delete_images(self, study: Study) -> None:
        """Files first: rows without files are found again by the next round, files without rows would be registered."""
        with self._database.read() as session:
            paths = list(session.scalars(select(Instance.path).join(Series).where(Series.study_id == study.id)))
            received = session.scalar(_images(select(func.count(Instance.id)), study.id)) or 0
        for path in paths:
            disk.delete(self._folder / path)
        disk.delete_folder(self._folder / study_folder(study.study_instance_uid))
        disk.delete_folder(self._folder / "cache" / str(study.id))
        for result in (self._folder / "results" / str(study.id)).glob("*"):
            for made in result.glob("*-dicom"):
                disk.delete_folder(made)
            for picture in (*result.glob("*.html"), *result.glob("*.png")):
                disk.delete(picture)
        with self._database.write() as session:
            for start in range(0, len(paths), CHUNK):
                session.execute(delete(Instance).where(Instance.path.in_(paths[start : start + CHUNK])))
            found = session.get_one(Study, study.id)
            found.images = session.scalar(_images(select(func.count(Instance.id)), study.id)) or 0
            audit(session, "system", "delete images", study.id, detail=f"{received} images")
            publish(session, "study", study.id, "images deleted")

    def _delete_aside(self, oldest: float) -> None:
        old = (Refusal.path != "", Refusal.time < oldest)
        with self._database.read() as session:
            refusals = session.scalars(select(Refusal).where(*old).limit(1000)).all()
        if not refusals:
            return
        for refusal in refusals:
            disk.delete(self._folder / refusal.path)
        with self._database.write() as session:
            session.execute(delete(Refusal).where(Refusal.id.in_([one.id for one in refusals])))

    def _forget(self, now: float) -> None:
        """Hostile callers fill no table: only the newest notes are kept. The newest event always stays."""
        with self._database.write() as session:
            newest = session.scalar(select(func.max(Event.id))) or 0
            session.execute(delete(Event).where(Event.id <= newest - EVENTS_KEPT, Event.time < now - DAY_S))
            last = session.scalar(select(func.max(Refusal.id))) or 0
            session.execute(delete(Refusal).where(Refusal.id <= last - REFUSALS_KEPT, Refusal.path == ""))


def _deletable(oldest: float) -> ColumnElement[bool]:
    """Received long ago, nothing to be done with its images, and some left of them."""
    at_work = exists().where(Job.study_id == Study.id, Job.state.in_(("queued", "running")))
    held = exists().where(Series.study_id == Study.id, Instance.series_id == Series.id, Instance.made_here.is_(False))
    old = or_(Study.images_deleted.is_not(None), Study.last_received < oldest)
    return old & Study.status.not_in((RECEIVING, WAITING, ANALYSING)) & held & ~at_work


def _images(what: Select[Any], study_id: int) -> Select[Any]:
    """Of the images that came from outside."""
    return what.join(Series).where(Series.study_id == study_id, Instance.made_here.is_(False))
