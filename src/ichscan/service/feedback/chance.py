"""How likely a difference between two groups is by chance alone, without libraries.

Fisher, J. R. Stat. Soc. 1922, 85, 87 (2 x 2 tables). Smirnov, Ann. Math. Stat. 1948, 19, 279, with the correction of
Stephens, J. R. Stat. Soc. B 1970, 32, 115 (two samples).
"""

from bisect import bisect_right
from collections.abc import Sequence
from math import exp, lgamma, log, log1p, sqrt
from typing import Final

TIES: Final = 1e-7
"""Tables whose probabilities differ relatively by less are equally likely."""
TERMS: Final = 100


def fisher(hits: int, total: int, other_hits: int, other_total: int) -> float:
    """Two-sided p of Fisher's exact test that two shares are the same."""
    drawn, positive, everyone = total, hits + other_hits, total + other_total
    low, high = max(0, positive - other_total), min(drawn, positive)
    whole = _log_choose(everyone, drawn)
    logs = [
        _log_choose(positive, k) + _log_choose(everyone - positive, drawn - k) - whole for k in range(low, high + 1)
    ]
    bar = logs[hits - low] + TIES
    return min(1.0, sum(exp(one) for one in logs if one <= bar))


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def rates(count: int, days: float, other_count: int, other_days: float) -> float:
    """Two-sided p that two Poisson counts have the same rate: exact, given their sum.

    Przyborowski and Wilenski, Biometrika 1940, 31, 313.
    """
    everyone, share = count + other_count, days / (days + other_days)
    logs = [_log_choose(everyone, k) + k * log(share) + (everyone - k) * log1p(-share) for k in range(everyone + 1)]
    bar = logs[count] + TIES
    return min(1.0, sum(exp(one) for one in logs if one <= bar))


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Kolmogorov-Smirnov distance of two samples, 0 to 1; 0 when one is empty."""
    if not one or not other:
        return 0.0
    a, b = sorted(one), sorted(other)
    return max(abs(bisect_right(a, x) / len(a) - bisect_right(b, x) / len(b)) for x in {*a, *b})


def distance_by_chance(found: float, one: int, other: int) -> float:
    """The p of a Kolmogorov-Smirnov distance between two samples of these sizes."""
    if not one or not other:
        return 1.0
    size = sqrt(one * other / (one + other))
    x = (size + 0.12 + 0.11 / size) * found
    if x < 0.2:  # the series does not converge there, and is 1 to 10 digits
        return 1.0
    terms = ((2 if k % 2 else -2) * exp(-2 * (k * x) ** 2) for k in range(1, TERMS + 1))
    return min(1.0, max(0.0, sum(terms)))
