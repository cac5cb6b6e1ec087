"""Two models, or a model and a reader, on the same rows: differences of areas, of probabilities, and of decisions."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError
from ichscan.evaluate.cases import Binary
from ichscan.evaluate.curves import area_under_roc, average_precision, resampled_counts, roc_counts
from ichscan.evaluate.delong import paired
from ichscan.evaluate.estimate import NOT_ESTIMABLE
from ichscan.evaluate.metrics import log_losses, shares, squared_errors
from ichscan.evaluate.resampling import Resamples, numbered, percentiles
from ichscan.types import Float64


@dataclass(frozen=True, slots=True)
class McNemar:
    """Decisions of two on the same rows, where exactly one is right.

    Attributes:
        first_only, second_only: rows that only one of them got right.
        exact: two-sided binomial p-value (conservative).
        mid_p: with half the probability of what was seen (Fagerland, Lydersen & Laake 2013); the better choice when
            each patient has one row.
        clustered: p-value with patients as clusters (Obuchowski 1998), the one that holds where a patient has several
            rows; 1 when nothing differs.
    """

    first_only: int
    second_only: int
    exact: float
    mid_p: float
    clustered: float


def mcnemar(
    first: NDArray[np.bool_], second: NDArray[np.bool_], labels: NDArray[np.uint8], patients: NDArray[np.generic]
) -> McNemar:
    """Test of equal shares of right decisions; decisions bool (n,), labels uint8 (n,), patients (n,)."""
    from scipy.stats import binom, norm

    truth = labels == 1
    one, other = (first == truth) & (second != truth), (second == truth) & (first != truth)
    b, c = int(one.sum()), int(other.sum())
    tail = float(binom.cdf(min(b, c), b + c, 0.5))
    exact = min(2 * tail, 1.0)
    mid = min(2 * tail - float(binom.pmf(min(b, c), b + c, 0.5)), 1.0)
    index, clusters = numbered(patients)
    gaps = np.bincount(index, one.astype(np.float64) - other)
    spread = float(np.sqrt((gaps**2).sum() * clusters / max(clusters - 1, 1)))
    clustered = float(2 * norm.sf(abs(float(gaps.sum())) / spread)) if spread else 1.0
    return McNemar(b, c, exact, mid, clustered)


def compare(one: Binary, other: Binary, cuts: tuple[float, float], resamples: Resamples) -> dict[str, Any]:
    """Two sets of probabilities of one label on the same rows, as JSON; differences are one - other.

    Args:
        one: of the first model.
        other: of the second, for the same rows.
        cuts: the thresholds of both; NaN = none, then no decisions are compared.
        resamples: draws of these patients; the same draws for both, so that the comparison is paired.

    Raises:
        DataError: other rows, or another truth.
    """
    if len(one.y) != len(other.y) or not (
        np.array_equal(one.y, other.y) and np.array_equal(one.patients, other.patients)
    ):
        raise DataError(
            f"comparison: expected two predictions of the same rows, found {len(one.y):,} and {len(other.y):,} rows "
            "that differ; compare on the rows that both have, in one order"
        )
    out: dict[str, Any] = {"n": len(one.y), "positives": one.positives, "patients": numbered(one.patients)[1]}
    out |= _ranking(one, other, resamples) | _probabilities(one, other, resamples)
    if np.isfinite(cuts).all():
        out |= _decisions(one, other, cuts, resamples)
    return out


def _ranking(one: Binary, other: Binary, resamples: Resamples) -> dict[str, Any]:
    if not one.estimable:
        return {"auc": NOT_ESTIMABLE, "average_precision": NOT_ESTIMABLE}
    test = paired(one.p, other.p, one.y, one.patients)
    values, draws = [], []
    for binary in (one, other):
        values.append([measure(*roc_counts(binary.p, binary.y)[1:]) for measure in (area_under_roc, average_precision)])
        _, tp, fp = resampled_counts(binary.p, binary.y, binary.patients, resamples)
        draws.append([area_under_roc(tp, fp), average_precision(tp, fp)])
    auc, precision = (_difference(float(values[0][k]), float(values[1][k]), draws[0][k], draws[1][k]) for k in range(2))
    obuchowski = {"low": test.low, "high": test.high, "p_value": test.p_value}
    return {"auc": {**auc, "delong": obuchowski}, "average_precision": precision}


def _probabilities(one: Binary, other: Binary, resamples: Resamples) -> dict[str, Any]:
    columns = [f(b.p, b.y) for f in (squared_errors, log_losses) for b in (one, other)]
    sums = resamples.sums(np.stack([*columns, np.ones(len(one.y))], axis=1), one.patients)
    means = shares(sums[:, :4], sums[:, 4:])
    values = [float(c.mean()) if len(c) else float("nan") for c in columns]
    return {
        name: _difference(values[k], values[k + 1], means[:, k], means[:, k + 1])
        for k, name in ((0, "brier"), (2, "log_loss"))
    }


def _decisions(one: Binary, other: Binary, cuts: tuple[float, float], resamples: Resamples) -> dict[str, Any]:
    positive = [b.p >= cut for b, cut in zip((one, other), cuts, strict=True)]
    truth = one.y == 1
    cells = [f for said in positive for f in (said & truth, ~said & ~truth)]
    columns = np.stack([*cells, truth, ~truth], axis=1).astype(np.float64)
    sums = resamples.sums(columns, one.patients)
    total = columns.sum(axis=0)
    out: dict[str, Any] = {}
    for k, name in ((0, "sensitivity"), (1, "specificity")):
        values = [shares(total[k + 2 * model], total[4 + k]) for model in (0, 1)]
        draws = [shares(sums[:, k + 2 * model], sums[:, 4 + k]) for model in (0, 1)]
        out[name] = _difference(float(values[0]), float(values[1]), *draws)
    test = mcnemar(positive[0], positive[1], one.y, one.patients)
    out["mcnemar"] = {name: getattr(test, name) for name in McNemar.__dataclass_fields__}
    return out


def _difference(one: float, other: float, draws: Float64, others: Float64) -> Any:
    if np.isnan(one) or np.isnan(other):
        return NOT_ESTIMABLE
    low, high = percentiles(draws - others)
    return {"one": one, "other": other, "difference": one - other, "low": low, "high": high}
