"""Prometheus metrics: what this process counted, and what the tables say, read when asked."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ichscan import __version__
from ichscan.errors import OutputError
from ichscan.service.capacity import held
from ichscan.service.feedback.standstill import oldest_analysis
from ichscan.service.tables import STATUSES, Audit, Instance, Job, Refusal, Result, Study
from ichscan.service.web.access import Actor, scope
from ichscan.service.web.answers import KNOWN
from ichscan.service.web.state import Service
from ichscan.service.web.trail import now

router = APIRouter(tags=["operation"])
TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"

_log = logging.getLogger(__name__)


@router.get(
    "/metrics",
    responses=KNOWN | {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
    response_class=Response,
)
def metrics(request: Request, actor: Annotated[Actor, Depends(scope("metrics"))]) -> Response:
    """In the text format of Prometheus. Holds no patient data."""
    registry: CollectorRegistry = request.app.state.registry
    return Response(generate_latest(registry), media_type=TEXT)


class TableCollector(Collector):
    """What the tables say; while the database does not answer, `ichscan_database_up` is 0 and the rest is left out."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def collect(self) -> Iterator[Metric]:
        """Asked by the registry for each answer."""
        info = GaugeMetricFamily("ichscan_info", "Version.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        yield from self._disk()
        try:
            with self._service.database.read() as session:
                found = list(_tables(session, self._service.settings.folder, now()))
                found.append(self._alarms(session))
        except OutputError as error:
            _log.error("metrics: %s", error)
            found = []
        yield _gauge("ichscan_database_up", "Whether the database answers.", 1 if found else 0)
        yield from found

    def describe(self) -> list[Metric]:
        """None in advance: the registry must not ask the database when it is made."""
        return []

    def _disk(self) -> Iterator[Metric]:
        folder = self._service.settings.folder
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            _log.error("metrics: the folder cannot be looked at (%s)", error.strerror)
            return
        yield _gauge("ichscan_storage_free_bytes", "Free on the disk of the images.", free)
        yield _gauge("ichscan_storage_held_bytes", "Images held, as the registrar last counted.", held(folder))

    def _alarms(self, session: Session) -> Metric:
        from ichscan.service.feedback.alarms import current

        family = GaugeMetricFamily(
            "ichscan_alarm", "Alarms of the dashboard that are raised.", labels=["measure", "scanner"]
        )
        for alarm in current(session, self._service.settings, now()):
            family.add_metric(alarm.key, 1)
        return family


def _tables(session: Session, folder: Path, time: float) -> Iterator[Metric]:
    studies = GaugeMetricFamily("ichscan_studies", "Studies held.", labels=["status"])
    by_status = dict(session.execute(select(Study.status, func.count()).group_by(Study.status)).all())
    for status in STATUSES:
        studies.add_metric([status], by_status.get(status, 0))
    yield studies
    jobs = GaugeMetricFamily("ichscan_jobs", "Jobs.", labels=["kind", "state"])
    for kind, state, count in session.execute(select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state)):
        jobs.add_metric([kind, state], count)
    yield jobs
    unread = (Study.suspected.is_(True), Study.read_at.is_(None))
    yield _gauge("ichscan_suspected_unread", "Suspected studies that nobody has read.", _count(session, Study, *unread))
    oldest = session.scalar(select(func.min(Study.first_received)).where(*unread))
    age = 0.0 if oldest is None else max(time - oldest, 0.0)
    yield _gauge("ichscan_suspected_unread_seconds", "Age of the oldest of them.", age)
    queued = oldest_analysis(session, folder, time)
    age = 0.0 if queued is None else max(time - queued, 0.0)
    yield _gauge("ichscan_analysis_queue_seconds", "How long the oldest study without analysis waits.", age)
    yield _gauge("ichscan_results", "Analyses made.", _count(session, Result))
    seconds = session.scalar(select(func.sum(Result.seconds))) or 0.0
    yield _gauge("ichscan_results_seconds", "Time that they took together.", seconds)
    yield _gauge("ichscan_instances", "DICOM files held.", _count(session, Instance))
    yield _gauge("ichscan_refusals", "Files refused or set aside.", _count(session, Refusal))
    yield _gauge("ichscan_audit_refused", "Accesses refused.", _count(session, Audit, Audit.outcome == "refused"))


def _count(session: Session, table: type, *where: object) -> int:
    return session.scalar(select(func.count()).select_from(table).where(*where)) or 0  # type: ignore[arg-type]


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=value)
