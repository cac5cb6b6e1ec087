"""The append-only table of what people said of results."""

from collections.abc import Iterable, Mapping
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.errors import InputError
from ichscan.service.events import publish
from ichscan.service.feedback.form import BoxMark, Told
from ichscan.service.feedback.stated import series_of_slices, told_states
from ichscan.service.feedback.verdicts import AGREE, DISAGREE, said
from ichscan.service.tables import Feedback, Instance, Result, Series, Study

MIXED: Final = "mixed"
"""Series of the study state different things, and it is not told which of them was shown."""
CHUNK: Final = 500
"""Values in one IN list; SQLite and PostgreSQL take more."""


class UnknownStudyError(InputError):
    """There is no such study."""


class OutdatedError(InputError):
    """The study has no result, or another one than the person looked at."""


class ImplausibleError(InputError):
    """What was said contradicts itself, or is about images that are not of the result."""


def add(session: Session, study_id: int, user: str, told: Told, now: float) -> Feedback:
    """Adds a row and the event "feedback"; an earlier one of the same user stays, and no longer counts.

    Args:
        session: of a write transaction.
        study_id: of `Study`.
        user: who says it.
        told: checked for types and limits already.
        now: seconds since 1970.

    Raises:
        UnknownStudyError: no such study.
        OutdatedError: the result is not the current one of the study.
        ImplausibleError: it says nothing, contradicts itself, or marks images that were not analysed.
    """
    if session.get(Study, study_id) is None:
        raise UnknownStudyError(f"study {study_id}: expected one that is held, found none")
    result = session.scalar(select(Result).where(Result.study_id == study_id, Result.current))
    if result is None:
        raise OutdatedError(f"study {study_id}: expected a result, found none yet; wait for its analysis")
    if result.id != told.result_id:
        raise OutdatedError(
            f"study {study_id}: expected feedback on its current result {result.id}, found one on {told.result_id}; "
            "load the study again: it was analysed anew"
        )
    states = _states(result, told)
    _check(session, study_id, result, told, states)
    row = Feedback(
        study_id=study_id,
        result_id=result.id,
        user=user,
        time=now,
        model_sha256=result.model_sha256,
        verdicts={label: {"verdict": verdict, "state": states[label]} for label, verdict in told.verdicts.items()},
        slices=[one.model_dump() for one in told.slices],
        boxes=[one.model_dump() for one in told.boxes],
        reason=told.reason,
    )
    session.add(row)
    session.flush()
    publish(session, "feedback", study_id)
    return row


def of_study(session: Session, study_id: int) -> list[Feedback]:
    """All rows of a study, the newest first."""
    return list(session.scalars(select(Feedback).where(Feedback.study_id == study_id).order_by(Feedback.id.desc())))


def verdicts_of(row: Feedback) -> dict[str, str]:
    """Label -> verdict."""
    return {label: str(one["verdict"]) for label, one in row.verdicts.items()}


def states_told(row: Feedback) -> dict[str, str]:
    """Label -> state that the verdict is about; "" when nothing was analysed, `MIXED` when series differ.

    Kept with the verdict, since a result is made anew by another model: "disagree" must not turn into its opposite.
    """
    return {label: str(one["state"]) for label, one in row.verdicts.items()}


def newest(rows: Iterable[Feedback]) -> dict[tuple[str, int], Feedback]:
    """(user, study id) -> the row that counts: the last one that was added."""
    found: dict[tuple[str, int], Feedback] = {}
    for row in sorted(rows, key=lambda one: one.id):
        found[row.user, row.study_id] = row
    return found


def _states(result: Result, told: Told) -> dict[str, str]:
    """Per verdict what it is about: what was shown, else what the series agree on, "mixed", or "" of no analysis."""
    possible = told_states(result.content)
    states: dict[str, str] = {}
    for label in told.verdicts:
        found = possible.get(label, set())
        shown = told.states.get(label)
        if shown is not None and shown not in found:
            stated = " and ".join(sorted(found)) or "none"
            raise OutdatedError(
                f"{label}: expected a verdict on what the current result states ({stated}), found one on {shown}; "
                "load the study again: it was analysed anew"
            )
        states[label] = shown or ("".join(found) if len(found) < 2 else MIXED)
    return states


def _check(session: Session, study_id: int, result: Result, told: Told, states: Mapping[str, str]) -> None:
    if not (told.verdicts or told.slices or told.boxes or told.reason):
        raise ImplausibleError("feedback: expected a verdict, a mark, a box or a reason, found none of them")
    for label, verdict in told.verdicts.items():
        if not states[label] and verdict in (AGREE, DISAGREE):
            raise ImplausibleError(f"{label}: was not analysed; say present, absent or unsure instead of {verdict}")
    analysed = series_of_slices(result.content)
    marked = {one.sop_instance_uid for one in told.slices} | {one.sop_instance_uid for one in told.boxes}
    for uid in sorted(marked - {*analysed}):
        raise ImplausibleError(f"image {uid}: is no slice of the result; mark one that is shown")
    _check_boxes(session, study_id, told.boxes)
    slices, boxes = [one.model_dump() for one in told.slices], [one.model_dump() for one in told.boxes]
    contradictions = said(states, {str(k): str(v) for k, v in told.verdicts.items()}, slices, boxes).contradictions
    if contradictions:
        raise ImplausibleError(f"feedback contradicts itself: {'; '.join(contradictions[:3])}; say which is meant")


def _check_boxes(session: Session, study_id: int, boxes: list[BoxMark]) -> None:
    uids = sorted({box.sop_instance_uid for box in boxes})
    sizes: dict[str, tuple[int, int]] = {}
    for start in range(0, len(uids), CHUNK):
        found = session.execute(
            select(Instance.sop_instance_uid, Instance.rows, Instance.columns)
            .join(Series, Series.id == Instance.series_id)
            .where(Series.study_id == study_id, Instance.sop_instance_uid.in_(uids[start : start + CHUNK]))
        )
        sizes |= {uid: (rows, columns) for uid, rows, columns in found}
    for box in boxes:
        rows, columns = sizes.get(box.sop_instance_uid, (0, 0))
        if rows and (box.top + box.height > rows or box.left + box.width > columns):
            raise ImplausibleError(
                f"box on image {box.sop_instance_uid}: expected it within {rows} x {columns} pixels, found it beyond"
            )
