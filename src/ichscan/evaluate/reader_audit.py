"""Labels that most readers contradict, first those that the model contradicts, too (Burduja et al. 2020, section 5)."""

from dataclasses import dataclass

import numpy as np

from ichscan.evaluate.cases import UNKNOWN, Cases
from ichscan.evaluate.label_audit import disagreements
from ichscan.evaluate.readers import HumanReads


@dataclass(frozen=True, slots=True)
class Contradiction:
    """One label of one case against its readers.

    Attributes:
        row: of the cases.
        label: index of `ichscan.labels.LABELS`.
        given: the label, 0 or 1.
        against, told: readers who say the other, and readers who say anything.
        probability: of the model, that it is 1; NaN = none.
        evidence: the model's weight of evidence against the label, nats; NaN = none.
    """

    row: int
    label: int
    given: int
    against: int
    told: int
    probability: float
    evidence: float

    @property
    def model_too(self) -> bool:
        """The model leans to what the readers say."""
        return self.probability < 0.5 if self.given else self.probability >= 0.5


def contradictions(cases: Cases, reads: HumanReads) -> list[Contradiction]:
    """Labels that more than half of the readers contradict: with the model first, then by share and by evidence."""
    told = (reads.votes != UNKNOWN).sum(axis=0)
    against = ((reads.votes != UNKNOWN) & (reads.votes != cases.y)).sum(axis=0)
    evidence = disagreements(cases).evidence
    rows, labels = np.nonzero((cases.y != UNKNOWN) & (2 * against > told))
    found = [
        Contradiction(
            int(r), int(c), int(cases.y[r, c]), int(against[r, c]), int(told[r, c]), float(cases.p[r, c]),
            float(evidence[r, c]),
        )
        for r, c in zip(rows, labels, strict=True)
    ]  # fmt: skip
    return sorted(found, key=lambda f: (not f.model_too, -f.against / f.told, -np.nan_to_num(f.evidence)))
