import json
import random
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, update
from tests.service.feedback.ward import DAY, NOW, Ward

from ichscan.service.feedback.alarms import current, watch
from ichscan.service.feedback.chance import distance, distance_by_chance, fisher, rates
from ichscan.service.feedback.drift import ALPHA, MAX_SCANNERS, Span, alarming, changes, scanners
from ichscan.service.feedback.standstill import Silence, silences
from ichscan.service.feedback.window import Arrival, Remark
from ichscan.service.settings import AlarmSettings
from ichscan.service.tables import Event, Job, Study

POSITIVE = {"any": "present"}


def arrival(
    i: int, *, suspected: bool = False, probability: float = 0.1, status: str = "analysed", scanner: str = "A"
) -> Arrival:
    return Arrival(i, float(i), scanner, status, probability, suspected, 1.0, "m")


def span(count: int, positive: int, **facts: Any) -> Span:
    return Span([arrival(i, suspected=i < positive, **facts) for i in range(count)], [])


def measures(found: list[Any]) -> set[tuple[str, str]]:
    return {(one.measure, one.scanner) for one in found}


@pytest.fixture(scope="module")
def stats() -> Any:
    """An independent implementation."""
    return pytest.importorskip("scipy.stats", reason="scipy is not installed")


def test_fisher_is_that_of_scipy(stats: Any) -> None:
    draw = random.Random(1)
    for _ in range(100):
        a, b, c, d = (draw.randrange(40) for _ in range(4))
        assert fisher(a, a + b, c, c + d) == pytest.approx(stats.fisher_exact([[a, b], [c, d]])[1], abs=1e-9)
    assert fisher(30, 100, 9000, 60_000) == pytest.approx(stats.fisher_exact([[30, 70], [9000, 51_000]])[1], rel=1e-6)
    assert fisher(0, 0, 0, 0) == 1.0


def test_rates_are_those_of_scipy(stats: Any) -> None:
    draw = random.Random(3)
    for _ in range(50):
        a, b, days, other = draw.randrange(60), draw.randrange(200), draw.uniform(1, 7), draw.uniform(7, 28)
        share = days / (days + other)
        assert rates(a, days, b, other) == pytest.approx(
            stats.binomtest(a, a + b, share).pvalue if a + b else 1, abs=1e-9
        )


def test_distance_and_its_chance_are_those_of_scipy(stats: Any) -> None:
    draw = random.Random(2)
    for n, m, shift in ((20, 20, 0.3), (20, 80, 0.2), (50, 200, 0.15), (200, 800, 0.05)):
        one, other = [draw.random() for _ in range(n)], [draw.random() + shift for _ in range(m)]
        exact = stats.ks_2samp(one, other, method="exact")
        assert distance(one, other) == pytest.approx(exact.statistic)
        assert distance_by_chance(exact.statistic, n, m) == pytest.approx(exact.pvalue, rel=0.5)
    assert distance([0.1, 0.1, 0.5], [0.1, 0.9]) == pytest.approx(0.5)
    assert distance([], [0.5]) == 0.0
    assert distance_by_chance(0.0, 10, 10) == 1.0
    assert distance_by_chance(1.0, 50, 50) < 1e-12
    assert distance_by_chance(0.5, 0, 10) == 1.0


def test_nothing_is_said_of_few_studies() -> None:
    assert changes(span(100, 0), span(19, 19), AlarmSettings()) == []
    assert changes(span(19, 0), span(100, 100), AlarmSettings()) == []


def test_a_change_must_be_large_and_unlikely() -> None:
    settings = AlarmSettings()
    unlikely_but_small = changes(span(20_000, 2000), span(5000, 800), settings)
    assert [one.chance < 1e-6 for one in unlikely_but_small if one.measure == "positive_rate"] == [True, True]
    assert alarming(unlikely_but_small) == []
    large_but_likely = changes(span(20, 4), span(20, 8), settings)
    assert [one.size for one in large_but_likely if one.measure == "positive_rate"] == [pytest.approx(0.2)] * 2
    assert alarming(large_but_likely) == []
    assert measures(alarming(changes(span(200, 20), span(50, 25), settings))) == {
        ("positive_rate", ""), ("positive_rate", "A"),
    }  # fmt: skip


def test_each_measure_alarms() -> None:
    failed = Span([arrival(i, status="not_analysable" if i % 2 else "analysed") for i in range(60)], [])
    assert ("not_analysable_rate", "") in measures(alarming(changes(span(200, 0), failed, AlarmSettings())))
    shifted = span(60, 0, probability=0.4)
    assert measures(alarming(changes(span(200, 0), shifted, AlarmSettings()))) == {
        ("score_distance", ""), ("score_distance", "A"),
    }  # fmt: skip


@pytest.mark.parametrize(("before", "now", "alarms"), [(0.95, 0.5, True), (0.5, 0.95, False)])
def test_only_a_fall_of_agreement_alarms(before: float, now: float, alarms: bool) -> None:
    def told(share: float) -> Span:
        verdicts = [("present", "x", "agree" if i < 100 * share else "disagree") for i in range(100)]
        return Span([arrival(0)], [Remark(i, 0.0, "A", {"any": one}) for i, one in enumerate(verdicts)])

    found = measures(alarming(changes(told(before), told(now), AlarmSettings())))
    assert found == ({("agreement", ""), ("agreement", "A")} if alarms else set())


def test_one_scanner_alarms_among_many() -> None:
    before = [arrival(i, scanner=f"S{i % 5}") for i in range(500)]
    now = [arrival(i, scanner=f"S{i % 5}", suspected=i % 5 == 2) for i in range(150)]
    found = alarming(changes(Span(before, []), Span(now, []), AlarmSettings()))
    assert ("positive_rate", "S2") in measures(found)
    assert not {one.scanner for one in found} & {"S0", "S1", "S3", "S4"}


def days_of(per_day: int, first: int, last: int, scanner: str = "A") -> list[Arrival]:
    """Studies by day from the first hour on, an hour apart at most: 10 a day leave a pause of 15 hours at night."""
    return [
        replace(arrival(i, scanner=scanner), time=day * DAY + i * min(3600.0, DAY / per_day))
        for day in range(first, last)
        for i in range(per_day)
    ]


@pytest.mark.parametrize(
    ("per_day", "alarms"), [(10, set()), (6, set()), (4, {"volume"}), (0, {"volume"}), (16, {"volume"})]
)
def test_a_change_of_volume_alarms(per_day: int, alarms: set[str]) -> None:
    before = Span(days_of(10, 0, 28), [], 0.0, 28 * DAY)
    now = Span(days_of(per_day, 28, 35), [], 28 * DAY, 35 * DAY)
    found = alarming(changes(before, now, AlarmSettings()))
    assert {one.measure for one in found} == alarms
    if alarms:
        assert [one.scanner for one in found] == ["", "A"]
        assert (found[0].before, found[0].now) == (pytest.approx(10), pytest.approx(per_day))


def test_a_new_service_has_no_volume_to_compare() -> None:
    young = Span(days_of(10, 22, 28), [], 0.0, 28 * DAY)  # six days, compared with seven
    assert changes(young, Span(days_of(1, 28, 35), [], 28 * DAY, 35 * DAY), AlarmSettings()) == []
    known = Span(days_of(10, 20, 28), [], 0.0, 28 * DAY)  # ten a day since it began, not eight in 28 days
    [every, _] = changes(known, Span(days_of(1, 28, 35), [], 28 * DAY, 35 * DAY), AlarmSettings())
    assert every.before == pytest.approx(10)


def test_who_is_silent_longer_than_ever_alarms() -> None:
    found = sorted(days_of(10, 0, 14) + days_of(10, 0, 13, "B"), key=lambda one: one.time)
    last = max(one.time for one in found)

    def silent(hours: float, least: int = 20) -> list[Silence]:
        return silences(found, last + hours * 3600, AlarmSettings(least=least))

    assert silent(5.9) == []  # B has paused for 24 + 5.9 hours, twice the 15 of its nights
    assert silent(6.1) == [Silence("B", pytest.approx(30.1), pytest.approx(15))]
    assert silent(30.1) == [Silence("", pytest.approx(30.1), pytest.approx(15))]
    assert silent(99, least=1000) == []


def test_names_of_scanners_are_bounded() -> None:
    many = [arrival(i, scanner=f"S{i:03d}") for i in range(200)] + [arrival(0, scanner="S199"), arrival(0, scanner="")]
    names = scanners(many)
    assert len(names) == MAX_SCANNERS
    assert names[:2] == ["S199", "S000"]


def test_chance_alone_alarms_in_fewer_looks_than_promised() -> None:
    draw = random.Random(1)

    def of(count: int) -> Span:
        found = []
        for i in range(count):
            p = draw.betavariate(0.3, 1.5)
            found.append(arrival(i, suspected=p > 0.5, probability=p, scanner=draw.choice("AB")))
        return Span(found, [])

    settings = AlarmSettings(positive_rate=0, not_analysable_rate=0, agreement=0, score_distance=0)
    looks = 300
    false = sum(bool(alarming(changes(of(160), of(50), settings))) for _ in range(looks))
    assert false <= 2 + 3 * ALPHA * looks


def fill(ward: Ward, days: range, *, positive_of: int, per_day: int = 10) -> None:
    for day in days:
        for i in range(per_day):
            ward.study(POSITIVE if i < positive_of else None, time=NOW - (day + 0.5) * DAY, slices=1)


def test_an_alarm_begins_once_and_ends_once(ward: Ward) -> None:
    fill(ward, range(7, 20), positive_of=1)
    fill(ward, range(0, 5), positive_of=6)
    begun = watch(ward.database, ward.settings, NOW)
    assert {one.key for one in begun} == {
        ("positive_rate", ""), ("positive_rate", "GE Ward 1"), ("score_distance", ""), ("score_distance", "GE Ward 1"),
    }  # fmt: skip
    assert watch(ward.database, ward.settings, NOW + 60) == []
    calm = ward.with_settings(positive_rate=1.0, score_distance=1.0)
    assert watch(ward.database, calm, NOW + 120) == []
    assert watch(ward.database, calm, NOW + 180) == []
    with ward.database.read() as session:
        told = [json.loads(one.text) for one in session.scalars(select(Event).where(Event.kind == "alarm"))]
        assert current(session, calm, NOW) == []
    assert [one["alarm"] for one in told] == ["begins"] * 4 + ["ends"] * 4
    assert told[0]["sentence"] == ("share of studies with hemorrhage suspected: 0.60 in 50 studies, before 0.10 in 130")


def test_a_change_of_the_model_is_told(ward: Ward) -> None:
    fill(ward, range(7, 20), positive_of=1)
    fill(ward, range(0, 5), positive_of=6)
    with ward.database.read() as session:
        assert [one.facts["model_changed"] for one in current(session, ward.settings, NOW)] == [False] * 4
    with ward.database.write() as session:
        session.connection().exec_driver_sql(f"UPDATE result SET model_sha256 = 'b' WHERE created > {NOW - 5 * DAY}")
    with ward.database.read() as session:
        assert {one.sentence.rpartition(";")[2] for one in current(session, ward.settings, NOW)} == {
            " the model changed meanwhile"
        }


def test_a_hostile_name_stays_on_its_line(ward: Ward) -> None:
    fill(ward, range(7, 20), positive_of=1)
    fill(ward, range(0, 5), positive_of=6)
    with ward.database.write() as session:
        for study in session.scalars(select(Study)):
            study.station = 'x\nERROR "fake'
    (_, one, *_) = watch(ward.database, ward.settings, NOW)
    assert "\n" not in one.sentence
    assert watch(ward.database, ward.settings, NOW) == []


def test_silence_and_late_analyses_are_told(ward: Ward) -> None:
    fill(ward, range(3, 20), positive_of=1)
    study = ward.study(time=NOW - 3 * DAY)
    with ward.database.write() as session:
        session.add(Job(kind="analyse", study_id=study, generation=1, created=NOW - 16 * 60, run_after=NOW))
    begun = watch(ward.database, ward.settings, NOW)
    assert [one.key for one in begun] == [("late", ""), ("silence", "")]
    assert begun[0].sentence.startswith("an analysis has been waiting for 16 min")
    assert begun[1].sentence.startswith("no study for 72.0 h, the longest pause before was 24.0 h")
    with ward.database.write() as session:
        job = session.scalars(select(Job)).one()
        job.state, job.lease_until = "running", NOW + 30
    assert watch(ward.database, ward.settings, NOW) == []
    with ward.database.read() as session:
        assert [one.measure for one in current(session, ward.settings, NOW)] == ["silence"]
        assert [one.measure for one in current(session, ward.settings, NOW + 60)] == [
            "late",
            "silence",
        ]  # the worker died


def test_results_that_do_not_arrive_are_told(ward: Ward) -> None:
    study = ward.study(time=NOW - 3600)
    facts = {"study_id": study, "generation": 1}
    with ward.database.write() as session:
        session.get_one(Study, study).analysed_generation = 1
        session.add(Job(kind="send", target="pacs", state="queued", created=NOW - 16 * 60, **facts))
        session.add(Job(kind="hook", target="pager", state="set_aside", created=NOW - DAY, **facts))
        session.add(Job(kind="store", target="web", state="queued", created=NOW - 60, **facts))
    (begun,) = watch(ward.database, ward.settings, NOW)
    assert begun.key == ("undelivered", "")
    assert begun.sentence.startswith("results that did not arrive at pacs (1), pager (1):")
    with ward.database.write() as session:
        session.execute(update(Job).values(state="done"))
        assert current(session, ward.settings, NOW) == []
