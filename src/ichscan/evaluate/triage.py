"""What sorting the worklist would save: a simulated reading room, with and without the model.

Scans arrive as a Poisson stream, wait on one list, and are read one after the other by one or several readers; a read
is never interrupted. Reading times are log-normal. Such models of computer-aided triage, and their theory by priority
queues (Cobham, Operations Research 1954; 2: 70-76), are in Thompson et al., Queueing Systems 2024; 108: 579-610.
"""

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import UsageError
from ichscan.types import Float64

FIFO: Final = "first in, first out"
FLAGGED: Final = "flagged first"
SCORED: Final = "by probability"
RULES: Final = (FIFO, FLAGGED, SCORED)


@dataclass(frozen=True, slots=True)
class Worklist:
    """A reading room. All defaults are ours, except where a source is named.

    Attributes:
        per_hour: arriving scans, mean; at the default the reader is busy 82 % of the time.
        readers: who read from the same list at the same time.
        minutes: mean reading time. A head CT takes about 7 minutes in the simulation of Zhi, Pan & Gao (Keya Medical).
        spread: standard deviation of the reading time as a share of its mean; 1 is that of exponential times.
        prevalence: share of scans with hemorrhage.
        sensitivity, specificity: of the flag; None = the evaluated model's own scores and threshold.
        scans: counted in one replication.
        warmup: scans at the beginning, and as many at the end, that are not counted: the list starts and ends empty.
        replications: independent runs of the room.
    """

    per_hour: float = 7.0
    readers: int = 1
    minutes: float = 7.0
    spread: float = 0.5
    prevalence: float = 0.1
    sensitivity: float | None = None
    specificity: float | None = None
    scans: int = 1000
    warmup: int = 200
    replications: int = 100

    def __post_init__(self) -> None:
        shares = {"sensitivity": self.sensitivity, "specificity": self.specificity}
        for name, share in shares.items():
            if share is not None and not 0 <= share <= 1:
                raise UsageError(f"worklist: expected {name} from 0 to 1, found {share:g}")
        if (self.sensitivity is None) != (self.specificity is None):
            raise UsageError("worklist: expected sensitivity and specificity together, or neither")
        if not 0 < self.prevalence < 1:
            raise UsageError(f"worklist: expected a prevalence between 0 and 1, found {self.prevalence:g}")
        least = {"readers": 1, "scans": 10, "warmup": 0, "replications": 2}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UsageError(f"worklist: expected {name} of at least {low}, found {getattr(self, name)}")
        if not (self.per_hour > 0 and self.minutes > 0 and 0 <= self.spread < math.inf):  # nor NaN
            raise UsageError("worklist: expected per_hour and minutes above 0 and spread not below 0")
        if not self.load < 1:
            raise UsageError(
                f"worklist: {self.per_hour:g} scans per hour of {self.minutes:g} minutes are more than {self.readers} "
                f"reader(s) can read (load {self.load:.2f}): the list would grow without end; give a load below 1"
            )

    @property
    def load(self) -> float:
        """Share of the time that each reader is busy."""
        return self.per_hour * self.minutes / 60 / self.readers


def worklist(settings: Sequence[str], base: Worklist | None = None) -> Worklist:
    """A worklist from texts `key=value` of the command line; keys are the attributes of `Worklist`.

    Raises:
        UsageError: an unknown key, no number, or a room that cannot be.
    """
    kinds = {field.name: int if field.type is int else float for field in fields(Worklist)}
    given: dict[str, float | int] = {}
    for text in settings:
        key, _, value = text.partition("=")
        if key not in kinds:
            raise UsageError(f"worklist: {key!r} is no setting; expected key=value with a key of {', '.join(kinds)}")
        try:
            given[key] = kinds[key](value)
        except ValueError as error:
            raise UsageError(f"worklist: expected a number after {key}=, found {value!r}") from error
    return replace(base or Worklist(), **given)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """What the model says about scans with and without hemorrhage.

    Attributes:
        positive, negative: float64 (n,), probabilities of evaluated scans with and without hemorrhage.
        positive_patients, negative_patients: int64 (n,), whose scan it is.
        threshold: a scan is flagged when its probability reaches it.
    """

    positive: Float64
    negative: Float64
    positive_patients: NDArray[np.int64]
    negative_patients: NDArray[np.int64]
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class Waits:
    """One replication: minutes from arrival to the start of the read, by rule, in the order of arrival.

    Attributes:
        minutes: rule of `RULES` -> float64 (scans,).
        positive: bool (scans,), with hemorrhage.
        flagged: bool (scans,), by the model.
    """

    minutes: Mapping[str, Float64]
    positive: NDArray[np.bool_]
    flagged: NDArray[np.bool_]


def queue(arrivals: Float64, service: Float64, urgency: Float64, readers: int) -> Float64:
    """Waiting times of a list that is read by urgency, and by arrival among equals; reads are not interrupted.

    Args:
        arrivals: float64 (n,), ascending.
        service: float64 (n,), duration of the first, second, ... read. It belongs to the turn and not to the scan: as
            durations do not depend on the scan, this changes no distribution, and keeps the number of waiting scans
            the same under every rule, so that differences between rules are not noise.
        urgency: float64 (n,), the highest is read first; a constant gives first in, first out.
        readers: at the same time.

    Returns:
        float64 (n,), from arrival to the start of the read, in the order of `arrivals`.
    """
    starts = np.empty(len(arrivals))
    free = [0.0] * readers
    waiting: list[tuple[float, int]] = []
    times, durations, urgencies = arrivals.tolist(), service.tolist(), (-urgency).tolist()
    come, n = 0, len(times)
    for duration in durations:
        now = free[0]
        if not waiting and times[come] > now:
            now = times[come]
        while come < n and times[come] <= now:
            heapq.heappush(waiting, (urgencies[come], come))
            come += 1
        _, scan = heapq.heappop(waiting)
        starts[scan] = now
        heapq.heapreplace(free, now + duration)
    return starts - arrivals


def replicate(room: Worklist, scores: Scores | None, rng: np.random.Generator) -> Waits:
    """One replication: the same scans, arrivals and durations under every rule.

    Scores are drawn from the evaluated scans after the patients themselves were drawn with replacement, so that the
    spread over replications holds what is not known about the model as well as chance in the room.
    """
    n = room.scans + 2 * room.warmup
    arrivals = np.cumsum(rng.exponential(60 / room.per_hour, n))
    variance = math.log1p(room.spread**2)
    service = rng.lognormal(math.log(room.minutes) - variance / 2, math.sqrt(variance), n)
    positive = rng.random(n) < room.prevalence
    probability, flagged = _flags(room, scores, positive, rng)
    rules = {FIFO: np.zeros(n), FLAGGED: flagged.astype(np.float64)}
    if probability is not None:
        rules[SCORED] = probability
    counted = slice(room.warmup, room.warmup + room.scans)
    minutes = {rule: queue(arrivals, service, urgency, room.readers)[counted] for rule, urgency in rules.items()}
    return Waits(minutes, positive[counted], flagged[counted])


def simulate(room: Worklist, scores: Scores | None, seed: int = 0) -> list[Waits]:
    """All replications.

    Args:
        room: the worklist.
        scores: of the evaluated model; only needed where the room has no sensitivity and specificity of its own.
        seed: of everything drawn.
    """
    seeds = np.random.SeedSequence(seed).spawn(room.replications)
    return [replicate(room, scores, np.random.default_rng(s)) for s in seeds]


def _flags(
    room: Worklist, scores: Scores | None, positive: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[Float64 | None, NDArray[np.bool_]]:
    if room.sensitivity is not None and room.specificity is not None:
        flagged = rng.random(len(positive)) < np.where(positive, room.sensitivity, 1 - room.specificity)
        return None, flagged
    if scores is None:
        raise UsageError("worklist: the model's scores are not estimable here; give sensitivity= and specificity=")
    probability = np.where(
        positive,
        rng.choice(_of_drawn_patients(scores.positive, scores.positive_patients, rng), len(positive)),
        rng.choice(_of_drawn_patients(scores.negative, scores.negative_patients, rng), len(positive)),
    )
    return probability, probability >= scores.threshold


def _of_drawn_patients(values: Float64, patients: NDArray[np.int64], rng: np.random.Generator) -> Float64:
    names, owner = np.unique(patients, return_inverse=True)
    times_drawn = np.bincount(rng.integers(0, len(names), len(names)), minlength=len(names))
    return np.repeat(values, times_drawn[owner])
