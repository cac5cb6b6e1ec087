"""Instances that are held, found by UIDs."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fastapi import HTTPException
from sqlalchemy import select

from ichscan.dicom.source import FileSource
from ichscan.service.tables import Instance, Series, Study
from ichscan.service.web.state import Service

GONE: Final = "the images of this study were deleted after storage.keep_days; ask the archive for them"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Held:
    """One instance and its file. UIDs of study, series and SOP instance; `frames` is at least 1; `size` in bytes."""

    study_id: int
    study: str
    series: str
    sop_instance: str
    sop_class: str
    transfer_syntax: str
    frames: int
    size: int
    path: Path = field(repr=False)

    @property
    def source(self) -> FileSource:
        """The file, for the readers of `ichscan.dicom`."""
        return FileSource(self.path, self.size)

    def url(self, base_url: str) -> str:
        """Where it is retrieved."""
        return f"{base_url}/studies/{self.study}/series/{self.series}/instances/{self.sop_instance}"


def find(service: Service, study: str, series: str | None = None, sop_instance: str | None = None) -> list[Held]:
    """All instances of a study, of one of its series, or one instance, in the order of their numbers.

    Raises:
        HTTPException: 404 none is held; 410 the study is known, but its images were deleted.
    """
    with service.database.read() as session:
        rows = session.execute(_statement(study, series, sop_instance)).all()
        deleted = session.scalar(select(Study.images_deleted).where(Study.study_instance_uid == study))
    held = list(_on_disk(service.settings.folder, rows))
    if not held:
        raise HTTPException(410, GONE) if deleted is not None else HTTPException(404, "no such instance is held here")
    return held


def _statement(study: str, series: str | None, sop_instance: str | None) -> Any:
    statement = select(Study, Series, Instance).join(Series, Series.study_id == Study.id)
    statement = statement.join(Instance, Instance.series_id == Series.id).where(Study.study_instance_uid == study)
    if series is not None:
        statement = statement.where(Series.series_instance_uid == series)
    if sop_instance is not None:
        statement = statement.where(Instance.sop_instance_uid == sop_instance)
    return statement.order_by(Series.number, Series.id, Instance.number, Instance.id)


def _on_disk(folder: Path, rows: Iterable[Any]) -> Iterator[Held]:
    root = folder.resolve()
    for study, series, instance in rows:
        path = (root / instance.path).resolve()
        if not path.is_relative_to(root):
            _log.error("instance %d: its path leads out of the folder of the service; not given", instance.id)
        elif not path.is_file():
            _log.warning("SOP instance %s: its file is gone", instance.sop_instance_uid)
        else:
            yield Held(
                study.id,
                study.study_instance_uid,
                series.series_instance_uid,
                instance.sop_instance_uid,
                instance.sop_class_uid,
                instance.transfer_syntax_uid,
                max(instance.frames, 1),
                instance.size,
                path,
            )
