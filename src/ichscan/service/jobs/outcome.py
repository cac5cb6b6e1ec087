"""An analysis becomes the study's current result: one transaction, so that a kill leaves all of it or nothing."""

import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydicom import dcmread
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ichscan.dicom.quiet import quiet_pydicom
from ichscan.errors import OutputError
from ichscan.service.events import publish
from ichscan.service.jobs.analyse import Analysis
from ichscan.service.jobs.queue import OUTDATED, Claimed, enqueue, finish
from ichscan.service.jobs.targets import targets_of
from ichscan.service.settings import Settings
from ichscan.service.tables import ANALYSED, NOT_ANALYSABLE, Instance, Job, Result, Series, Study
from ichscan.service.worklist import priority_of
from ichscan.types import ModelIdentity


@dataclass(frozen=True, slots=True)
class Made:
    """Files of an analysis that are not yet in their place.

    Attributes:
        folder: of the files.
        objects: DICOM objects: path in the folder, and rows that are not yet complete.
    """

    folder: Path
    objects: tuple[tuple[Path, Instance, Series], ...]


def commit(
    session: Session, settings: Settings, claimed: Claimed, analysis: Analysis, made: Made, model: ModelIdentity
) -> bool:
    """Writes what came of a job.

    Args:
        session: of `Database.write`.
        settings: of the service.
        claimed: the job.
        analysis: of the generation of the job.
        made: its files; the folder is renamed to its place.
        model: that was used.

    Returns:
        False when newer images came meanwhile: nothing is kept, the study is analysed again.

    Raises:
        LostError: the job is not the worker's any more.
        OutputError: the folder cannot be renamed.
    """
    finish(session, claimed)
    study = session.get_one(Study, claimed.study_id)
    if study.generation != claimed.generation:
        session.get_one(Job, claimed.id).state = OUTDATED
        return False
    place = Path("results") / str(study.id) / str(claimed.generation)
    _move(made.folder, settings.folder / place)
    _result(session, study, claimed, analysis, place, model)
    _told(study, analysis)
    _instances(session, study.id, place, made)
    for kind, target in targets_of(settings, study):
        enqueue(session, kind, study.id, claimed.generation, target, study.priority)
    publish(session, "result", study.id, study.status)
    return True


def outdated(session: Session, claimed: Claimed) -> None:
    """Ends a job whose study has newer images. Raises LostError."""
    finish(session, claimed)
    session.get_one(Job, claimed.id).state = OUTDATED


def _result(
    session: Session, study: Study, claimed: Claimed, analysis: Analysis, place: Path, model: ModelIdentity
) -> None:
    session.execute(update(Result).where(Result.study_id == study.id).values(current=False))
    same = Result.study_id == study.id, Result.generation == claimed.generation
    # a generation that is analysed once more keeps its row, which feedback may refer to
    row = session.scalar(select(Result).where(*same)) or Result(study_id=study.id, generation=claimed.generation)
    row.model, row.model_sha256 = f"{model.name} {model.version}", model.sha256
    row.created, row.seconds, row.current = time.time(), round(analysis.seconds, 3), True
    row.content, row.folder = analysis.content, place.as_posix()
    session.add(row)


def _told(study: Study, analysis: Analysis) -> None:
    """What the worklist says of the study."""
    if study.analysed_generation != study.generation:
        study.read_at, study.read_by = None, ""  # of other images
    study.analysed_generation = study.generation
    study.status = ANALYSED if analysis.analysed else NOT_ANALYSABLE
    study.reason = analysis.reason
    study.probability, study.suspected = analysis.probability, analysis.suspected
    study.states = dict(analysis.states)
    study.priority = priority_of(study)


def _instances(session: Session, study_id: int, place: Path, made: Made) -> None:
    """The DICOM objects made take the place of those of earlier analyses."""
    of_study = select(Series.id).where(Series.study_id == study_id)
    session.execute(delete(Instance).where(Instance.made_here.is_(True), Instance.series_id.in_(of_study)))
    held = select(Instance.id).where(Instance.series_id == Series.id).exists()
    session.execute(delete(Series).where(Series.study_id == study_id, ~held))
    rows = session.scalars(select(Series).where(Series.study_id == study_id))
    known = {one.series_instance_uid: one.id for one in rows}
    for path, instance, series in made.objects:
        uid = series.series_instance_uid
        if uid not in known:
            series.study_id = study_id
            session.add(series)
            session.flush()
            known[uid] = series.id
        instance.series_id, instance.path = known[uid], (place / path).as_posix()
        # a PACS may have sent the same object before: the UIDs of results follow from images, model and version
        same = Instance.series_id == instance.series_id, Instance.sop_instance_uid == instance.sop_instance_uid
        session.execute(delete(Instance).where(*same))
        session.add(instance)


def described(folder: Path, paths: Sequence[Path]) -> Made:
    """Reads the headers of DICOM objects before the transaction, which others wait for, begins."""
    return Made(folder, tuple((path, *_described(folder / path)) for path in paths))


def _described(path: Path) -> tuple[Instance, Series]:
    data = path.read_bytes()
    with quiet_pydicom():
        header = dcmread(path, stop_before_pixels=True)
    instance = Instance(
        sop_instance_uid=str(header.SOPInstanceUID),
        sop_class_uid=str(header.SOPClassUID),
        transfer_syntax_uid=str(header.file_meta.TransferSyntaxUID),
        number=_number(header.get("InstanceNumber")),
        rows=int(header.get("Rows") or 0),
        columns=int(header.get("Columns") or 0),
        frames=int(header.get("NumberOfFrames") or 1),
        size=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        received=time.time(),
        made_here=True,
    )
    series = Series(
        series_instance_uid=str(header.SeriesInstanceUID),
        modality=str(header.get("Modality", "")),
        number=_number(header.get("SeriesNumber")),
        description=str(header.get("SeriesDescription", "")),
    )
    return instance, series


def _number(value: object) -> int | None:
    return None if value in (None, "") else int(str(value))


def _move(made: Path, place: Path) -> None:
    """What a worker left there that was killed before its transaction ended makes room."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.exists():
            shutil.rmtree(place)
        os.rename(made, place)
    except OSError as error:
        raise OutputError(f"{place}: cannot be made ({error.strerror or error}); look at the disk") from error
