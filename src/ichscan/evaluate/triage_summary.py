"""Waiting times of a simulated worklist in numbers: by group of scans, with the spread over replications."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.triage import FIFO, Scores, Waits, Worklist, simulate
from ichscan.types import Float64

Group = Callable[[Waits], NDArray[np.bool_]]
GROUPS: Final[Mapping[str, Group]] = MappingProxyType(
    {
        "with hemorrhage": lambda w: w.positive,
        "with hemorrhage, flagged": lambda w: w.positive & w.flagged,
        "with hemorrhage, missed by the model": lambda w: w.positive & ~w.flagged,
        "without hemorrhage": lambda w: ~w.positive,
        "without hemorrhage, flagged in error": lambda w: ~w.positive & w.flagged,
        "all": lambda w: np.ones(len(w.positive), np.bool_),
    }
)
LOADS: Final = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Of the figure: share of the time that a reader is busy."""
LOAD_REPLICATIONS: Final = 20


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over replications: its mean, and the range of 95 % of the replications; NaN = no such scan."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Summary:
    """Minutes of wait of one group of scans under one rule.

    Attributes:
        rule: of `triage.RULES`.
        group: of `GROUPS`.
        scans: mean number in one replication.
        median, mean, p90: of the waits in a replication.
        saved: mean wait under first in, first out less that under this rule; below 0 = longer.
    """

    rule: str
    group: str
    scans: float
    median: Spread
    mean: Spread
    p90: Spread
    saved: Spread


def summarise(runs: Sequence[Waits]) -> list[Summary]:
    """Every group under every rule."""
    return [_summary(runs, rule, name, group) for name, group in GROUPS.items() for rule in runs[0].minutes]


def by_load(room: Worklist, scores: Scores | None, seed: int = 0) -> dict[str, tuple[float | None, ...]]:
    """Mean wait in minutes of scans with hemorrhage by rule at each of `LOADS`, reached by more arrivals."""
    curves: dict[str, list[float | None]] = {}
    for load in LOADS:
        per_hour = 60 * load * room.readers / room.minutes
        quick = replace(room, per_hour=per_hour, replications=min(LOAD_REPLICATIONS, room.replications))
        runs = simulate(quick, scores, seed)
        for rule in runs[0].minutes:
            waits = np.concatenate([w.minutes[rule][w.positive] for w in runs])
            curves.setdefault(rule, []).append(float(waits.mean()) if len(waits) else None)
    return {rule: tuple(values) for rule, values in curves.items()}


def _summary(runs: Sequence[Waits], rule: str, name: str, group: Group) -> Summary:
    chosen = [group(w) for w in runs]
    waits = [w.minutes[rule][c] for w, c in zip(runs, chosen, strict=True)]
    before = [w.minutes[FIFO][c] for w, c in zip(runs, chosen, strict=True)]
    saved = [float(b.mean() - a.mean()) for a, b in zip(waits, before, strict=True) if len(a)]
    return Summary(
        rule=rule,
        group=name,
        scans=float(np.mean([len(w) for w in waits])),
        median=_over(waits, lambda w: float(np.median(w))),
        mean=_over(waits, lambda w: float(w.mean())),
        p90=_over(waits, lambda w: float(np.quantile(w, 0.9))),
        saved=_spread(saved),
    )


def _over(waits: Sequence[Float64], figure: Callable[[Float64], float]) -> Spread:
    return _spread([figure(w) for w in waits if len(w)])


def _spread(values: Sequence[float]) -> Spread:
    if not values:
        return Spread(float("nan"), float("nan"), float("nan"))
    low, high = np.quantile(values, [0.025, 0.975])
    return Spread(float(np.mean(values)), float(low), float(high))
