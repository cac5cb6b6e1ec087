"""How often the dashboard's alarms are false, and how soon they come: `python -m benchmarks.drift_alarms`.

Simulated days of a department, looked at once a day as `ichscan serve` does every few minutes: studies come by chance,
four in five of them between 8 and 20 o'clock; scan probabilities are drawn from a beta distribution per class; nothing
changes in the first part, something does in the second. Silence is looked for at each study. Prints two tables.
"""

import argparse
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from ichscan.service.feedback.drift import DAY, Span, alarming, changes
from ichscan.service.feedback.standstill import HOUR, silences
from ichscan.service.feedback.window import Arrival
from ichscan.service.settings import AlarmSettings

DAYS = 365
SETTINGS = AlarmSettings()
BY_DAY = 0.8
WINDOW, BASELINE = int(SETTINGS.days), int(SETTINGS.baseline_days)


@dataclass(frozen=True, slots=True)
class Ward:
    """A department: mean of studies a day, shares of positive and of not analysable studies, number of scanners."""

    per_day: float
    positive: float = 0.12
    failed: float = 0.02
    scanners: int = 2
    shift: float = 0.0


def day(draw: random.Random, ward: Ward, number: int) -> list[Arrival]:
    """The studies of one day, by time."""
    found = []
    for i in range(_poisson(draw, ward.per_day)):
        positive = draw.random() < ward.positive
        p = draw.betavariate(6, 2) if positive else draw.betavariate(1, 12)
        p = min(p + ward.shift, 1.0)
        failed = draw.random() < ward.failed
        status, scanner = ("not_analysable", "analysed")[not failed], f"scanner {draw.randrange(ward.scanners)}"
        told = None if failed else p
        hour = draw.uniform(8, 20) if draw.random() < BY_DAY else draw.uniform(-4, 8) % 24
        time = number * DAY + hour * HOUR
        found.append(Arrival(i, time, scanner, status, told, None if failed else p >= 0.5, 1.0, "model"))
    return sorted(found, key=lambda one: one.time)


def _poisson(draw: random.Random, mean: float) -> int:
    count, time = 0, draw.expovariate(mean)
    while time < 1:
        count, time = count + 1, time + draw.expovariate(mean)
    return count


def alarms(days: list[list[Arrival]], today: int) -> bool:
    """Whether there is an alarm at the end of a day."""
    begin = today + 1 - WINDOW
    first = max(0, begin - BASELINE)
    now = [one for some in days[begin : today + 1] for one in some]
    before = [one for some in days[first:begin] for one in some]
    spans = Span(before, [], first * DAY, begin * DAY), Span(now, [], begin * DAY, (today + 1) * DAY)
    return bool(alarming(changes(*spans, SETTINGS)))


def false_silences(draw: random.Random, ward: Ward) -> tuple[int, float]:
    """Alarms of silence in a year in which nothing changes, and hours from the last study to a true one (median)."""
    found = [one for number in range(DAYS + WINDOW + BASELINE) for one in day(draw, ward, number)]
    told, pauses = 0, []
    begin = 0
    for i, (one, following) in enumerate(pairwise(found)):
        if one.time < (WINDOW + BASELINE) * DAY:
            continue
        while found[begin].time < one.time - (WINDOW + BASELINE) * DAY:
            begin += 1
        known = found[begin : i + 1]
        told += len(silences(known, following.time, SETTINGS))
        if i % 50 == 0:
            pauses.append(SETTINGS.silence * max(b.time - a.time for a, b in pairwise(known)) / HOUR)
    return told, statistics.median(pauses)


def false_alarms(draw: random.Random, ward: Ward) -> int:
    """Alarms that begin in a year in which nothing changes."""
    days = [day(draw, ward, i) for i in range(DAYS + WINDOW + BASELINE)]
    told = [alarms(days, i) for i in range(WINDOW + BASELINE, len(days))]
    return sum(now and not before for before, now in zip([False, *told], told, strict=False))


def days_to_alarm(draw: random.Random, ward: Ward, changed: Ward) -> int | None:
    """Days until the alarm after a change; None when none comes while the change is in the last days alone."""
    days = [day(draw, ward, i) for i in range(WINDOW + BASELINE)]
    for after in range(1, WINDOW + 1):
        days.append(day(draw, changed, len(days)))
        if alarms(days, len(days) - 1):
            return after
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--years", type=int, default=20)
    parser.add_argument("--draws", type=int, default=100)
    arguments = parser.parse_args()
    kinds: list[tuple[str, Callable[[int], Ward]]] = [
        ("positive rate 0.12 to 0.40", lambda n: Ward(n, positive=0.40)),
        ("not analysable 0.02 to 0.20", lambda n: Ward(n, failed=0.20)),
        ("probabilities 0.1 higher", lambda n: Ward(n, shift=0.1)),
        ("a quarter of the studies comes", lambda n: Ward(n / 4)),
    ]
    print("| studies a day | alarms in a year without change | " + " | ".join(name for name, _ in kinds) + " |")
    print("|---|---|" + "---|" * len(kinds))
    for per_day in (5, 20, 80):
        draw = random.Random(per_day)
        rate = statistics.mean(false_alarms(draw, Ward(per_day)) for _ in range(arguments.years))
        cells = []
        for _, change in kinds:
            found = [days_to_alarm(draw, Ward(per_day), change(per_day)) for _ in range(arguments.draws)]
            seen = [one for one in found if one is not None]
            middle = f"day {statistics.median(seen):g}" if seen else "-"
            cells.append(f"{100 * len(seen) / len(found):.0f} %, {middle}")
        print(f"| {per_day} | {rate:.2f} | " + " | ".join(cells) + " |")
    print("\n| studies a day | alarms of silence in a year without change | hours after which true silence is told |")
    print("|---|---|---|")
    for per_day in (5, 20, 80):
        draw = random.Random(per_day)
        years = [false_silences(draw, Ward(per_day)) for _ in range(max(1, arguments.years // 10))]
        print(
            f"| {per_day} | {statistics.mean(n for n, _ in years):.2f} | {statistics.median(h for _, h in years):.0f} |"
        )


if __name__ == "__main__":
    main()
