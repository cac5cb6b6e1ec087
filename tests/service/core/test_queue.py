import threading
from collections import Counter
from collections.abc import Iterator

import pytest
from tests.service.core.world import World

from ichscan.service.database import open_database
from ichscan.service.errors import DatabaseError, LostError
from ichscan.service.jobs.queue import again, claim, enqueue, fail, finish, release, renew
from ichscan.service.settings import Settings
from ichscan.service.tables import Event, Job, Study

LEASE_S = 30.0


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("ichscan.service.jobs.queue.time.time", made.time)
    return made


@pytest.fixture
def study(any_world: World) -> int:
    return _add_study(any_world)


def _add_study(world: World, generation: int = 1) -> int:
    number = len(world.rows(Study)) + 1
    with world.database.write() as session:
        study = Study(
            study_instance_uid=f"1.{number}",
            first_received=1.0,
            last_received=1.0,
            generation=generation,
            status="waiting",
        )
        session.add(study)
        session.flush()
        return study.id


def _add(world: World, kind: str, study: int, generation: int = 1, target: str = "", priority: float = 0.0) -> None:
    with world.database.write() as session:
        enqueue(session, kind, study, generation, target, priority)


def _states(world: World) -> list[str]:
    return [job.state for job in world.rows(Job)]


def test_a_job_is_there_once(any_world: World, study: int) -> None:
    for _ in range(3):
        _add(any_world, "analyse", study)
    claimed = claim(any_world.database, "w1", ["analyse"], LEASE_S)
    assert claimed is not None
    with any_world.database.write() as session:
        finish(session, claimed)
    _add(any_world, "analyse", study)
    assert _states(any_world) == ["done"]
    assert claim(any_world.database, "w1", ["analyse"], LEASE_S) is None


def test_unknown_kind_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="expected one of"):
        _add(world, "dance", 1)


def test_highest_priority_first_then_the_oldest(any_world: World, study: int) -> None:
    for target, priority in (("a", 0.0), ("b", 4.5), ("c", 0.0), ("d", 4.5)):
        _add(any_world, "send", study, 1, target, priority)
    _add(any_world, "analyse", study, 1, priority=99.0)
    found = [claim(any_world.database, "w", ["send", "hook"], LEASE_S) for _ in range(5)]
    assert [one.target if one else None for one in found] == ["b", "d", "a", "c", None]


def test_a_later_generation_outdates_what_was_not_done(any_world: World, study: int) -> None:
    for target in ("pacs", "other"):
        _add(any_world, "send", study, 1, target)
    running = claim(any_world.database, "w", ["send"], LEASE_S)
    assert running is not None
    assert running.target == "pacs"
    _add(any_world, "send", study, 2, "pacs")
    assert _states(any_world) == ["outdated", "queued", "queued"]
    assert not renew(any_world.database, running, LEASE_S)
    with pytest.raises(LostError), any_world.database.write() as session:
        finish(session, running)
    assert not fail(any_world.database, running, "x", 1.0, 1)
    _add(any_world, "send", study, 1, "pacs")
    assert _states(any_world) == ["outdated", "queued", "queued"]


def test_a_lease_that_ends_gives_the_job_to_another(any_world: World, study: int, clock: Clock) -> None:
    _add(any_world, "send", study, 1, "pacs")
    first = claim(any_world.database, "w1", ["send"], LEASE_S)
    assert first is not None
    clock.now += LEASE_S - 1
    assert claim(any_world.database, "w2", ["send"], LEASE_S) is None
    assert renew(any_world.database, first, LEASE_S)
    clock.now += LEASE_S - 1
    assert claim(any_world.database, "w2", ["send"], LEASE_S) is None
    clock.now += 2
    assert renew(any_world.database, first, LEASE_S), "late, but nobody took it"
    clock.now += LEASE_S + 1
    second = claim(any_world.database, "w2", ["send"], LEASE_S)
    assert second is not None
    assert (second.id, second.attempt) == (first.id, 2)
    assert not renew(any_world.database, first, LEASE_S)
    with pytest.raises(LostError), any_world.database.write() as session:
        finish(session, first)
    with any_world.database.write() as session:
        finish(session, second)
    assert _states(any_world) == ["done"]


def test_a_worker_that_lost_its_job_and_got_it_again_cannot_finish_the_first_attempt(
    any_world: World, study: int, clock: Clock
) -> None:
    _add(any_world, "send", study, 1, "pacs")
    first = claim(any_world.database, "w", ["send"], LEASE_S)
    clock.now += LEASE_S + 1
    second = claim(any_world.database, "w", ["send"], LEASE_S)
    assert first is not None
    assert second is not None
    with pytest.raises(LostError), any_world.database.write() as session:
        finish(session, first)
    with any_world.database.write() as session:
        finish(session, second)


def test_what_a_lost_worker_wrote_is_rolled_back(any_world: World, study: int, clock: Clock) -> None:
    _add(any_world, "analyse", study)
    first = claim(any_world.database, "w1", ["analyse"], LEASE_S)
    clock.now += LEASE_S + 1
    assert claim(any_world.database, "w2", ["analyse"], LEASE_S) is not None
    assert first is not None

    def commit() -> None:
        with any_world.database.write() as session:
            session.get_one(Study, study).suspected = True
            finish(session, first)

    with pytest.raises(LostError):
        commit()
    assert any_world.study().suspected is None


def test_failures_wait_longer_each_time_at_most_an_hour(any_world: World, study: int, clock: Clock) -> None:
    _add(any_world, "send", study, 1, "pacs")
    waits = []
    for _ in range(12):
        claimed = claim(any_world.database, "w", ["send"], LEASE_S)
        assert claimed is not None
        assert not fail(any_world.database, claimed, "no answer", 5.0, 13)
        wait = any_world.rows(Job)[0].run_after - clock.now
        waits.append(wait)
        clock.now += wait - 0.5
        assert claim(any_world.database, "w", ["send"], LEASE_S) is None
        clock.now += 0.5
    assert waits == [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600]
    claimed = claim(any_world.database, "w", ["send"], LEASE_S)
    assert claimed is not None
    assert fail(any_world.database, claimed, "no answer", 5.0, 13)
    (job,) = any_world.rows(Job)
    assert (job.state, job.error, job.attempts) == ("set_aside", "no answer", 13)
    assert [one.text for one in any_world.rows(Event) if one.kind == "delivery"] == ["set_aside"]
    assert any_world.study().status == "waiting"


def test_a_delivery_set_aside_can_be_tried_again(any_world: World, study: int) -> None:
    _add(any_world, "send", study, 1, "pacs")
    claimed = claim(any_world.database, "w", ["send"], LEASE_S)
    assert claimed is not None
    with any_world.database.write() as session:
        assert not again(session, claimed.id), "it runs"
    fail(any_world.database, claimed, "no answer", 5.0, 1)
    with any_world.database.write() as session:
        assert again(session, claimed.id)
        assert not again(session, 999)
    repeated = claim(any_world.database, "w", ["send"], LEASE_S)
    assert repeated is not None
    assert repeated.attempt == 1


def test_an_analysis_that_fails_too_often_sets_its_study_aside(any_world: World, study: int, clock: Clock) -> None:
    _add(any_world, "analyse", study)
    for attempt in (1, 2, 3):
        claimed = claim(any_world.database, "w", ["analyse"], LEASE_S, 3)
        assert claimed is not None
        assert claimed.attempt == attempt
        assert fail(any_world.database, claimed, "broken pixels", 1.0, 3) == (attempt == 3)
        clock.now += 60
    found = any_world.study()
    assert (found.status, found.reason, found.priority) == ("set_aside", "broken pixels", 2.0)


def test_a_study_that_kills_its_worker_is_set_aside(any_world: World, study: int, clock: Clock) -> None:
    _add(any_world, "analyse", study)
    other = _add_study(any_world)
    _add(any_world, "analyse", other)
    for attempt in (1, 2, 3):
        claimed = claim(any_world.database, f"w{attempt}", ["analyse"], LEASE_S, 3)
        assert claimed is not None
        assert (claimed.study_id, claimed.attempt) == (study, attempt)
        clock.now += LEASE_S + 1
    claimed = claim(any_world.database, "w4", ["analyse"], LEASE_S, 3)
    assert claimed is not None
    assert claimed.study_id == other
    poison = any_world.rows(Study)[0]
    assert (poison.status, poison.reason) == ("set_aside", "the process that worked on it ended 3 times")


def test_a_late_failure_does_not_set_aside_a_study_with_newer_images(any_world: World) -> None:
    study = _add_study(any_world, generation=2)
    _add(any_world, "analyse", study, 1)
    claimed = claim(any_world.database, "w", ["analyse"], LEASE_S)
    assert claimed is not None
    assert fail(any_world.database, claimed, "x", 1.0, 1)
    assert any_world.study().status == "waiting"


def test_one_death_after_many_failures_is_no_reason_to_give_up_a_delivery(
    any_world: World, study: int, clock: Clock
) -> None:
    _add(any_world, "send", study, 1, "pacs")
    for _ in range(20):
        claimed = claim(any_world.database, "w", ["send"], LEASE_S, 3)
        assert claimed is not None
        fail(any_world.database, claimed, "no answer", 1.0, 50)
        clock.now += 3601
    assert claim(any_world.database, "w", ["send"], LEASE_S, 3) is not None
    clock.now += LEASE_S + 1
    assert claim(any_world.database, "w2", ["send"], LEASE_S, 3) is not None


def test_a_worker_that_stops_gives_back_what_it_did(any_world: World, study: int) -> None:
    _add(any_world, "send", study, 1, "a")
    _add(any_world, "send", study, 1, "b")
    claim(any_world.database, "w1", ["send"], LEASE_S)
    claim(any_world.database, "w2", ["send"], LEASE_S)
    assert release(any_world.database, "w1") == 1
    assert _states(any_world) == ["queued", "running"]
    repeated = claim(any_world.database, "w3", ["send"], LEASE_S)
    assert repeated is not None
    assert (repeated.target, repeated.attempt) == ("a", 1)


def test_a_worker_known_to_be_dead_blocks_nothing(any_world: World, study: int) -> None:
    _add(any_world, "analyse", study)
    for attempt in (1, 2, 3):
        claimed = claim(any_world.database, "w", ["analyse"], LEASE_S, 3)
        assert claimed is not None
        assert claimed.attempt == attempt
        assert release(any_world.database, "w", died=True, attempts=3) == 1
    assert any_world.study().status == "set_aside"


def test_clock_that_goes_back_keeps_nothing_waiting(any_world: World, study: int, clock: Clock) -> None:
    _add(any_world, "send", study, 1, "died")
    _add(any_world, "send", study, 1, "failed")
    assert claim(any_world.database, "w1", ["send"], LEASE_S) is not None
    failed = claim(any_world.database, "w1", ["send"], LEASE_S)
    assert failed is not None
    fail(any_world.database, failed, "no answer", 5.0, 9)
    clock.now -= 365 * 86_400
    found = {one.target for one in (claim(any_world.database, "w2", ["send"], LEASE_S) for _ in range(2)) if one}
    assert found == {"died", "failed"}


def test_clock_that_goes_ahead_repeats_work_and_keeps_one_outcome(any_world: World, study: int, clock: Clock) -> None:
    _add(any_world, "analyse", study)
    first = claim(any_world.database, "w1", ["analyse"], LEASE_S)
    clock.now += 365 * 86_400
    assert first is not None
    assert renew(any_world.database, first, LEASE_S), "the worker lives, nobody took the job"
    assert claim(any_world.database, "w2", ["analyse"], LEASE_S) is None
    with any_world.database.write() as session:
        finish(session, first)


def _work(settings: Settings, name: str, start: threading.Barrier) -> list[int]:
    database = open_database(settings)
    start.wait()
    done = []
    while claimed := claim(database, name, ["send"], LEASE_S):
        with database.write() as session:
            finish(session, claimed)
        done.append(claimed.id)
    database.close()
    return done


def test_many_workers_do_every_job_once(any_world: World, study: int) -> None:
    with any_world.database.write() as session:
        for number in range(60):
            enqueue(session, "send", study, 1, f"peer{number}")
    done: list[list[int]] = []
    start = threading.Barrier(4)
    threads = [
        threading.Thread(target=lambda n=n: done.append(_work(any_world.settings, f"w{n}", start)))  # type: ignore[misc]
        for n in range(4)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    counted = Counter(number for of_one in done for number in of_one)
    assert len(counted) == 60
    assert set(counted.values()) == {1}
    assert set(_states(any_world)) == {"done"}


def test_unreachable_database_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.database.close()
    (world.settings.folder / "ichscan.sqlite3").rename(world.settings.folder / "gone")
    with pytest.raises(DatabaseError):
        claim(world.database, "w", ["send"], LEASE_S)


@pytest.fixture(autouse=True)
def _no_leftover_threads() -> Iterator[None]:
    before = threading.active_count()
    yield
    assert threading.active_count() == before
