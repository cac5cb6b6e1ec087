"""Labels that the model confidently disagrees with, ranked: a list to read again, not a list of errors.

Burduja et al. 2020, section 5: mistakes that a reader and the model had in common led to at least 25 wrong labels in
100 scans. Which disagreements are confident follows Northcutt, Jiang & Chuang, JAIR 2021; 70: 1373-1411: the
probability of the other label reaches its mean over the rows that carry that label (the "off-diagonal" of the
confident joint), each of the six labels being a problem of its own. The order is by Good's weight of evidence
(Biometrika 1979; 66: 393-396): how far the image moved the model's odds from the label's frequency towards the other
label. Unlike the plain -log p of the label, it does not put rare labels first only because they are rare.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import UNKNOWN, Cases
from ichscan.labels import ANY, LABELS
from ichscan.types import Float64

UNLABELLED: Final = "seen, not labelled"
OTHER_TYPE: Final = "type seen, not labelled"
UNSEEN: Final = "labelled, not seen"
KINDS: Final = (UNLABELLED, OTHER_TYPE, UNSEEN)
CERTAIN: Final = 0.5
"""A disagreement is told only where the model finds the other label likelier than the given one."""
REACH: Final = 2
"""Slices of one scan at most this far apart belong to one finding."""
EPSILON: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Disagreements:
    """Every row and label against each other.

    Attributes:
        evidence: float64 (n, 6), weight of evidence against the label in nats; NaN where nothing is known.
        surprise: float64 (n, 6), -ln of the probability of the given label; NaN where nothing is known.
        confident: bool (n, 6), both criteria hold.
        thresholds: float64 (6, 2), mean probability of label 0 where it is 0, and of label 1 where it is 1.
    """

    evidence: Float64
    surprise: Float64
    confident: NDArray[np.bool_]
    thresholds: Float64


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """Neighbouring slices of one scan (or one scan) whose labels the model doubts in the same way.

    Attributes:
        kind: of `KINDS`.
        rows: int64 (k,), rows of the cases, ascending.
        peak: the row with the strongest evidence.
        labels: which labels are doubted in any of the rows; indices of `LABELS`, the strongest at the peak first.
        evidence, surprise, probability: of the first of these labels at the peak.
        at_edge: one or two slices beside a slice outside the finding that carries the label: a matter of extent. Not
            so where the label is absent between two slices that carry it: that is a hole.
    """

    kind: str
    rows: NDArray[np.int64]
    peak: int
    labels: tuple[int, ...]
    evidence: float
    surprise: float
    probability: float
    at_edge: bool


def disagreements(cases: Cases) -> Disagreements:
    """Compares probabilities and labels; probabilities should be out of fold and calibrated."""
    p = np.clip(cases.p, EPSILON, 1 - EPSILON)
    known = (cases.y != UNKNOWN) & ~np.isnan(cases.p)
    given = np.where(cases.y == 1, p, 1 - p)
    thresholds = np.full((len(LABELS), 2), np.nan)
    evidence = np.full(p.shape, np.nan)
    confident = np.zeros(p.shape, np.bool_)
    for c in range(len(LABELS)):
        rows = np.flatnonzero(known[:, c])
        y = cases.y[rows, c]
        if not 0 < np.count_nonzero(y) < len(y):
            continue
        own = given[rows, c]
        thresholds[c] = own[y == 0].mean(), own[y == 1].mean()
        frequency = np.where(y == 1, y.mean(), 1 - y.mean())
        evidence[rows, c] = np.log((1 - own) / own) - np.log((1 - frequency) / frequency)
        confident[rows, c] = (1 - own >= thresholds[c][1 - y]) & (1 - own > CERTAIN)
    return Disagreements(evidence, np.where(known, -np.log(given), np.nan), confident, thresholds)


def findings(cases: Cases, scan_of_row: NDArray[np.int64]) -> list[Finding]:
    """All confident disagreements, the strongest first; those at the edge of a labelled run after the others.

    Args:
        cases: slices, in the order of the store, or scans.
        scan_of_row: int64 (n,), ascending; rows of one scan may be merged.
    """
    doubts = disagreements(cases)
    kinds = _kinds(cases, doubts)
    found = [
        _finding(cases, doubts, scan_of_row, kind, rows, marked[rows])
        for kind, marked in zip(KINDS, kinds, strict=True)
        for rows in _runs(np.flatnonzero(marked.any(axis=1)), scan_of_row)
    ]
    return sorted(found, key=lambda f: (f.at_edge, -f.evidence))


def in_turns(found: Sequence[Finding], count: int) -> list[Finding]:
    """The first `count`, the kinds of disagreement taking turns so that each is shown."""
    queues = [[f for f in found if f.kind == kind] for kind in KINDS]
    chosen: list[Finding] = []
    for place in range(max((len(q) for q in queues), default=0)):
        chosen += [q[place] for q in queues if place < len(q)]
    return chosen[:count]


def holes(cases: Cases, scan_of_row: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows without hemorrhage between two labelled neighbours of the same scan: suspicious whatever the model says."""
    y, n = cases.y[:, ANY], len(cases)
    inner: NDArray[np.int64] = np.arange(1, n - 1)
    same = (scan_of_row[inner - 1] == scan_of_row[inner]) & (scan_of_row[inner] == scan_of_row[inner + 1])
    between = same & (y[inner] == 0) & (y[inner - 1] == 1) & (y[inner + 1] == 1)
    return np.asarray(inner[between], np.int64)


def _kinds(cases: Cases, doubts: Disagreements) -> tuple[NDArray[np.bool_], ...]:
    """Bool (n, 6) for each of `KINDS`."""
    labelled = cases.y == 1
    bleeding = labelled[:, [ANY]]
    up = doubts.confident & ~labelled
    return up & ~bleeding, up & bleeding, doubts.confident & labelled


def _runs(rows: NDArray[np.int64], scan_of_row: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    if len(rows) == 0:
        return []
    breaks = (np.diff(rows) > REACH) | (np.diff(scan_of_row[rows]) != 0)
    return np.split(rows, np.flatnonzero(breaks) + 1)


def _finding(
    cases: Cases, doubts: Disagreements, scan_of_row: NDArray[np.int64], kind: str, rows: NDArray[np.int64],
    marked: NDArray[np.bool_],
) -> Finding:  # fmt: skip
    """`rows` int64 (k,) and what is doubted in them, bool (k, 6)."""
    evidence = np.where(marked, doubts.evidence[rows], -np.inf)
    place, first = (int(k) for k in np.unravel_index(np.argmax(evidence), evidence.shape))
    peak = int(rows[place])
    others = [c for c in np.argsort(-evidence.max(axis=0), kind="stable") if marked[:, c].any() and c != first]
    around = [r for r in (rows[0] - 1, rows[-1] + 1) if 0 <= r < len(cases) and scan_of_row[r] == scan_of_row[peak]]
    beside = sum(int(cases.y[r, first] == 1) for r in around)
    hole = beside == 2 and kind != UNSEEN
    return Finding(
        kind=kind,
        rows=rows,
        peak=peak,
        labels=(first, *(int(c) for c in others)),
        evidence=float(doubts.evidence[peak, first]),
        surprise=float(doubts.surprise[peak, first]),
        probability=float(cases.p[peak, first]),
        at_edge=len(rows) <= REACH and beside > 0 and not hole,
    )
