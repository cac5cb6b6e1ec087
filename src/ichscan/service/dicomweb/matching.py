"""Matching of QIDO-RS (PS3.18 section 8.3.4, PS3.4 section C.2.2.2): query parameters to conditions of SQL."""

import re
from collections.abc import Callable, Mapping
from typing import Final

from fastapi import HTTPException
from pydicom.datadict import keyword_for_tag
from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from ichscan.service.dicomweb.uid import is_uid
from ichscan.service.tables import Instance, Series, Study

LONGEST: Final = 256
MOST_WILDCARDS: Final = 8
MOST_UIDS: Final = 1000
Condition = ColumnElement[bool]
Text = InstrumentedAttribute[str]
_DATE: Final = re.compile(r"(\d{8})?(-)?(\d{8})?")
_TIME: Final = re.compile(r"(\d{2}|\d{4}|\d{6}(?:\.\d{1,6})?)?(-)?(\d{2}|\d{4}|\d{6}(?:\.\d{1,6})?)?")


def keyword_of(name: str) -> str:
    """The keyword of a parameter, which may be a keyword or a tag of eight hexadecimal digits; "" when unknown."""
    if re.fullmatch(r"[0-9A-Fa-f]{8}", name):
        return keyword_for_tag(int(name, 16))
    return name if name in ATTRIBUTES else ""


def condition(keyword: str, value: str) -> Condition | None:
    """What rows must fulfil; None when everything matches (an empty value, or *).

    Raises:
        HTTPException: 400 the attribute cannot be searched by, or the value is not one of its kind. A condition that
            is not understood is never left out: the answer would hold other patients.
    """
    if keyword not in ATTRIBUTES:
        raise HTTPException(400, f"query: expected one of {', '.join(ATTRIBUTES)}; found another attribute")
    if len(value) > LONGEST and keyword not in _LISTS:
        raise HTTPException(400, f"query: {keyword}: expected at most {LONGEST} characters, found {len(value):,}")
    if any(character == "\0" or "\ud800" <= character <= "\udfff" for character in value):
        raise HTTPException(400, f"query: {keyword}: expected text, found a character that is none")
    return None if value in ("", "*") else ATTRIBUTES[keyword](value)


def _bad(expected: str) -> HTTPException:
    return HTTPException(400, f"query: expected {expected}, found something else")


def _text(column: Text) -> Callable[[str], Condition]:
    """Single value or wildcard matching; wildcards do not mind the case of letters."""

    def match(value: str) -> Condition:
        return _like(column, value) if "*" in value or "?" in value else column == value.strip(" ")

    return match


def _name(column: Text) -> Callable[[str], Condition]:
    """Names never mind the case (PS3.4 section C.2.2.2.1.1)."""

    def match(value: str) -> Condition:
        return _like(column, value.strip(" ").rstrip("^"), suffix=not value.endswith("*"))

    return match


def _like(column: Text, value: str, *, suffix: bool = False) -> Condition:
    pattern = re.sub(r"\*+", "*", value)
    if pattern.count("*") > MOST_WILDCARDS:
        raise _bad(f"at most {MOST_WILDCARDS} wildcards")
    for special in ("\\", "%", "_"):
        pattern = pattern.replace(special, "\\" + special)
    pattern = pattern.replace("*", "%").replace("?", "_")
    patterns = [pattern]
    if suffix:
        # Empty components at the end may be there or not, and so may the other writings of the name.
        patterns += [f"{pattern}^%", f"{pattern}=%"]
    # SQL lowers only ASCII letters in SQLite: others match in the case that they are written in.
    return or_(
        *(column.like(one, escape="\\") for one in patterns),
        *(func.lower(column).like(one.lower(), escape="\\") for one in patterns),
    )


def _uids(column: Text) -> Callable[[str], Condition]:
    def match(value: str) -> Condition:
        wanted = [one for one in re.split(r"[,\\]", value) if one]
        if len(wanted) > MOST_UIDS or not all(map(is_uid, wanted)):
            raise _bad(f"at most {MOST_UIDS:,} UIDs with commas between them")
        return column.in_(wanted)

    return match


def _range(column: Text, form: re.Pattern[str], what: str, last: str) -> Callable[[str], Condition]:
    """Single value and range matching; `last` completes the end of a range of times, which may be short."""

    def match(value: str) -> Condition:
        found = form.fullmatch(value.replace(":", "") if last else value)
        if found is None or not (found[1] or found[3]) or (found[3] and not found[2]):
            raise _bad(f"{what}, or a range of two with a hyphen")
        low, dash, high = found.groups()
        if not dash:
            low, high = low, low
        conditions = [column != ""]
        if low:
            conditions.append(column >= low)
        if high:
            conditions.append(column <= high + last[len(high) :])
        return and_(*conditions)

    return match


def _number(column: InstrumentedAttribute[int | None]) -> Callable[[str], Condition]:
    def match(value: str) -> Condition:
        if not re.fullmatch(r"[+-]?\d{1,9}", value):
            raise _bad("a whole number")
        return column == int(value)

    return match


def _modalities(value: str) -> Condition:
    wanted = [one.strip() for one in re.split(r"[,\\]", value) if one.strip()]
    one_of = or_(false(), *(_text(Series.modality)(one) for one in wanted))
    # Any series of the study counts, also when the query is of series or instances.
    return exists(select(Series.id).where(Series.study_id == Study.id, one_of).correlate(Study))


def _not_held(value: str) -> Condition:
    """An attribute that must be known (PS3.18 Table 10.6.1-5) but is kept empty: no value but * matches it."""
    return false()


_STUDY: Final[Mapping[str, Callable[[str], Condition]]] = {
    "StudyDate": _range(Study.study_date, _DATE, "a date YYYYMMDD", ""),
    "StudyTime": _range(Study.study_time, _TIME, "a time HHMMSS", "235959.999999"),
    "AccessionNumber": _text(Study.accession_number),
    "ModalitiesInStudy": _modalities,
    "ReferringPhysicianName": _not_held,
    "PatientName": _name(Study.patient_name),
    "PatientID": _text(Study.patient_id),
    "PatientBirthDate": _range(Study.birth_date, _DATE, "a date YYYYMMDD", ""),
    "PatientSex": _text(Study.sex),
    "StudyDescription": _text(Study.description),
    "StudyInstanceUID": _uids(Study.study_instance_uid),
    "StudyID": _not_held,
}
_SERIES: Final[Mapping[str, Callable[[str], Condition]]] = {
    "Modality": _text(Series.modality),
    "SeriesDescription": _text(Series.description),
    "SeriesInstanceUID": _uids(Series.series_instance_uid),
    "SeriesNumber": _number(Series.number),
}
_INSTANCE: Final[Mapping[str, Callable[[str], Condition]]] = {
    "SOPClassUID": _uids(Instance.sop_class_uid),
    "SOPInstanceUID": _uids(Instance.sop_instance_uid),
    "InstanceNumber": _number(Instance.number),
}
ATTRIBUTES: Final[Mapping[str, Callable[[str], Condition]]] = {**_STUDY, **_SERIES, **_INSTANCE}
"""What can be searched by, of all levels."""
LEVELS: Final[Mapping[str, tuple[str, ...]]] = {
    "studies": tuple(_STUDY),
    "series": (*_STUDY, *_SERIES),
    "instances": tuple(ATTRIBUTES),
}
_LISTS: Final = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
