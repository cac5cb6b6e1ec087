"""What several people said of one study, put together: agreed labels, and disagreement kept apart."""

from collections.abc import Mapping
from dataclasses import dataclass

from ichscan.labels import LABELS, TYPES
from ichscan.service.feedback.verdicts import WHOLE, Mark, Said

Votes = Mapping[str, Mapping[str, int]]
"""Reader -> label -> 0 or 1."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """People said different things.

    Attributes:
        sop_instance_uid: of the slice; "" = the whole scan.
        votes: reader -> 0 or 1.
    """

    sop_instance_uid: str
    label: str
    votes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Consensus:
    """What all who said something agree on.

    Attributes:
        scan: label -> 0 or 1; a label that nobody decided, or that is disputed, is not there.
        slices: (SOP Instance UID, label) -> 0 or 1, of slices that somebody marked.
        conflicts: labels that are disputed.
        agreement: share of the labels decided by at least two readers on which they agree; None without such labels.
    """

    scan: Mapping[str, int]
    slices: Mapping[Mark, int]
    conflicts: tuple[Conflict, ...]
    agreement: float | None


def consensus(statements: Mapping[str, Said]) -> Consensus:
    """One statement per reader to what they agree on.

    Who says that a label is absent from the scan says so of every slice that others mark.
    """
    by_reader = {reader: one.scan for reader, one in statements.items()}
    scan, conflicts = _merge(by_reader, "")
    slices: dict[Mark, int] = {}
    for uid in sorted({uid for one in statements.values() for uid, _ in one.slices}):
        votes = {reader: _of_slice(one, uid) for reader, one in statements.items()}
        found, disputed = _merge(votes, uid)
        slices |= {(uid, label): value for label, value in found.items()}
        conflicts += disputed
    return Consensus(scan, slices, tuple(conflicts), _agreement(by_reader))


def _of_slice(said: Said, uid: str) -> dict[str, int]:
    absent = {label: 0 for label, value in said.scan.items() if value == 0}
    return absent | {label: value for (marked, label), value in said.slices.items() if marked == uid}


def _merge(votes: Votes, uid: str) -> tuple[dict[str, int], list[Conflict]]:
    agreed: dict[str, int] = {}
    conflicts: list[Conflict] = []
    for label in LABELS:
        told = {reader: one[label] for reader, one in votes.items() if label in one}
        if len({*told.values()}) > 1:
            conflicts.append(Conflict(uid, label, told))
        elif told:
            agreed[label] = next(iter(told.values()))
    whole = {reader: one[WHOLE] for reader, one in votes.items() if WHOLE in one}
    if len({*whole.values()}) > 1:
        # Who denies the hemorrhage denies every type by that alone; about a single type this says nothing.
        for label in TYPES:
            if agreed.get(label) == 0 and all(whole.get(r) == 0 for r, one in votes.items() if label in one):
                del agreed[label]
    elif agreed.get(WHOLE) == 1 and all(agreed.get(label) == 0 for label in TYPES):
        # Nobody contradicts himself, but together they say that there is a hemorrhage of no type.
        conflicts.append(Conflict(uid, WHOLE, whole))
        agreed = {}
    return agreed, conflicts


def _agreement(votes: Votes) -> float | None:
    told = [[one[label] for one in votes.values() if label in one] for label in LABELS]
    shared = [values for values in told if len(values) > 1]
    return sum(len({*values}) == 1 for values in shared) / len(shared) if shared else None
