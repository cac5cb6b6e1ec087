"""The figures of the dashboard, as JSON: how much, how often positive, how far people agree, per day and scanner."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, Final

from sqlalchemy.orm import Session

from ichscan.labels import LABELS
from ichscan.report.findings import PRESENT
from ichscan.service.feedback.alarms import current
from ichscan.service.feedback.drift import ALPHA, DAY, Span, scanners
from ichscan.service.feedback.verdicts import AGREE, DISAGREE, UNSURE
from ichscan.service.feedback.window import Arrival, Remark, arrivals, remarks, studies_agreed
from ichscan.service.settings import Settings

BINS: Final = 20
"""Of the distribution of scan probabilities."""


def dashboard(session: Session, settings: Settings, days: int, now: float) -> dict[str, Any]:
    """Figures of the last `days` days, today included; days are those of UTC.

    Holds no patient data. A share is None where there is nothing to divide by.
    """
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first = today - timedelta(days=days - 1)
    since, demo = first.timestamp(), settings.web.demo
    span = Span(arrivals(session, since, now, hide=demo), remarks(session, since, now, hide=demo))
    by_scanner = span.by_scanner()
    return {
        "since": since,
        "until": now,
        "days": days,
        "total": figures(span),
        "per_day": [
            {"date": f"{first + timedelta(days=i):%Y-%m-%d}", **figures(one)}
            for i, one in enumerate(_by_day(span, since, days))
        ],
        "per_scanner": [{"scanner": name, **figures(by_scanner[name])} for name in scanners(span.arrivals)],
        "scores": _histogram(span.arrivals),
        "agreement": {label: _verdicts(span.remarks, label) for label in LABELS},
        "alarms": [one.to_json() for one in current(session, settings, now)],
        "watch": {
            "days": settings.alarms.days,
            "baseline_days": settings.alarms.baseline_days,
            "least": settings.alarms.least,
            "chance": ALPHA,
        },
    }


def figures(span: Span) -> dict[str, Any]:
    """Counts and shares of a span; times in seconds."""
    analysed = [one for one in span.arrivals if one.analysed]
    failed = sum(one.failed for one in span.arrivals)
    suspected = sum(bool(one.suspected) for one in analysed)
    waited = [one.waited_s for one in analysed if one.waited_s is not None]
    agreed = studies_agreed(span.remarks)
    return {
        "studies": len(span.arrivals),
        "analysed": len(analysed),
        "not_analysable": failed,
        "open": len(span.arrivals) - len(analysed) - failed,
        "suspected": suspected,
        "positive_rate": _share(suspected, len(analysed)),
        "not_analysable_rate": _share(failed, len(analysed) + failed),
        "median_probability": _median([one.probability for one in analysed if one.probability is not None]),
        "median_wait_s": _median(waited),
        "remarks": len(span.remarks),
        "studies_with_verdict": len(agreed),
        "agreement": _share(sum(agreed.values()), len(agreed)),
    }


def _by_day(span: Span, first: float, days: int) -> list[Span]:
    came: list[list[Arrival]] = [[] for _ in range(days)]
    said: list[list[Remark]] = [[] for _ in range(days)]
    for arrival in span.arrivals:
        came[int((arrival.time - first) // DAY)].append(arrival)
    for remark in span.remarks:
        said[int((remark.time - first) // DAY)].append(remark)
    return [Span(*one) for one in zip(came, said, strict=True)]


def _histogram(found: Sequence[Arrival]) -> dict[str, Any]:
    """Scan probabilities of analysed studies: counts in `BINS` equal parts of [0, 1], and how many are suspected."""
    counts, suspected = [0] * BINS, [0] * BINS
    for one in found:
        if one.analysed and one.probability is not None:
            place = min(max(int(one.probability * BINS), 0), BINS - 1)
            counts[place] += 1
            suspected[place] += bool(one.suspected)
    return {"edges": [round(i / BINS, 4) for i in range(BINS + 1)], "counts": counts, "suspected": suspected}


def _verdicts(found: Iterable[Remark], label: str) -> dict[str, Any]:
    """How often the finding was agreed to; what was stated wrongly; what stays open."""
    told = [remark.outcomes[label] for remark in found if label in remark.outcomes]
    counts = Counter(outcome for _, _, outcome in told)
    wrong = [state for state, _, outcome in told if outcome == DISAGREE]
    return {
        "agree": counts[AGREE],
        "disagree": counts[DISAGREE],
        "unsure": sum(verdict == UNSURE for _, verdict, _ in told),
        "of_uncertain_findings": sum(o is None and verdict != UNSURE for _, verdict, o in told),
        "wrongly_present": sum(state == PRESENT for state in wrong),
        "wrongly_absent": sum(state != PRESENT for state in wrong),
        "agreement": _share(counts[AGREE], counts[AGREE] + counts[DISAGREE]),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _median(values: Sequence[float]) -> float | None:
    return round(float(median(values)), 4) if values else None
