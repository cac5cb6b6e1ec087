"""A number with its interval: as JSON, and as a cell of a table."""

import math
from collections.abc import Sequence
from typing import Any, Final

NOT_ESTIMABLE: Final = "not estimable"
"""Instead of a number, where a class is missing or a rate has no denominator."""
ROUNDING: Final = 1e-9
"""Sums of the same rows in another order differ by less."""


def estimate(value: float, interval: Sequence[float] | None = None) -> dict[str, float | None] | str:
    """{"value", "low", "high"} (95 %), or `NOT_ESTIMABLE` where there is no value.

    An infinite number is None. So are the bounds of an interval without width: resampling cannot tell how sure a rate
    of 0 or 1 is.
    """
    if math.isnan(value):
        return NOT_ESTIMABLE
    low, high = (_finite(v) for v in interval) if interval is not None else (None, None)
    if low is not None and high is not None and math.isclose(low, high, rel_tol=ROUNDING, abs_tol=ROUNDING):
        low = high = None
    return {"value": _finite(value), "low": low, "high": high}


def number(value: float) -> float | str:
    """JSON knows no NaN: `NOT_ESTIMABLE` instead."""
    return NOT_ESTIMABLE if math.isnan(value) else float(value)


def text(fact: Any, digits: int = 3) -> str:
    """Such as 0.946 (0.912 to 0.970) for an estimate, 0.946 for a number; words stay."""
    if isinstance(fact, str):
        return fact
    if isinstance(fact, dict):
        value = _text(fact["value"], digits)
        if fact["low"] is None and fact["high"] is None:
            return value
        return f"{value} ({_text(fact['low'], digits)} to {_text(fact['high'], digits)})"
    return _text(fact, digits)


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _text(value: float | None, digits: int) -> str:
    return "∞" if value is None else f"{value:.{digits}f}"
