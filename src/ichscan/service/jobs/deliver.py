"""The process that sends: results to DICOM nodes, DICOMweb servers and hooks, until they arrive or are set aside."""

import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from ichscan.errors import IchscanError
from ichscan.service.audit import audit
from ichscan.service.database import Database
from ichscan.service.errors import DatabaseError, LostError
from ichscan.service.events import publish
from ichscan.service.jobs.lease import LEASE_S, Lease
from ichscan.service.jobs.notice import notice
from ichscan.service.jobs.outcome import outdated
from ichscan.service.jobs.queue import QUEUED, Claimed, claim, fail, finish, release
from ichscan.service.send import dicomweb, dimse, hook
from ichscan.service.send.failure import DeliveryError
from ichscan.service.settings import Hook, Peer, Settings, WebPeer
from ichscan.service.tables import Instance, Job, Result, Series, Study
from ichscan.service.web.demo import hidden_result

T = TypeVar("T", Peer, WebPeer, Hook)
LOG: Final = logging.getLogger(__name__)
KINDS: Final = ("send", "store", "hook")
IDLE_S: Final = 0.2
DOWN_S: Final = 2.0
THREADS: Final = 8
"""At most."""
ABORTED_ATTEMPTS: Final = 10
"""A delivery during which the process died so often is set aside."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What is delivered, read in one transaction.

    Attributes:
        paths: DICOM objects made by ichscan.
        notice: the worklist entry.
        content: objects of `ichscan.result/1`.
        deleted: whether the objects were deleted with the images of the study.
    """

    paths: tuple[Path, ...]
    notice: dict[str, Any]
    content: list[Any]
    deleted: bool


class Sender:
    """Delivers with several threads: one receiver that does not answer keeps only one of them."""

    def __init__(self, settings: Settings, database: Database, name: str) -> None:
        self._settings = settings
        self._database = database
        self._name = name
        self._silent: dict[str, float] = {}

    def run(self, stop: threading.Event) -> None:
        """Delivers until told to stop; a delivery that has begun is finished."""
        receivers = (
            len(self._settings.dicom.peers) + len(self._settings.send.web_peers) + len(self._settings.send.hooks)
        )
        threads = [
            threading.Thread(target=self._loop, args=(stop, name), name=name)
            for name in names_of(self._name)[: 2 + receivers]
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _loop(self, stop: threading.Event, name: str) -> None:
        owes = False
        while not stop.is_set():
            try:
                if owes:
                    release(self._database, name)
                    owes = False
                if not self.run_once(name):
                    stop.wait(IDLE_S)
            except DatabaseError as error:
                LOG.warning("%s", error)
                owes = True
                stop.wait(DOWN_S)

    def run_once(self, name: str = "") -> bool:
        """Does one job; False when there was none.

        Raises:
            DatabaseError: the database does not answer; what was claimed is to be released.
        """
        claimed = claim(self._database, name or self._name, KINDS, LEASE_S, ABORTED_ATTEMPTS)
        if claimed is None:
            return False
        try:
            with Lease(self._database, claimed):
                self._deliver(claimed)
        except LostError as error:
            LOG.warning("%s", error)
        except DatabaseError:
            raise
        except DeliveryError as error:
            self._failed(claimed, str(error), permanent=error.permanent)
        except IchscanError as error:
            self._failed(claimed, str(error))
        except Exception as error:  # an odd answer of a receiver ends its delivery, not the others
            LOG.exception("study %d: delivery to %s failed", claimed.study_id, claimed.target)
            self._failed(claimed, f"{claimed.target}: unexpected {type(error).__name__}; see the log of the sender")
        return True

    def _deliver(self, claimed: Claimed) -> None:
        with self._database.read() as session:
            parcel = _parcel(session, self._settings, claimed)
        if parcel is None:
            with self._database.write() as session:
                outdated(session, claimed)
            return
        if time.monotonic() < self._silent.get(claimed.target, 0.0):
            raise DeliveryError(f"{claimed.target}: not tried, since it did not answer a moment ago")
        try:
            count = _send(self._settings, claimed, parcel)
        except DeliveryError as error:
            if not error.permanent:
                self._silent[claimed.target] = time.monotonic() + self._settings.send.retry_s / 2
            raise
        with self._database.write() as session:
            finish(session, claimed)
            _wake(session, claimed)
            audit(session, "system", "deliver", claimed.study_id, detail=f"{claimed.kind} {claimed.target}")
            publish(session, "delivery", claimed.study_id, "done")
        LOG.info("study %d: %d objects delivered to %s", claimed.study_id, count, claimed.target)

    def _failed(self, claimed: Claimed, error: str, *, permanent: bool = False) -> None:
        send = self._settings.send
        aside = fail(self._database, claimed, error, send.retry_s, 1 if permanent else send.attempts)
        LOG.warning("study %d: not delivered%s: %s", claimed.study_id, ", set aside" if aside else "", error)


def names_of(name: str) -> list[str]:
    """In which the threads of a sender claim jobs."""
    return [f"{name}-{i}" for i in range(THREADS)]


def _parcel(session: Session, settings: Settings, claimed: Claimed) -> Parcel | None:
    """None when a later result took the place of the one that was to be delivered."""
    study = session.get_one(Study, claimed.study_id)
    wanted = (Result.study_id == study.id, Result.generation == claimed.generation, Result.current.is_(True))
    result = session.scalar(select(Result).where(*wanted))
    if result is None:
        return None
    made = select(Instance.path).join(Series).where(Series.study_id == study.id, Instance.made_here.is_(True))
    paths = tuple(settings.folder / path for path in session.scalars(made.order_by(Instance.id)))
    demo = settings.web.demo
    content = [hidden_result(one) for one in result.content] if demo else list(result.content)
    return Parcel(paths, notice(study, demo), content, study.images_deleted is not None)


def _send(settings: Settings, claimed: Claimed, parcel: Parcel) -> int:
    """Number of objects that arrived. Raises DeliveryError."""
    if claimed.kind == "hook":
        address = _named(settings.send.hooks, claimed, "send.hooks")
        hook.tell(address, parcel.notice, parcel.content, f"ichscan-{claimed.id}")
        return 1
    if not parcel.paths:  # `validate` has settings with receivers ask for some
        why = "were deleted with the images after storage.keep_days" if parcel.deleted else "could not be made"
        raise DeliveryError(f"{claimed.target}: the objects {why}: nothing was sent", permanent=True)
    if claimed.kind == "send":
        peer = _named(settings.dicom.peers, claimed, "dicom.peers")
        return dimse.store(peer, settings.dicom, parcel.paths)
    return dicomweb.store(_named(settings.send.web_peers, claimed, "send.web_peers"), parcel.paths)


def _named(known: Sequence[T], claimed: Claimed, key: str) -> T:
    for one in known:
        if one.name == claimed.target:
            return one
    raise DeliveryError(f"{claimed.target}: expected a receiver of this name in {key}, found none; add it again")


def _wake(session: Session, claimed: Claimed) -> None:
    """It answers: what waits for it need not wait for the end of its pause."""
    waiting = (Job.kind == claimed.kind, Job.target == claimed.target, Job.state == QUEUED, Job.run_after > 0)
    session.execute(update(Job).where(*waiting).values(run_after=0.0))
