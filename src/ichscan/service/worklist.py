"""The order of the worklist: who must be looked at first."""

from typing import Any, Final

from sqlalchemy import ColumnElement
from sqlalchemy.orm.attributes import InstrumentedAttribute

from ichscan.service.tables import ANALYSED, NOT_ANALYSABLE, SET_ASIDE, Study

SUSPECTED: Final = 4.0
UNCERTAIN: Final = 3.0
UNTOLD: Final = 2.0
"""Nothing is said of the scan, or of a part of it: a person must look."""
WAITING: Final = 1.0
NEGATIVE: Final = 0.0


def priority_of(study: Study) -> float:
    """Higher comes first: suspected by probability, uncertain, not (or not wholly) analysed, waiting, negative.

    A suspicion stands until a later analysis takes it back, also while late images are awaited. Of equal ones the older
    comes first: read the list in `order()`.
    """
    if study.suspected:
        return SUSPECTED + min(max(study.probability or 0.0, 0.0), 1.0)
    if study.status in (NOT_ANALYSABLE, SET_ASIDE):
        return UNTOLD
    if "uncertain" in (study.states or {}).values():
        return UNCERTAIN
    if study.status == ANALYSED:
        return UNTOLD if study.reason else NEGATIVE
    return WAITING


def order() -> tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...]:
    """How a query of studies is ordered: priority, then the older first."""
    return (Study.priority.desc(), Study.first_received, Study.id)
