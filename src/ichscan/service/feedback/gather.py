"""Everything of the database that an export needs, read in one transaction."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.service.feedback.record import newest, states_told, verdicts_of
from ichscan.service.feedback.stated import series_of_slices, states_by_series
from ichscan.service.feedback.verdicts import Said, said
from ichscan.service.tables import Feedback, Instance, Result, Series, Study


@dataclass(frozen=True, slots=True)
class Statement:
    """The newest row of one person about one study, and what follows from it.

    Attributes:
        reader: "reader-1" ...: by whom first said something here; the same in every export of this database.
        states: label -> state in the result when it was said.
        valid: it is about all slices of the current result, as they are held; otherwise images came since: left out.
    """

    reader: str
    row: Feedback
    states: Mapping[str, str]
    said: Said
    valid: bool


@dataclass(slots=True)
class Told:
    """One study with all that is said of it.

    Attributes:
        series: analysed Series Instance UID -> label -> state in the current result.
        slices: analysed SOP Instance UID -> Series Instance UID.
        files: SOP Instance UID -> path of the image, relative to `Settings.folder`.
        deleted: the images were deleted by `storage.keep_days`.
    """

    study_id: int
    study_instance_uid: str
    deleted: bool
    series: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    slices: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    statements: list[Statement] = field(default_factory=list)


def gather(session: Session) -> Iterator[Told]:
    """Studies that somebody said something of, by id."""
    readers = _readers(session)
    for study_id in session.scalars(select(Feedback.study_id).distinct().order_by(Feedback.study_id)).all():
        study = session.get(Study, study_id)
        if study is not None:
            yield _study(session, study, readers)


def _readers(session: Session) -> dict[str, str]:
    users = session.scalars(select(Feedback.user).order_by(Feedback.id))
    return {user: f"reader-{number}" for number, user in enumerate(dict.fromkeys(users), 1)}


def _study(session: Session, study: Study, readers: Mapping[str, str]) -> Told:
    rows = newest(session.scalars(select(Feedback).where(Feedback.study_id == study.id))).values()
    results = {one.id: one for one in session.scalars(select(Result).where(Result.study_id == study.id))}
    current = next((one.content for one in results.values() if one.current), [])
    slices = series_of_slices(current)
    held = _held(session, study.id)
    latest = max((one.received for uid, one in held.items() if uid in slices), default=0.0)
    statements = [_statement(row, results[row.result_id], slices, latest, readers) for row in rows]
    return Told(
        study.id, study.study_instance_uid, study.images_deleted is not None, states_by_series(current), slices,
        {uid: one.path for uid, one in held.items()}, statements,
    )  # fmt: skip


def _statement(
    row: Feedback, result: Result, slices: Iterable[str], latest: float, readers: Mapping[str, str]
) -> Statement:
    verdicts, states = verdicts_of(row), states_told(row)
    # An image that was sent again with other pixels keeps its UID: only the time tells that the result is older.
    valid = {*slices} <= {*series_of_slices(result.content)} and latest <= result.created
    return Statement(readers[row.user], row, states, said(states, verdicts, row.slices, row.boxes), valid)


def _held(session: Session, study_id: int) -> dict[str, Any]:
    """SOP Instance UID -> path and time of the images of a study."""
    query = (
        select(Instance.sop_instance_uid, Instance.path, Instance.received)
        .join(Series, Series.id == Instance.series_id)
        .where(Series.study_id == study_id, Instance.made_here.is_(False))
        .order_by(Instance.id)
    )
    return {one.sop_instance_uid: one for one in session.execute(query)}
