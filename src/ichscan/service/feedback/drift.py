"""The last days against those before: which shares changed by more than is allowed, and more than chance explains."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from ichscan.service.feedback.chance import distance, distance_by_chance, fisher, rates
from ichscan.service.feedback.window import Arrival, Remark, studies_agreed
from ichscan.service.settings import AlarmSettings

ALPHA: Final = 0.01
"""Of all comparisons of one look together, this share may alarm by chance alone (Bonferroni)."""
MAX_SCANNERS: Final = 50

POSITIVE: Final = "positive_rate"
FAILED: Final = "not_analysable_rate"
AGREEMENT: Final = "agreement"
SCORES: Final = "score_distance"
VOLUME: Final = "volume"
MEASURES: Final = (VOLUME, POSITIVE, FAILED, AGREEMENT, SCORES)
DAY: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Span:
    """What is known of a span of time.

    Attributes:
        arrivals: studies that came, oldest first.
        remarks: what was said in it.
        begin, end: of the span, seconds since 1970; without them volumes are not compared.
    """

    arrivals: Sequence[Arrival]
    remarks: Sequence[Remark]
    begin: float = 0.0
    end: float = 0.0

    def by_scanner(self) -> dict[str, "Span"]:
        """Scanner -> what is of it alone."""
        came: dict[str, list[Arrival]] = {}
        said: dict[str, list[Remark]] = {}
        for arrival in self.arrivals:
            came.setdefault(arrival.scanner, []).append(arrival)
        for remark in self.remarks:
            said.setdefault(remark.scanner, []).append(remark)
        names = (*came, *(said.keys() - came.keys()))
        return {name: Span(came.get(name, []), said.get(name, []), self.begin, self.end) for name in names}


@dataclass(frozen=True, slots=True)
class Change:
    """One comparison.

    Attributes:
        measure: of `MEASURES`.
        scanner: "" = all together.
        before, now: the share in either span; of `SCORES` the median probability; of `VOLUME` studies a day.
        studies_before, studies_now: that these are of.
        size: what is compared with the threshold: the difference of shares, the distance of distributions, or the
            change of the volume as a share of what it was.
        threshold: from the settings.
        chance: p of a difference as large or larger when nothing changed.
    """

    measure: str
    scanner: str
    before: float
    now: float
    studies_before: int
    studies_now: int
    size: float
    threshold: float
    chance: float


def changes(before: Span, now: Span, settings: AlarmSettings) -> list[Change]:
    """Every comparison that has `settings.least` studies on both sides: all together first, then scanner by scanner.

    Of volumes the baseline alone must have so many: a scanner may have fallen silent.
    """
    found = list(_compare("", before, now, settings))
    old, new = before.by_scanner(), now.by_scanner()
    none = Span([], [], before.begin, before.end), Span([], [], now.begin, now.end)
    for scanner in scanners([*before.arrivals, *now.arrivals]):
        found += _compare(scanner, old.get(scanner, none[0]), new.get(scanner, none[1]), settings)
    return found


def alarming(found: Sequence[Change]) -> list[Change]:
    """Those that are as large as their threshold, and that chance alone explains in less than ALPHA of all looks."""
    return [one for one in found if one.size >= one.threshold and one.chance <= ALPHA / len(found)]


def scanners(found: Iterable[Arrival]) -> list[str]:
    """Names of scanners, those with most studies first; at most `MAX_SCANNERS`: the name is whatever a header says."""
    counts: dict[str, int] = {}
    for one in found:
        counts[one.scanner] = counts.get(one.scanner, 0) + 1
    return sorted((name for name in counts if name), key=lambda name: (-counts[name], name))[:MAX_SCANNERS]


def _compare(scanner: str, before: Span, now: Span, settings: AlarmSettings) -> Iterable[Change]:
    volume = _volume(scanner, before, now, settings)
    if volume is not None:
        yield volume
    for measure, threshold, count in (
        (POSITIVE, settings.positive_rate, _positive),
        (FAILED, settings.not_analysable_rate, _failed),
        (AGREEMENT, settings.agreement, _agreed),
    ):
        change = _shares(measure, scanner, count, before, now, threshold, settings.least)
        if change is not None:
            yield change
    old, new = _scores(before), _scores(now)
    if min(len(old), len(new)) >= max(settings.least, 1):
        size = distance(old, new)
        yield Change(
            SCORES, scanner, _middle(old), _middle(new), len(old), len(new), size, settings.score_distance,
            distance_by_chance(size, len(old), len(new)),
        )  # fmt: skip


def _shares(
    measure: str,
    scanner: str,
    count: Callable[[Span], tuple[int, int]],
    before: Span,
    now: Span,
    threshold: float,
    least: int,
) -> Change | None:
    (old, of_old), (new, of_new) = count(before), count(now)
    if min(of_old, of_new) < max(least, 1):
        return None
    was, is_now = old / of_old, new / of_new
    # Only a fall of agreement is bad news.
    size = was - is_now if measure == AGREEMENT else abs(was - is_now)
    return Change(measure, scanner, was, is_now, of_old, of_new, size, threshold, fisher(new, of_new, old, of_old))


def _volume(scanner: str, before: Span, now: Span, settings: AlarmSettings) -> Change | None:
    """Studies a day; the baseline begins with its first study, since service or scanner may be new."""
    old, new = len(before.arrivals), len(now.arrivals)
    if old < max(settings.least, 1):
        return None
    days_before = (before.end - before.arrivals[0].time) / DAY
    days = (now.end - now.begin) / DAY
    if not 0 < days <= days_before:
        return None
    was, is_now = old / days_before, new / days
    chance = rates(new, days, old, days_before)
    return Change(VOLUME, scanner, was, is_now, old, new, abs(is_now / was - 1), settings.volume, chance)


def _positive(span: Span) -> tuple[int, int]:
    analysed = [one for one in span.arrivals if one.analysed]
    return sum(bool(one.suspected) for one in analysed), len(analysed)


def _failed(span: Span) -> tuple[int, int]:
    failed = sum(one.failed for one in span.arrivals)
    return failed, failed + sum(one.analysed for one in span.arrivals)


def _agreed(span: Span) -> tuple[int, int]:
    agreed = studies_agreed(span.remarks)
    return sum(agreed.values()), len(agreed)


def _scores(span: Span) -> list[float]:
    return [one.probability for one in span.arrivals if one.analysed and one.probability is not None]


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2] if values else 0.0
