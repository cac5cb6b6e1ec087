"""Model and readers against a reference and against each other: the figures of Burduja et al. 2020, tables 4 and 5."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.agreement import Agreement, cohen_kappa, fleiss_kappa
from ichscan.evaluate.cases import UNKNOWN, Cases
from ichscan.evaluate.compare import McNemar, mcnemar
from ichscan.evaluate.decisions import decision_facts
from ichscan.evaluate.intervals import counts_by_patient, decisions_of
from ichscan.evaluate.metrics import Decisions, auc
from ichscan.evaluate.readers import MODEL, REFERENCE, HumanReads
from ichscan.labels import ANY, LABELS
from ichscan.types import Float64

Votes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Rater:
    """A reader or the model.

    Attributes:
        name: for people.
        votes: uint8 (cases, 6), 0, 1 or 255 = none.
        probability: float64 (cases, 6), NaN = none.
    """

    name: str
    votes: Votes
    probability: Float64


@dataclass(frozen=True, slots=True)
class Score:
    """One rater, one label, on the cases that all raters and the reference decided.

    Attributes:
        decisions: counts.
        facts: counts, rates and their intervals, see `ichscan.evaluate.decisions.decision_facts`.
        auc_decisions: area under the curve of the decisions alone, (sensitivity + specificity) / 2: the "ROC-AUC" of
            the paper's table 5, as its figures show; NaN without both classes.
        auc_probabilities: of the probabilities; NaN where there are none.
    """

    decisions: Decisions
    facts: dict[str, Any]
    auc_decisions: float
    auc_probabilities: float


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """Everything the tables need.

    Attributes:
        raters: readers by name, then the model.
        positives, negatives: per label, of the reference, on the common cases (table 4).
        scores: rater -> six scores (table 5).
        wrong: rater -> decisions that differ from the reference, over all labels.
        tests: reader -> label -> who of the model (first) and the reader alone is right, on the common cases; absent
            where the model decides nothing.
        shared: pairs of raters -> wrong decisions that both made.
        pairs: pairs of raters, the reference among them -> label -> Cohen's kappa, on the cases that both decided.
        fleiss: label -> Fleiss' kappa of the readers, on the cases that all of them decided; None with one reader.
    """

    raters: tuple[Rater, ...]
    positives: tuple[int, ...]
    negatives: tuple[int, ...]
    scores: dict[str, tuple[Score, ...]]
    wrong: dict[str, int]
    tests: dict[str, dict[str, McNemar]]
    shared: dict[tuple[str, str], int]
    pairs: dict[tuple[str, str], dict[str, Agreement]]
    fleiss: dict[str, Agreement] | None


def raters_of(cases: Cases, reads: HumanReads) -> tuple[Rater, ...]:
    """The readers, then the model where it has thresholds or probabilities."""
    readers = []
    for k, name in enumerate(reads.readers):
        probability = np.full(cases.p.shape, np.nan)
        probability[:, ANY] = reads.probability[k]
        readers.append(Rater(name, reads.votes[k], probability))
    usable = ~np.isnan(cases.p) & ~np.isnan(cases.thresholds)
    votes = np.where(usable, cases.p >= cases.thresholds, UNKNOWN).astype(np.uint8)
    return (*readers, Rater(MODEL, votes, cases.p))


def study(raters: Sequence[Rater], reference: Votes, patients: NDArray[np.int64]) -> Study:
    """Compares the raters.

    Args:
        raters: readers, then the model.
        reference: uint8 (cases, 6), 0, 1 or 255 = not known.
        patients: int64 (cases,), for the intervals: cases of one patient are alike.
    """
    common = _common(raters, reference)
    truth = [reference[common[:, c], c] for c in range(len(LABELS))]
    wrong = {r.name: common & (r.votes != reference) for r in raters}
    human = [r for r in raters if r.name != MODEL]
    everyone = [*raters, Rater(REFERENCE, reference, np.full(reference.shape, np.nan))]
    return Study(
        raters=tuple(raters),
        positives=tuple(int((y == 1).sum()) for y in truth),
        negatives=tuple(int((y == 0).sum()) for y in truth),
        scores={r.name: tuple(_score(r, reference, common, patients, c) for c in range(len(LABELS))) for r in raters},
        wrong={name: int(w.sum()) for name, w in wrong.items()},
        tests={r.name: _tests(raters[-1], r, reference, common, patients) for r in human},
        shared={(a, b): int((wrong[a] & wrong[b]).sum()) for a, b in combinations(wrong, 2)},
        pairs={(a.name, b.name): _kappas(a.votes, b.votes, patients) for a, b in combinations(everyone, 2)},
        fleiss=_fleiss(human, patients) if len(human) > 1 else None,
    )


def _common(raters: Sequence[Rater], reference: Votes) -> NDArray[np.bool_]:
    """Bool (cases, 6): read by someone, known, and decided by all raters who say anything about the label at all."""
    common = reference != UNKNOWN
    read = np.zeros_like(common)
    for rater in raters:
        decided = rater.votes != UNKNOWN
        common &= decided | ~decided.any(axis=0)
        if rater.name != MODEL:
            read |= decided
    return np.asarray(common & read, np.bool_)


def _score(rater: Rater, reference: Votes, common: NDArray[np.bool_], patients: NDArray[np.int64], c: int) -> Score:
    rows = common[:, c] & (rater.votes[:, c] != UNKNOWN)
    counts = counts_by_patient(rater.votes[rows, c] == 1, reference[rows, c], patients[rows])
    decisions = decisions_of(counts)
    sure = rows & ~np.isnan(rater.probability[:, c])
    complete = sure.sum() == rows.sum()
    area = auc(rater.probability[sure, c], reference[sure, c]) if complete else float("nan")
    return Score(decisions, decision_facts(counts), decisions.balanced_accuracy, area)


def _tests(
    model: Rater, reader: Rater, reference: Votes, common: NDArray[np.bool_], patients: NDArray[np.int64]
) -> dict[str, McNemar]:
    found = {}
    for c, label in enumerate(LABELS):
        rows = common[:, c] & (model.votes[:, c] != UNKNOWN) & (reader.votes[:, c] != UNKNOWN)
        if rows.any():
            votes = (model.votes[rows, c] == 1, reader.votes[rows, c] == 1)
            found[label] = mcnemar(*votes, reference[rows, c], patients[rows])
    return found


def _kappas(a: Votes, b: Votes, patients: NDArray[np.int64]) -> dict[str, Agreement]:
    found = {}
    for c, label in enumerate(LABELS):
        both = (a[:, c] != UNKNOWN) & (b[:, c] != UNKNOWN)
        found[label] = cohen_kappa(a[both, c], b[both, c], patients[both])
    return found


def _fleiss(readers: Sequence[Rater], patients: NDArray[np.int64]) -> dict[str, Agreement]:
    found = {}
    for c, label in enumerate(LABELS):
        votes = np.stack([r.votes[:, c] for r in readers])
        rows = (votes != UNKNOWN).all(axis=0)
        yes = (votes[:, rows] == 1).sum(axis=0).astype(np.int64)
        found[label] = fleiss_kappa(np.stack([len(readers) - yes, yes], axis=1), patients[rows])
    return found
