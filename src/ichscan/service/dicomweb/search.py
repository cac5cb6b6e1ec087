"""QIDO-RS: searching what is held (PS3.18 section 10.6)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from fastapi import HTTPException
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ichscan.service.dicomweb.attributes import instance_attributes, series_attributes, study_attributes
from ichscan.service.dicomweb.json_model import Json
from ichscan.service.dicomweb.matching import LEVELS, Condition, condition, keyword_of
from ichscan.service.tables import Instance, Series, Study

Level = Literal["studies", "series", "instances"]
MOST: Final[Mapping[Level, int]] = {"studies": 1000, "series": 5000, "instances": 20000}
"""Answers of one request; more are asked for with `offset`."""
FUZZY: Final = '299 ichscan "The fuzzymatching parameter is not supported. Only literal matching has been performed."'
LARGEST: Final = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Query:
    """What is searched for.

    Attributes:
        level: of the answers.
        conditions: that all must be fulfilled.
        limit: answers.
        offset: of the first answer.
        warnings: values of the header Warning.
    """

    level: Level
    conditions: tuple[Condition, ...] = field(repr=False)
    limit: int
    offset: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """The answers, and values of the header Warning (RFC 7234 section 5.5, PS3.18 section 8.3.4)."""

    answers: list[Json] = field(repr=False)
    warnings: tuple[str, ...]


def parse_query(level: Level, parameters: Sequence[tuple[str, str]], **path: str) -> Query:
    """The query of a URL.

    Args:
        level: of the answers.
        parameters: names and values, as they came.
        path: UIDs of the path by keyword.

    Raises:
        HTTPException: 400 a parameter that is unknown, comes twice, or has a value not of its kind.
    """
    told = _told(level, parameters)
    wanted = {key: value for key, value in told.items() if key not in _OPTIONS}
    conditions = [condition(key, value) for key, value in (*wanted.items(), *path.items())]
    fuzzy = told.get("fuzzymatching", "false").lower()
    if fuzzy not in ("true", "false"):
        raise HTTPException(400, "query: fuzzymatching: expected true or false, found something else")
    return Query(
        level,
        tuple(one for one in conditions if one is not None),
        min(_count(told, "limit", MOST[level]), MOST[level]),
        _count(told, "offset", 0),
        (FUZZY,) if fuzzy == "true" else (),
    )


def _told(level: Level, parameters: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Options and conditions by name and keyword; 400 for one that is unknown or comes twice."""
    told: dict[str, str] = {}
    for name, value in parameters:
        key = name if name in _OPTIONS else keyword_of(name)
        if key not in (*_OPTIONS, *LEVELS[level]):
            known = ", ".join((*_OPTIONS, *LEVELS[level]))
            raise HTTPException(400, f"query: expected {known}; found another parameter")
        if key in told and key != "includefield":
            raise HTTPException(400, f"query: expected {key} once, found it again")
        told[key] = value
    return told


_OPTIONS: Final = ("limit", "offset", "fuzzymatching", "includefield")
"""`includefield` is understood, and changes nothing: all that is held is always answered."""


def _count(told: Mapping[str, str], name: str, default: int) -> int:
    text = told.get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > LARGEST:
        raise HTTPException(400, f"query: {name}: expected a whole number from 0 on, found something else")
    return int(text)


def search(session: Session, query: Query, url: str) -> Found:
    """Searches.

    Args:
        session: of `Database.read`.
        query: of `parse_query`.
        url: of the service.
    """
    statement = _STATEMENTS[query.level].where(*query.conditions)
    count = session.scalar(select(func.count()).select_from(statement.order_by(None).subquery())) or 0
    rows = session.execute(statement.limit(query.limit).offset(query.offset)).all()
    left = count - query.offset - len(rows)
    warnings = query.warnings
    if left > 0:
        warnings += (f'299 ichscan "There are {left} additional results that can be requested"',)
    counts = _counts(session, [row[0].id for row in rows]) if query.level != "instances" else {}
    return Found([_answer(row, counts, url) for row in rows], warnings)


_STATEMENTS: Final[Mapping[Level, Any]] = {
    # Newest first, by what never changes: pages of one search do not shift when images of a study arrive.
    "studies": select(Study).order_by(Study.id.desc()),
    "series": select(Study, Series)
    .join(Series, Series.study_id == Study.id)
    .order_by(Study.id.desc(), Series.number, Series.id),
    "instances": select(Study, Series, Instance)
    .join(Series, Series.study_id == Study.id)
    .join(Instance, Instance.series_id == Series.id)
    .order_by(Study.id.desc(), Series.number, Series.id, Instance.number, Instance.id),
}

Counts = Mapping[int, Mapping[int, tuple[str, int]]]


def _counts(session: Session, study_ids: Sequence[int]) -> Counts:
    """Modality and number of instances of each series, by study and series."""
    found: dict[int, dict[int, tuple[str, int]]] = {}
    wanted = sorted(set(study_ids))
    for start in range(0, len(wanted), 500):
        statement = (
            select(Series.study_id, Series.id, Series.modality, func.count(Instance.id))
            .outerjoin(Instance, Instance.series_id == Series.id)
            .where(Series.study_id.in_(wanted[start : start + 500]))
            .group_by(Series.study_id, Series.id, Series.modality)
        )
        for study_id, series_id, modality, count in session.execute(statement):
            found.setdefault(study_id, {})[series_id] = (modality, count)
    return found


def _answer(row: Any, counts: Counts, url: str) -> Json:
    """Attributes of the level that was asked for, with those above, which a client needs when it asks without path."""
    study = row[0]
    if len(row) == 3:
        return instance_attributes(study, row[1], row[2], url)
    of_study = counts.get(study.id, {})
    told = study_attributes(study, list(of_study.values()), url)
    if len(row) == 2:
        told |= series_attributes(study, row[1], of_study.get(row[1].id, ("", 0))[1], url)
    return told
