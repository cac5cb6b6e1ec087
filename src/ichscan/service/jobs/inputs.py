"""Which files an analysis looks at."""

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.service.tables import Instance, Series


def image_paths(session: Session, folder: Path, study_id: int, series_instance_uid: str = "") -> list[Path]:
    """Paths of the images of a study, without the results of ichscan itself.

    Args:
        session: to read with.
        folder: `Settings.folder`.
        study_id: of the study.
        series_instance_uid: only of this series; "" = of all.
    """
    query = select(Instance.path).join(Series).where(Series.study_id == study_id, Instance.made_here.is_(False))
    if series_instance_uid:
        query = query.where(Series.series_instance_uid == series_instance_uid)
    return [folder / path for path in session.scalars(query.order_by(Instance.id))]
