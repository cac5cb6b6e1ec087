import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select, update
from tests.dicom_builders import STUDY, head_series
from tests.service.core.world import World

from ichscan.service import retention
from ichscan.service.jobs.queue import enqueue
from ichscan.service.register import Registrar
from ichscan.service.retention import DAY_S, STEADY_S, Retention
from ichscan.service.settings import Settings
from ichscan.service.tables import Audit, Event, Instance, Job, Refusal, Series, Study


class Clocks:
    def __init__(self) -> None:
        self.wall_now = time.time()
        self.steady_now = 100.0

    def wall(self) -> float:
        return self.wall_now

    def steady(self) -> float:
        return self.steady_now

    def go(self, seconds: float) -> None:
        self.wall_now += seconds
        self.steady_now += seconds


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def _analysed(world: World, status: str = "analysed") -> None:
    with world.database.write() as session:
        session.execute(update(Study).values(status=status, due=None, suspected=True, probability=0.9))


def _old(world: World, clocks: Clocks, days: float = 31.0) -> Retention:
    """A retention that has seen a steady clock for long, of a world with an analysed study of so many days ago."""
    world.receive(head_series(3))
    _analysed(world)
    made = Retention(world.settings, world.database, clocks.wall, clocks.steady)
    clocks.go(days * DAY_S)
    return made


def test_images_received_long_ago_are_deleted_and_the_study_stays(any_world: World, clocks: Clocks) -> None:
    kept = _old(any_world, clocks)
    cache = any_world.settings.folder / "cache" / "1" / "1"
    cache.mkdir(parents=True)
    (cache / "0.zip").write_bytes(b"x")
    assert kept.run_once() == 1
    study = any_world.study()
    assert (study.images, study.images_deleted, study.probability) == (0, clocks.wall_now, 0.9)
    assert any_world.rows(Instance) == []
    assert not list((any_world.settings.folder / "images").glob("*/*/*"))
    assert not cache.exists()
    assert any_world.rows(Audit)[-1].detail == "3 images"
    assert any_world.rows(Event)[-1].text == "images deleted"
    assert kept.run_once() == 0
    assert Registrar(any_world.settings, any_world.database).run_once() == 0


def test_pictures_go_with_the_images_and_findings_stay(world: World, clocks: Clocks) -> None:
    kept = _old(world, clocks)
    folder = world.settings.folder / "results" / "1" / "1"
    (folder / "1.2-dicom").mkdir(parents=True)
    for name in ("1.2-dicom/x.dcm", "1.2.html", "1.2.png", "1.2.json", "1.2.txt", "1.2.fhir.json"):
        (folder / name).write_bytes(b"x")
    with world.database.write() as session:
        series = session.scalars(select(Series)).one()
        made = Instance(
            series_id=series.id, sop_instance_uid="1.9", sop_class_uid="1.1", transfer_syntax_uid="1.2", size=1,
            sha256="0", path="results/1/1/1.2-dicom/x.dcm", received=1.0, made_here=True,
        )  # fmt: skip
        session.add(made)
    assert kept.run_once() == 1
    assert world.rows(Instance) == []
    assert sorted(path.name for path in folder.iterdir()) == ["1.2.fhir.json", "1.2.json", "1.2.txt"]
    assert world.rows(Audit)[-1].detail == "3 images"
    assert kept.run_once() == 0


@pytest.mark.parametrize("days", [1.0, 29.5])
def test_younger_images_stay(world: World, clocks: Clocks, days: float) -> None:
    assert _old(world, clocks, days).run_once() == 0
    world.check()


def test_zero_days_is_never(world: World, clocks: Clocks) -> None:
    _old(world, clocks)
    kept = Retention(world.storage(keep_days=0.0), world.database, clocks.wall, clocks.steady)
    clocks.go(10_000 * DAY_S)
    assert kept.run_once() == 0
    world.check()


@pytest.mark.parametrize("status", ["receiving", "waiting", "analysing"])
def test_images_that_are_still_needed_stay(world: World, clocks: Clocks, status: str) -> None:
    kept = _old(world, clocks)
    _analysed(world, status)
    assert kept.run_once() == 0


@pytest.mark.parametrize("kind", ["analyse", "send", "hook"])
def test_images_that_a_job_needs_stay(world: World, clocks: Clocks, kind: str) -> None:
    kept = _old(world, clocks)
    with world.database.write() as session:
        enqueue(session, kind, 1, 7)
    assert kept.run_once() == 0
    with world.database.write() as session:
        session.execute(update(Job).values(state="done"))
    assert kept.run_once() == 1


def test_clock_that_jumps_ahead_deletes_nothing(world: World, clocks: Clocks) -> None:
    world.receive(head_series(2))
    _analysed(world)
    kept = Retention(world.settings, world.database, clocks.wall, clocks.steady)
    clocks.go(2 * STEADY_S)
    assert kept.run_once() == 0
    clocks.wall_now += 365 * DAY_S
    for _ in range(50):
        assert kept.run_once() == 0
        clocks.go(60)
    clocks.wall_now -= 365 * DAY_S
    for _ in range(100):
        assert kept.run_once() == 0
        clocks.go(60)
    world.check()


def test_nothing_is_deleted_soon_after_a_start(world: World, clocks: Clocks) -> None:
    """The clock may be wrong since the boot."""
    world.receive(head_series(2))
    _analysed(world)
    clocks.wall_now += 365 * DAY_S
    kept = Retention(world.settings, world.database, clocks.wall, clocks.steady)
    for _ in range(59):
        assert kept.run_once() == 0
        clocks.go(60)
    clocks.go(60)
    assert kept.run_once() == 1


@pytest.mark.parametrize("step", ["delete", "delete_folder"])
def test_kill_while_images_are_deleted_is_repeated(
    world: World, clocks: Clocks, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    kept = _old(world, clocks)
    real: Callable[[Path], None] = getattr(retention.disk, step)
    done: list[Path] = []

    def killed(path: Path) -> None:
        real(path)
        done.append(path)
        if len(done) == 2 or step == "delete_folder":
            raise KeyboardInterrupt

    with monkeypatch.context() as during:
        during.setattr(retention.disk, step, killed)
        with pytest.raises(KeyboardInterrupt):
            kept.run_once()
    assert len(world.rows(Instance)) == 3
    assert Registrar(world.settings, world.database).run_once() == 0
    after = Retention(world.settings, world.database, clocks.wall, clocks.steady)
    clocks.go(STEADY_S)
    assert after.run_once() == 1
    assert world.rows(Instance) == []
    assert not list((world.settings.folder / "images").glob("*/*/*"))


def test_study_that_comes_again_is_analysed_again(world: World, clocks: Clocks) -> None:
    _old(world, clocks).run_once()
    world.receive(head_series(3), end=STUDY)
    study = world.study()
    assert (study.images, study.images_deleted, study.generation, study.status) == (3, None, 2, "receiving")
    world.check()


def test_files_set_aside_go_too(world: World, clocks: Clocks) -> None:
    world.receive([b"no dicom"])
    (refusal,) = world.rows(Refusal)
    kept = _old(world, clocks)
    kept.run_once()
    assert world.rows(Refusal) == []
    assert not (world.settings.folder / refusal.path).exists()


def test_notes_of_hostile_callers_do_not_fill_the_tables(
    world: World, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "EVENTS_KEPT", 10)
    monkeypatch.setattr(retention, "REFUSALS_KEPT", 10)
    with world.database.write() as session:
        session.add_all(Refusal(time=clocks.wall_now, source="1.2.3.4", reason="unknown AE") for _ in range(50))
        session.add_all(Event(time=clocks.wall_now - 2 * DAY_S, kind="study") for _ in range(50))
    kept = Retention(world.settings, world.database, clocks.wall, clocks.steady)
    clocks.go(STEADY_S)
    kept.run_once()
    assert [one.id for one in world.rows(Refusal)] == list(range(41, 51))
    assert [one.id for one in world.rows(Event)] == list(range(41, 51))


def test_file_that_cannot_be_deleted_is_said_and_tried_again(
    world: World, clocks: Clocks, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ichscan.errors import OutputError

    kept = _old(world, clocks)

    def refuse(path: Path, missing_ok: bool = False) -> None:
        raise PermissionError(13, os.strerror(13))

    with monkeypatch.context() as broken:
        broken.setattr(Path, "unlink", refuse)
        with pytest.raises(OutputError, match="cannot be deleted"):
            kept.run_once()
    assert kept.run_once() == 1


def test_settings_have_these_defaults() -> None:
    storage = Settings().storage
    assert (storage.keep_days, storage.free_gb, storage.durable) == (30.0, 2.0, False)
