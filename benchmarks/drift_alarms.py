"""How often the dashboard's alarms are false, and how soon they come: `python -m benchmarks.drift_alarms`.

Simulated days of a department, looked at once a day as `ichscan serve` does every few minutes: scan probabilities are
drawn from a beta distribution per class; nothing changes in the first part, something does in the second. Prints a
table.
"""

import argparse
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from ichscan.service.feedback.drift import Span, alarming, changes
from ichscan.service.feedback.window import Arrival
from ichscan.service.settings import AlarmSettings

DAYS = 365
SETTINGS = AlarmSettings()
WINDOW, BASELINE = int(SETTINGS.days), int(SETTINGS.baseline_days)


@dataclass(frozen=True, slots=True)
class Ward:
    """A department: studies a day, shares of positive and of not analysable studies, number of scanners."""

    per_day: int
    positive: float = 0.12
    failed: float = 0.02
    scanners: int = 2
    shift: float = 0.0


def day(draw: random.Random, ward: Ward) -> list[Arrival]:
    """The studies of one day."""
    found = []
    for i in range(ward.per_day):
        positive = draw.random() < ward.positive
        p = draw.betavariate(6, 2) if positive else draw.betavariate(1, 12)
        p = min(p + ward.shift, 1.0)
        failed = draw.random() < ward.failed
        status, scanner = ("not_analysable", "analysed")[not failed], f"scanner {draw.randrange(ward.scanners)}"
        told = None if failed else p
        found.append(Arrival(i, 0.0, scanner, status, told, None if failed else p >= 0.5, 1.0, "model"))
    return found


def alarms(days: list[list[Arrival]], today: int) -> bool:
    """Whether there is an alarm at the end of a day."""
    now = [one for some in days[today - WINDOW + 1 : today + 1] for one in some]
    before = [one for some in days[max(0, today - WINDOW + 1 - BASELINE) : today - WINDOW + 1] for one in some]
    return bool(alarming(changes(Span(before, []), Span(now, []), SETTINGS)))


def false_alarms(draw: random.Random, ward: Ward) -> int:
    """Alarms that begin in a year in which nothing changes."""
    days = [day(draw, ward) for _ in range(DAYS + WINDOW + BASELINE)]
    told = [alarms(days, i) for i in range(WINDOW + BASELINE, len(days))]
    return sum(now and not before for before, now in zip([False, *told], told, strict=False))


def days_to_alarm(draw: random.Random, ward: Ward, changed: Ward) -> int | None:
    """Days until the alarm after a change; None when none comes while the change is in the last days alone."""
    days = [day(draw, ward) for _ in range(WINDOW + BASELINE)]
    for after in range(1, WINDOW + 1):
        days.append(day(draw, changed))
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


if __name__ == "__main__":
    main()
