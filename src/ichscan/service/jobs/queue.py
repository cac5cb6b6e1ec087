"""The queue of jobs in the database: claimed by one worker at a time, for as long as it renews its lease.

A worker that dies renews nothing: its job is claimed again, and set aside when that happened too often. What a worker
made counts only if the job is still its own when it says `finish`, in the same transaction.

Wall clocks jump. A time further ahead than it can have been set (a lease, a retry) was set before the clock went back
and counts as reached; a clock that goes forward ends leases early, which repeats work and nothing else.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from ichscan.service.database import Database
from ichscan.service.errors import LostError
from ichscan.service.events import publish
from ichscan.service.tables import SET_ASIDE, Job, Study
from ichscan.service.worklist import priority_of

KINDS: Final = ("analyse", "send", "store", "hook")
QUEUED: Final = "queued"
RUNNING: Final = "running"
DONE: Final = "done"
ASIDE: Final = "set_aside"
OUTDATED: Final = "outdated"
LONGEST_WAIT_S: Final = 3600.0
ERROR_LENGTH: Final = 2000


@dataclass(frozen=True, slots=True)
class Claimed:
    """A job that belongs to a worker until its lease ends.

    Attributes:
        attempt: which one this is, from 1. Together with `worker` it tells whose the job is.
    """

    id: int
    kind: str
    study_id: int
    generation: int
    target: str
    worker: str
    attempt: int


def enqueue(
    session: Session, kind: str, study_id: int, generation: int, target: str = "", priority: float = 0.0
) -> None:
    """Adds a job unless it is there, in whatever state; those of earlier generations are outdated by it.

    Raises:
        ValueError: an unknown kind.
    """
    if kind not in KINDS:
        raise ValueError(f"job: expected one of {', '.join(KINDS)}, found {kind!r}")
    same = (Job.kind == kind, Job.study_id == study_id, Job.target == target)
    now = time.time()
    session.execute(
        update(Job)
        .where(*same, Job.generation < generation, Job.state.in_((QUEUED, RUNNING, ASIDE)))
        .values(state=OUTDATED, finished=now, lease_until=None)
    )
    if session.scalar(select(Job.id).where(*same, Job.generation >= generation).limit(1)) is None:
        job = Job(kind=kind, study_id=study_id, generation=generation, target=target, priority=priority, created=now)
        session.add(job)
        session.flush()


def claim(database: Database, worker: str, kinds: Collection[str], lease_s: float, attempts: int = 3) -> Claimed | None:
    """Takes the job that comes first: highest priority, then the oldest. None when there is none to do.

    Args:
        database: of this process.
        worker: unlike that of any other process, before or now.
        kinds: of job that the worker does.
        lease_s: seconds for which it is the worker's; `renew` it well before they end.
        attempts: a job whose worker died so often (an analysis: died or failed) is set aside instead.

    Raises:
        DatabaseError: the database does not answer.
    """
    now = time.time()
    ready = (Job.kind.in_(tuple(kinds)), _ready(now, lease_s))
    with database.read() as session:  # most looks find nothing and need not wait for a writer
        if session.scalar(select(Job.id).where(*ready).limit(1)) is None:
            return None
    with database.write() as session:
        while True:
            job = session.scalar(select(Job).where(*ready).order_by(Job.priority.desc(), Job.id).limit(1))
            if job is None:
                return None
            if job.state == RUNNING and _died(session, job, attempts):
                session.flush()
                continue
            job.state, job.worker, job.lease_until = RUNNING, worker[:64], now + lease_s
            job.attempts += 1
            return Claimed(job.id, job.kind, job.study_id, job.generation, job.target, job.worker, job.attempts)


def renew(database: Database, claimed: Claimed, lease_s: float) -> bool:
    """Extends the lease; False when the job is not the worker's any more: stop and throw away.

    Raises:
        DatabaseError: the database does not answer; try again, the lease may still hold.
    """
    with database.write() as session:
        job = _own(session, claimed)
        if job is not None:
            job.lease_until = time.time() + lease_s
        return job is not None


def finish(session: Session, claimed: Claimed) -> None:
    """Marks the job done, in the transaction that writes what came of it.

    Raises:
        LostError: it is not the worker's any more; the transaction must be rolled back (let the error pass).
    """
    job = _own(session, claimed)
    if job is None:
        raise LostError(f"job {claimed.id}: belongs to another worker or is outdated; its result is thrown away")
    job.state, job.lease_until, job.error, job.finished = DONE, None, "", time.time()


def fail(database: Database, claimed: Claimed, error: str, retry_s: float, attempts: int) -> bool:
    """Queues the job again after a pause that doubles each time, at most an hour; sets it aside after `attempts`.

    Args:
        database: of this process.
        claimed: the job; nothing happens when it is not the worker's any more.
        error: what failed; no patient data.
        retry_s: seconds before the first retry.
        attempts: in all; 0 or 1 = no retry.

    Returns:
        Whether the job was set aside.

    Raises:
        DatabaseError: the database does not answer.
    """
    with database.write() as session:
        job = _own(session, claimed)
        if job is None:
            return False
        if job.attempts >= attempts:
            _set_aside(session, job, error)
            return True
        pause = min(retry_s * 2.0 ** min(job.attempts - 1, 30), LONGEST_WAIT_S)
        job.state, job.lease_until, job.worker = QUEUED, None, ""
        job.error, job.run_after = error[:ERROR_LENGTH], time.time() + pause
        return False


def release(database: Database, worker: str, *, died: bool = False, attempts: int = 3) -> int:
    """Gives back what a worker that stops, or died, was doing, so that nobody waits for its leases.

    Args:
        database: of this process.
        worker: as it claimed.
        died: the attempt counts, and the job is set aside when there were `attempts` of them. A worker that was asked
            to stop is not to blame, nor is its job.
        attempts: see `died`.

    Returns:
        Number of jobs.

    Raises:
        DatabaseError: the database does not answer; the leases end by themselves.
    """
    with database.write() as session:
        jobs = session.scalars(select(Job).where(Job.state == RUNNING, Job.worker == worker[:64])).all()
        for job in jobs:
            if died and _died(session, job, attempts):
                continue
            job.state, job.lease_until, job.worker = QUEUED, None, ""
            if not died:
                job.attempts = max(job.attempts - 1, 0)
        return len(jobs)


def again(session: Session, job_id: int) -> bool:
    """Queues a delivery anew that was set aside, or waits for a retry; False when it is in another state.

    Of analyses see `ichscan.service.jobs.due.analyse_again`.
    """
    changed = session.scalar(
        update(Job)
        .where(Job.id == job_id, Job.kind != "analyse", Job.state.in_((QUEUED, ASIDE)))
        .values(state=QUEUED, attempts=0, deaths=0, run_after=0.0, error="", finished=None)
        .returning(Job.id)
    )
    return changed is not None


def _ready(now: float, lease_s: float) -> ColumnElement[bool]:
    queued = and_(Job.state == QUEUED, or_(Job.run_after <= now, Job.run_after > now + LONGEST_WAIT_S + 60))
    lease = or_(Job.lease_until.is_(None), Job.lease_until <= now, Job.lease_until > now + 2 * lease_s + 60)
    return or_(queued, and_(Job.state == RUNNING, lease))


def _own(session: Session, claimed: Claimed) -> Job | None:
    """The job while it is the worker's. A lease that ended, but that nobody took, is still its own."""
    owner = (Job.state == RUNNING, Job.worker == claimed.worker, Job.attempts == claimed.attempt)
    return session.scalar(select(Job).where(Job.id == claimed.id, *owner))


def _died(session: Session, job: Job, attempts: int) -> bool:
    """Counts the death of a worker against its job; whether the job is set aside by it.

    A delivery fails for long while the receiver is down, which is no reason to suspect it of ending its sender.
    """
    job.deaths += 1
    if max(job.deaths, job.attempts if job.kind == "analyse" else 0) < attempts:
        return False
    before = f"; before: {job.error}" if job.error else ""
    _set_aside(session, job, f"the process that worked on it ended {job.deaths} times{before}")
    return True


def _set_aside(session: Session, job: Job, error: str) -> None:
    """Ends a job that failed too often; of an analysis the study is set aside with it."""
    job.state, job.lease_until, job.error, job.finished = ASIDE, None, error[:ERROR_LENGTH], time.time()
    if job.kind != "analyse":
        publish(session, "delivery", job.study_id, ASIDE)
        return
    study = session.get_one(Study, job.study_id)
    if study.generation == job.generation:
        study.status, study.reason = SET_ASIDE, error[:ERROR_LENGTH]
        study.priority = priority_of(study)
    publish(session, "study", study.id, ASIDE)
