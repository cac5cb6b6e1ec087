"""The tables' side of registering: what one image, or the end of an association, changes. See `register`."""

import logging
from pathlib import Path
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ichscan.dicom.refusal import CT_CLASSES, SECONDARY_CAPTURE
from ichscan.service.events import publish
from ichscan.service.held_images import aside_path, image_path
from ichscan.service.identify import Identity
from ichscan.service.refusals import refused
from ichscan.service.settings import Settings
from ichscan.service.spool import RECOVERED, Entry
from ichscan.service.tables import RECEIVING, Instance, Series, Study
from ichscan.service.worklist import priority_of

PATIENT_FIELDS: Final = (
    "patient_id", "patient_name", "birth_date", "sex", "study_date", "study_time", "accession_number",
)  # fmt: skip

_log = logging.getLogger(__name__)

Moves = list[tuple[Path, Path | None]]
"""Files to move after the commit; without target: to delete."""


class Batch:
    """What one transaction of the registrar changes; `close` before the commit."""

    def __init__(self, session: Session, settings: Settings, now: float) -> None:
        self._session = session
        self._folder = settings.folder
        self._analysis = settings.analysis
        self._now = now
        self._studies: dict[str, Study | None] = {}
        self._series: dict[tuple[int, str], Series] = {}
        self._touched: dict[int, Study] = {}
        self._changed: set[int] = set()
        self._replacements = 0

    def image(self, entry: Entry, identity: Identity, received: float) -> Moves:
        """Registers one image.

        Returns:
            What to do with files once this is committed.
        """
        study = self._study(identity, received)
        series = self._series_of(study, identity)
        found = self._session.scalar(
            select(Instance).where(
                Instance.series_id == series.id, Instance.sop_instance_uid == identity.sop_instance_uid
            )
        )
        if found is not None and (found.made_here or found.sha256 == identity.sha256):
            return self._known(entry, found)
        moves: Moves = []
        if found is None:
            found = Instance(series_id=series.id, sop_instance_uid=identity.sop_instance_uid)
            self._session.add(found)
        else:
            moves = self._replaced(entry, found)
        _fill(found, identity, received)
        self._describe(study, series, identity, entry.source, received)
        if concerns(identity) or study.generation == 0:
            self._changed.add(study.id)
            study.due = self._now + self._analysis.quiet_s
        return [*moves, (entry.path, self._folder / found.path)]

    def finished(self, study_uids: list[str]) -> None:
        """An association or request ended: studies that wait for more images wait a little only."""
        for uid in study_uids:
            study = self._find(uid)
            if study is not None and study.due is not None:
                study.due = self._now + self._analysis.settle_s

    def close(self) -> None:
        """Counts, and says what changed."""
        self._session.flush()
        if self._replacements:
            _log.warning("%d images came again with other content; the older ones are set aside", self._replacements)
        for study in self._touched.values():
            study.images = self._session.scalar(
                select(func.count())
                .select_from(Instance)
                .join(Series)
                .where(Series.study_id == study.id, Instance.made_here.is_(False))
            ) or 0  # fmt: skip
            if study.id in self._changed:
                study.generation += 1
                study.status, study.reason, study.images_deleted = RECEIVING, "", None
                study.priority = priority_of(study)
            publish(self._session, "study", study.id)

    def _known(self, entry: Entry, found: Instance) -> Moves:
        """An image that is held already. After a kill between commit and move its file is still to be moved."""
        held = self._folder / found.path
        if not found.made_here and not held.exists():
            return [(entry.path, held)]
        return [(entry.path, None)]

    def _replaced(self, entry: Entry, found: Instance) -> Moves:
        """The image that is held goes aside: the newest one of a SOP Instance UID counts."""
        old = self._folder / found.path
        aside = aside_path(old.name)
        refused(
            self._session,
            entry.source,
            f"SOP Instance UID {found.sop_instance_uid} came again with other content; the newest is used, this is "
            "the older one",
            aside,
        )
        self._replacements += 1
        return [(old, self._folder / aside)]

    def _find(self, uid: str) -> Study | None:
        if uid not in self._studies:
            self._studies[uid] = self._session.scalar(select(Study).where(Study.study_instance_uid == uid))
        return self._studies[uid]

    def _study(self, identity: Identity, received: float) -> Study:
        study = self._find(identity.study_instance_uid)
        if study is None:
            study = Study(
                study_instance_uid=identity.study_instance_uid,
                status=RECEIVING,
                generation=0,
                first_received=received,
                last_received=received,
            )
            self._session.add(study)
            self._session.flush()
            self._studies[identity.study_instance_uid] = study
        return study

    def _series_of(self, study: Study, identity: Identity) -> Series:
        key = (study.id, identity.series_instance_uid)
        series = self._series.get(key) or self._session.scalar(
            select(Series).where(Series.study_id == key[0], Series.series_instance_uid == key[1])
        )
        if series is None:
            series = Series(study_id=key[0], series_instance_uid=key[1])
            self._session.add(series)
            self._session.flush()
        self._series[key] = series
        return series

    def _describe(self, study: Study, series: Series, identity: Identity, source: str, received: float) -> None:
        """The newest image describes study and series; what it leaves empty stays."""
        for name in PATIENT_FIELDS:
            setattr(study, name, getattr(identity, name) or getattr(study, name) or "")
        study.description = identity.study_description or study.description or ""
        if concerns(identity):  # the maker of a report is no scanner
            study.station = identity.station or study.station or ""
        if source != RECOVERED or not study.source:
            study.source = source
        study.last_received = received
        series.modality = identity.modality or series.modality or ""
        series.description = identity.series_description or series.description or ""
        series.number = identity.series_number if identity.series_number is not None else series.number
        self._touched[study.id] = study


def concerns(identity: Identity) -> bool:
    """Whether an analysis can come out otherwise for this image.

    Reports, maps and screen captures are never analysed. So results that a PACS sends back, ours of before or those of
    another node, do not have the study analysed again, which would send results again, without end.
    """
    if identity.sop_class_uid.startswith(SECONDARY_CAPTURE):
        return False
    return identity.sop_class_uid in CT_CLASSES or identity.modality in ("", "CT")


def _fill(row: Instance, identity: Identity, received: float) -> None:
    row.sop_class_uid = identity.sop_class_uid
    row.transfer_syntax_uid = identity.transfer_syntax_uid
    row.number = identity.number
    row.rows, row.columns, row.frames = identity.rows, identity.columns, identity.frames
    row.size, row.sha256, row.received = identity.size, identity.sha256, received
    row.made_here = False
    row.path = image_path(
        identity.study_instance_uid, identity.series_instance_uid, identity.sop_instance_uid, identity.sha256
    )
