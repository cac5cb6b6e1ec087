import itertools
import threading
import time
from collections.abc import Callable

import pytest
from tests.dicom_builders import STUDY, head_series
from tests.service.core.world import World

from ichscan.errors import UsageError
from ichscan.service import keeper
from ichscan.service.database import Database
from ichscan.service.errors import DatabaseError
from ichscan.service.keeper import keep
from ichscan.service.recover import exclusive
from ichscan.service.settings import AnalysisSettings
from ichscan.service.tables import Job, Study

FAST = AnalysisSettings(quiet_s=0.2, settle_s=0.05)


@pytest.fixture
def quick(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    world.settings = type(world.settings)(folder=world.settings.folder, analysis=FAST, storage=world.settings.storage)
    monkeypatch.setattr(keeper, "LOOK_S", 0.01)
    monkeypatch.setattr(keeper, "DUE_S", 0.02)
    return world


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


def _queued(world: World) -> bool:
    """All is registered, in one generation or more, and the newest one is queued."""
    studies = [(one.images, one.generation) for one in world.rows(Study)]
    return studies == [(3, generation) for generation in {one.generation for one in world.rows(Job)[-1:]}] != []


def test_from_the_door_to_the_queue(quick: World) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=keep, args=(quick.settings, quick.database, stop))
    thread.start()
    try:
        quick.send(head_series(3), end=STUDY)
        _until(lambda: _queued(quick))
        with pytest.raises(UsageError, match="another ichscan"):
            keep(quick.settings, quick.database, threading.Event())
    finally:
        stop.set()
        thread.join(timeout=10)
    assert not thread.is_alive()
    quick.check()
    with exclusive(quick.settings):
        pass


def test_lost_database_and_full_disk_are_waited_for(
    quick: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop, tries = threading.Event(), []
    once = keeper._Rounds.once

    def fail_twice(self: keeper._Rounds) -> int:
        tries.append(time.monotonic())
        if len(tries) <= 2:
            raise DatabaseError("database: gone")
        stop.set()
        return once(self)

    monkeypatch.setattr(keeper._Rounds, "once", fail_twice)
    quick.send(head_series(1))
    keep(quick.settings, quick.database, stop)
    first, second = (b - a for a, b in itertools.pairwise(tries))
    assert 0.5 <= first < second
    assert second >= 1.0
    assert "images wait in the spool" in caplog.text
    assert quick.study().images == 1


def test_database_of_another_version_ends_the_process(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: keeper._Rounds) -> int:
        raise DatabaseError("database: newer", permanent=True)

    monkeypatch.setattr(keeper._Rounds, "once", refuse)
    with pytest.raises(DatabaseError, match="newer"):
        keep(quick.settings, quick.database, threading.Event())


def test_retention_has_its_turn(quick: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, turns = threading.Event(), []

    class Turns:
        def __init__(self, settings: object, database: Database) -> None: ...

        def run_once(self) -> int:
            turns.append(time.monotonic())
            if len(turns) == 3:
                stop.set()
            return 0

    monkeypatch.setattr(keeper, "Retention", Turns)
    monkeypatch.setattr(keeper, "RETENTION_S", 0.02)
    keep(quick.settings, quick.database, stop)
    assert len(turns) == 3
