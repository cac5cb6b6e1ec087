"""Operating points: chosen on one set by a stated rule, applied to another, and never chosen on a test set."""

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError, UsageError
from ichscan.evaluate.cases import Binary
from ichscan.evaluate.curves import counts_at
from ichscan.evaluate.resampling import numbered
from ichscan.types import Float64

GRID = np.round(np.linspace(0.005, 0.995, 199), 3)
HALF: Final = 0.5
TEST: Final = re.compile("(?<![a-z])test")


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """A threshold and where it comes from.

    Attributes:
        rule: of `RULES`.
        parameter: the sensitivity, specificity or cost that was asked for; None for the rules without.
        threshold: positive means probability >= threshold.
        chosen_on: one phrase, e.g. "validation predictions, each patient by networks that never saw the patient".
        rows, positives, patients: of the set it was chosen on.
    """

    rule: str
    parameter: float | None
    threshold: float
    chosen_on: str
    rows: int
    positives: int
    patients: int

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "OperatingPoint":
        """From JSON.

        Raises:
            DataError: an entry is missing, unknown or of another kind.
        """
        try:
            parameter = facts["parameter"]
            return cls(
                str(facts["rule"]),
                None if parameter is None else float(parameter),
                float(facts["threshold"]),
                str(facts["chosen_on"]),
                *(int(facts[name]) for name in ("rows", "positives", "patients")),
            )
        except (KeyError, TypeError, ValueError) as error:
            names = ", ".join(OperatingPoint.__dataclass_fields__)
            raise DataError(f"operating point: expected {names}; {error} is missing or no number") from error


def is_test(part: str) -> bool:
    """Whether this names a test part, or several with one among them: test, test2, stage_2_test, external test."""
    return TEST.search(part.lower()) is not None


def choose(
    binary: Binary, rule: str, parameter: float | None = None, *, part: str, chosen_on: str = ""
) -> OperatingPoint:
    """Chooses the threshold of one label.

    Args:
        binary: probabilities and truth of the set to choose on.
        rule: of `RULES`.
        parameter: the least sensitivity or specificity, in (0, 1]; for "cost" how many false alarms a miss is worth.
        part: of the data that the rows belong to, e.g. "validation".
        chosen_on: told in the record; the part's name where nothing is said.

    Raises:
        UsageError: the rows belong to the test part; unknown rule; parameter absent or out of range.
        DataError: a class is missing.
    """
    if is_test(part):
        raise UsageError(
            "thresholds: asked to choose on the test part; a threshold chosen there flatters what is measured there. "
            "Choose on validation predictions and apply the threshold to the test part"
        )
    if not binary.estimable:
        raise DataError(
            f"thresholds: expected rows of both classes, found {binary.positives} positive of {len(binary.y)}; "
            "choose on a set that has both"
        )
    cut = threshold(binary.p, binary.y, binary.fold, rule, parameter)
    where = chosen_on or part
    return OperatingPoint(rule, parameter, cut, where, len(binary.y), binary.positives, numbered(binary.patients)[1])


def threshold(
    p: Float64, y: NDArray[np.uint8], folds: NDArray[np.int64], rule: str, parameter: float | None = None
) -> float:
    """The threshold of one label by a rule; p, y, folds (n,), both classes in y. Raises UsageError, see `choose`."""
    if rule not in RULES:
        raise UsageError(f"thresholds: expected a rule of {', '.join(RULES)}, found {rule!r}")
    if rule not in PARAMETERS:
        return RULES[rule](p, y, folds, 0.0)
    top = PARAMETERS[rule]
    if parameter is None or not 0 < parameter <= top:
        raise UsageError(f"thresholds: {rule} expects a number above 0 and at most {top:g}, found {parameter}")
    return RULES[rule](p, y, folds, parameter)


def cross_fitted(
    p: Float64, y: NDArray[np.uint8], folds: NDArray[np.int64], rule: str, parameter: float | None = None
) -> NDArray[np.bool_]:
    """Decisions, bool (n,): each fold's by a threshold chosen on the other folds; .5 where those have one class."""
    out = np.zeros(len(p), np.bool_)
    for fold in np.unique(folds):
        here, rest = folds == fold, folds != fold
        both = 0 < np.count_nonzero(y[rest]) < len(y[rest])
        out[here] = p[here] >= (threshold(p[rest], y[rest], folds[rest], rule, parameter) if both else HALF)
    return out


def f1_curve(p: Float64, y: NDArray[np.uint8]) -> Float64:
    """F1 at each threshold of `GRID`, float64 (199,); y has at least one positive."""
    tp, fp = counts_at(p, y, GRID)
    return np.asarray(2 * tp / (tp + fp + np.count_nonzero(y)), np.float64)


def mean_f1_threshold(
    probabilities: NDArray[np.float64], labels: NDArray[np.uint8], folds: NDArray[np.int_]
) -> tuple[float, float]:
    """Argmax of the F1-over-threshold curve averaged over the folds (Hoseyni et al. 2024).

    Folds without positives have no F1 and are left out.

    Returns:
        (threshold, mean F1 at it); (0.5, NaN) when no fold has positives.
    """
    curves = []
    for fold in np.unique(folds):
        rows = folds == fold
        if labels[rows].any():
            curves.append(f1_curve(probabilities[rows], labels[rows]))
    if not curves:
        return HALF, float("nan")
    mean = np.mean(curves, axis=0)
    best = np.flatnonzero(mean >= mean.max() - 1e-9)
    k = int(best[len(best) // 2])  # the middle of a plateau is the safest point on it
    return float(GRID[k]), float(mean[k])


def sensitivity_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.uint8], sensitivity: float) -> float:
    """The highest threshold that keeps at least `sensitivity`, placed half-way (in log-odds) to the next lower score.

    Args:
        probabilities: float64 (n,), calibrated.
        labels: uint8 (n,), with at least one positive.
        sensitivity: in (0, 1].
    """
    positive = np.sort(probabilities[labels == 1])[::-1]
    needed = int(np.ceil(sensitivity * len(positive) - 1e-9))
    lowest = float(positive[max(needed, 1) - 1])
    below = probabilities[probabilities < lowest]
    return _between(float(below.max()), lowest) if len(below) else lowest


def _between(low: float, high: float) -> float:
    """The probability half-way between two, in log-odds; above `low`, and at most `high`."""
    logit = [np.log(p / (1 - p)) for p in np.clip([low, high], 1e-6, 1 - 1e-6)]
    return _within(float(1 / (1 + np.exp(-np.mean(logit)))), low, high)


def _within(value: float, low: float, high: float) -> float:
    """Rounding must not let a threshold fall on the lower of two scores, nor above the higher."""
    return float(min(max(value, np.nextafter(low, np.inf)), high))


def specificity_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.uint8], specificity: float) -> float:
    """The lowest threshold that keeps at least `specificity`: the highest sensitivity that this allows.

    Placed half-way (in log-odds) between the last negative that is left alone and the next higher score.

    Args:
        probabilities: float64 (n,), calibrated.
        labels: uint8 (n,), with at least one negative.
        specificity: in (0, 1].
    """
    negative = np.sort(probabilities[labels == 0])
    highest = float(negative[max(int(np.ceil(specificity * len(negative) - 1e-9)), 1) - 1])
    above = probabilities[probabilities > highest]
    return _between(highest, float(above.min()) if len(above) else max(1.0, float(np.nextafter(highest, np.inf))))


def youden_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.uint8]) -> float:
    """The threshold with the largest sensitivity + specificity - 1 (Youden 1950), half-way to the next lower score.

    Args:
        probabilities: float64 (n,).
        labels: uint8 (n,), with positives and negatives.
    """
    positives = np.count_nonzero(labels)
    return _cheapest(probabilities, labels, 1 / positives, 1 / (len(labels) - positives))


def cost_threshold(probabilities: NDArray[np.float64], labels: NDArray[np.uint8], miss: float) -> float:
    """The threshold of least cost when a miss costs `miss` false alarms (Metz 1978), half-way to the next lower score.

    Costs are counted at the prevalence of these rows.

    Args:
        probabilities: float64 (n,).
        labels: uint8 (n,), with positives and negatives.
        miss: above 0.
    """
    return _cheapest(probabilities, labels, miss, 1.0)


def _cheapest(p: Float64, y: NDArray[np.uint8], miss: float, alarm: float) -> float:
    scores = np.unique(p)
    tp, fp = counts_at(p, y, scores)
    k = int(np.argmin(miss * (np.count_nonzero(y) - tp) + alarm * fp))
    return float(scores[0]) if k == 0 else _within((scores[k - 1] + scores[k]) / 2, scores[k - 1], scores[k])


Rule = Callable[[Float64, NDArray[np.uint8], NDArray[np.int64], float], float]
RULES: Final[Mapping[str, Rule]] = {
    "half": lambda p, y, folds, _: HALF,
    "mean_f1_curve": lambda p, y, folds, _: mean_f1_threshold(p, y, folds)[0],
    "youden": lambda p, y, folds, _: youden_threshold(p, y),
    "sensitivity": lambda p, y, folds, least: sensitivity_threshold(p, y, least),
    "specificity": lambda p, y, folds, least: specificity_threshold(p, y, least),
    "cost": lambda p, y, folds, miss: cost_threshold(p, y, miss),
}
PARAMETERS: Final[Mapping[str, float]] = {"sensitivity": 1.0, "specificity": 1.0, "cost": 1e6}
"""Rules that need a number above 0, and its largest value."""
