import json
import random
from typing import Any

import pytest
from sqlalchemy import select
from tests.service.feedback.ward import DAY, NOW, Ward

from ichscan.service.feedback.alarms import current, watch
from ichscan.service.feedback.chance import distance, distance_by_chance, fisher
from ichscan.service.feedback.drift import ALPHA, MAX_SCANNERS, Span, alarming, changes, scanners
from ichscan.service.feedback.window import Arrival, Remark
from ichscan.service.settings import AlarmSettings
from ichscan.service.tables import Event, Study

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
        assert [one.model_changed for one in current(session, ward.settings, NOW)] == [False] * 4
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
