"""From what a person said of a result to labels: the one place where "disagree" becomes 0 or 1."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from ichscan.labels import ANY, LABELS, TYPES
from ichscan.report.findings import ABSENT, PRESENT

AGREE: Final = "agree"
DISAGREE: Final = "disagree"
UNSURE: Final = "unsure"
VERDICTS: Final = (AGREE, DISAGREE, UNSURE, PRESENT, ABSENT)
""""present" and "absent" say it outright: the only decided answers to a finding that is uncertain."""
WHOLE: Final[str] = LABELS[ANY]
Mark = tuple[str, str]
"""SOP Instance UID and label."""


@dataclass(frozen=True, slots=True)
class Said:
    """Labels that follow from what one person said of one study; what is open is not there.

    Attributes:
        scan: label -> 0 or 1.
        slices: (SOP Instance UID, label) -> 0 or 1.
        contradictions: one sentence each; labels that contradict each other are left out.
    """

    scan: Mapping[str, int] = field(default_factory=dict)
    slices: Mapping[Mark, int] = field(default_factory=dict)
    contradictions: tuple[str, ...] = ()


def outcome(state: str | None, verdict: str) -> str | None:
    """Whether a verdict is for (`AGREE`) or against (`DISAGREE`) what the result states.

    None when it is neither: unsure, or about a finding that the result leaves open.
    """
    if state not in (PRESENT, ABSENT) or verdict == UNSURE:
        return None
    if verdict in (AGREE, DISAGREE):
        return verdict
    return AGREE if verdict == state else DISAGREE


def label_of(state: str | None, verdict: str) -> int | None:
    """1 = the label is present, 0 = absent, None = undecided."""
    if verdict in (PRESENT, ABSENT):
        return int(verdict == PRESENT)
    told = outcome(state, verdict)
    return None if told is None else int((state == PRESENT) == (told == AGREE))


def said(
    states: Mapping[str, str],
    verdicts: Mapping[str, str],
    slices: Iterable[Mapping[str, Any]] = (),
    boxes: Iterable[Mapping[str, Any]] = (),
) -> Said:
    """All labels that follow from verdicts, marks and boxes.

    A box says that its label is on its slice; a label on a slice is in the scan; a type makes `any`; without `any`
    there is no type.

    Args:
        states: label -> state in the result that the verdicts are about; empty when it was not analysed.
        verdicts: label -> one of `VERDICTS`.
        slices: see `ichscan.service.tables.Feedback`.
        boxes: see there.
    """
    wrong: list[str] = []
    marks = _marks(slices, boxes, wrong)
    by_slice: dict[str, dict[str, int]] = {}
    for (uid, label), value in marks.items():
        by_slice.setdefault(uid, {})[label] = value
    complete = {uid: implied(values, f"slice {uid}", wrong) for uid, values in by_slice.items()}
    decided = {label: label_of(states.get(label), verdict) for label, verdict in verdicts.items()}
    scan = {label: value for label, value in decided.items() if value is not None}
    for uid, values in complete.items():
        for label, value in values.items():
            if value and scan.setdefault(label, 1) == 0:
                wrong.append(f"{label}: absent from the scan, but marked on slice {uid}")
    scan = implied(scan, "scan", wrong)
    if wrong:
        return Said(contradictions=tuple(wrong))
    return Said(scan, {(uid, label): value for uid, values in complete.items() for label, value in values.items()})


def implied(labels: Mapping[str, int], where: str, wrong: list[str]) -> dict[str, int]:
    """Labels with those that follow from them: `any` is the union of the types. Adds a sentence when it cannot be."""
    found = dict(labels)
    types = [found.get(label) for label in TYPES]
    if (found.get(WHOLE) == 0 and 1 in types) or (found.get(WHOLE) == 1 and types == [0] * len(TYPES)):
        wrong.append(f"{where}: `any` is not the union of the types")
    elif found.get(WHOLE) == 0:
        found |= dict.fromkeys(TYPES, 0)
    elif 1 in types:
        found[WHOLE] = 1
    elif types == [0] * len(TYPES):
        found[WHOLE] = 0
    return found


def _marks(
    slices: Iterable[Mapping[str, Any]], boxes: Iterable[Mapping[str, Any]], wrong: list[str]
) -> dict[Mark, int]:
    marks: dict[Mark, int] = {}
    told = [*((one, int(bool(one["present"]))) for one in slices), *((one, 1) for one in boxes)]
    for one, value in told:
        uid, label = str(one["sop_instance_uid"]), str(one["label"])
        if marks.setdefault((uid, label), value) != value:
            wrong.append(f"{label}: both present and absent on slice {uid}")
    return marks
