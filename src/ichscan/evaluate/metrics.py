"""Measures of a detector: ranking (AUC), decisions (sensitivity and the like), probabilities, and the RSNA score.

NaN = not estimable. Curves over all thresholds are in `ichscan.evaluate.curves`, calibration in
`ichscan.evaluate.calibration`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ichscan.labels import ANY

CLIP = 1e-5


def auc(scores: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
    """Area under the ROC curve = P(score of a positive > score of a negative), ties count half (Mann-Whitney).

    NaN when there is only one class: not estimable.
    """
    positive, negative = scores[labels == 1], np.sort(scores[labels == 0])
    if len(positive) == 0 or len(negative) == 0:
        return float("nan")
    below = np.searchsorted(negative, positive, side="left")
    ties = np.searchsorted(negative, positive, side="right") - below
    return float((below + 0.5 * ties).sum() / (len(positive) * len(negative)))


@dataclass(frozen=True, slots=True)
class Decisions:
    """Counts of a binary decision against the truth; rates are NaN where they have no denominator."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def sensitivity(self) -> float:
        """Share of the positives that are found."""
        return _ratio(self.tp, self.tp + self.fn)

    @property
    def specificity(self) -> float:
        """Share of the negatives that are left alone."""
        return _ratio(self.tn, self.tn + self.fp)

    @property
    def ppv(self) -> float:
        """Positive predictive value (precision): share of the decisions for positive that are right."""
        return _ratio(self.tp, self.tp + self.fp)

    @property
    def npv(self) -> float:
        """Negative predictive value: share of the decisions for negative that are right."""
        return _ratio(self.tn, self.tn + self.fn)

    @property
    def f1(self) -> float:
        """Harmonic mean of sensitivity and PPV."""
        return _ratio(2 * self.tp, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        """Share of all decisions that are right."""
        return _ratio(self.tp + self.tn, self.tp + self.fp + self.tn + self.fn)

    @property
    def balanced_accuracy(self) -> float:
        """Mean of sensitivity and specificity."""
        return (self.sensitivity + self.specificity) / 2

    @property
    def lr_positive(self) -> float:
        """Likelihood ratio of a positive decision, sensitivity / (1 - specificity); infinite without false alarms."""
        return _odds(self.sensitivity, _ratio(self.fp, self.tn + self.fp))

    @property
    def lr_negative(self) -> float:
        """Likelihood ratio of a negative decision, (1 - sensitivity) / specificity; infinite if nothing is left."""
        return _odds(_ratio(self.fn, self.tp + self.fn), self.specificity)


def _ratio(top: int, bottom: int) -> float:
    return top / bottom if bottom else float("nan")


def shares(top: NDArray[np.float64], bottom: NDArray[np.float64]) -> NDArray[np.float64]:
    """Top / bottom, element by element; NaN where there is no denominator."""
    out = np.full(np.broadcast_shapes(np.shape(top), np.shape(bottom)), np.nan)
    np.divide(top, bottom, out=out, where=np.asarray(bottom) > 0)
    return out


def _odds(top: float, bottom: float) -> float:
    if bottom == 0:
        return float("inf") if top > 0 else float("nan")
    return top / bottom


def decide(probabilities: NDArray[np.float64], labels: NDArray[np.uint8], threshold: float) -> Decisions:
    """Counts with positive = probability >= threshold."""
    positive = probabilities >= threshold
    truth = labels == 1
    return Decisions(
        tp=int((positive & truth).sum()),
        fp=int((positive & ~truth).sum()),
        tn=int((~positive & ~truth).sum()),
        fn=int((~positive & truth).sum()),
    )


def squared_errors(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of each row, (n,); their mean is the Brier score (Brier 1950)."""
    return np.asarray((probabilities - labels) ** 2, np.float64)


def log_losses(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Log loss of each entry, in nats, in the shape of `labels`; probabilities are clipped at 1e-5."""
    p = np.clip(probabilities.astype(np.float64), CLIP, 1 - CLIP)
    return np.asarray(-(labels * np.log(p) + (1 - labels) * np.log1p(-p)), np.float64)


def weighted_log_losses(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The RSNA 2019 score of each row, (n,), from (n, 6) with weight 2 for `any`, 1 for each type."""
    weight = np.ones(labels.shape[1])
    weight[ANY] = 2.0
    return np.asarray((log_losses(probabilities, labels) * weight).sum(axis=1) / weight.sum(), np.float64)


def weighted_log_loss(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
    """The RSNA 2019 score: mean of `weighted_log_losses`; NaN without rows."""
    return float(weighted_log_losses(probabilities, labels).mean()) if len(labels) else float("nan")


def exact_match(decisions: NDArray[np.bool_], labels: NDArray[np.uint8]) -> float:
    """Share of rows in which every label is right, (n, labels) each: the accuracy of Shah 2025, section 3.3."""
    if len(labels) == 0:
        return float("nan")
    return float((decisions == (labels == 1)).all(axis=1).mean())


def macro_f1(decisions: NDArray[np.bool_], labels: NDArray[np.uint8]) -> float:
    """Mean over the labels of their F1 (Shah 2025, section 3.3); a label without positives and alarms is left out."""
    scores = [decide(decisions[:, c].astype(np.float64), labels[:, c], 0.5).f1 for c in range(labels.shape[1])]
    known = [f1 for f1 in scores if not np.isnan(f1)]
    return float(np.mean(known)) if known else float("nan")
