"""Real processes, killed with SIGKILL at any moment, clocks that are wrong by days, a database that is killed too."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select
from tests.service.core.postgres import Postgres
from tests.service.core.world import World, data_set_sha256
from tests.service.core.zygote import ACCEPTED, settings_of

from ichscan.service.database import open_database
from ichscan.service.spool import entries
from ichscan.service.tables import Instance, Job, Refusal, Result, Study

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


class Processes:
    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.database = folder, database
        self.log = folder.parent / "processes.log"
        with self.log.open("wb") as log:
            self.zygote = subprocess.Popen(
                [sys.executable, "-m", "tests.service.core.zygote"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                cwd=Path(__file__).parents[3],
            )  # fmt: skip
        self.alive: dict[str, int] = {}
        self.started = 0

    def start(self, role: str, place: str, clock: float = 0.0) -> None:
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.started += 1
        told = {
            "role": role, "folder": str(self.folder), "database": self.database, "clock": clock,
            "name": f"{self.started:x}",
        }  # fmt: skip
        self.zygote.stdin.write(json.dumps(told) + "\n")
        self.zygote.stdin.flush()
        self.alive[place] = int(self.zygote.stdout.readline())

    def kill(self, place: str) -> None:
        process = self.alive.pop(place)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
        for _ in range(500):  # until the kernel has taken its locks
            try:
                os.kill(process, 0)
            except ProcessLookupError:
                return
            time.sleep(0.002)

    def close(self) -> None:
        for place in list(self.alive):
            self.kill(place)
        assert self.zygote.stdin is not None
        assert self.zygote.stdout is not None
        self.zygote.stdin.close()
        self.zygote.wait(timeout=10)
        self.zygote.stdout.close()


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], Processes]]:
    made: list[Processes] = []

    def start(database: str) -> Processes:
        folder = tmp_path / "service"
        open_database(settings_of(folder, database)).close()
        made.append(Processes(folder, database))
        return made[-1]

    yield start
    for one in made:
        one.close()


ROUNDS = 30
ROLES = {"door1": "door", "door2": "door", "keeper": "keeper", "worker1": "worker", "worker2": "worker"}


def _settle(processes: Processes) -> None:
    """Without more kills and with the right time, everything that was accepted is dealt with."""
    for place in list(processes.alive):
        processes.kill(place)
    processes.start("keeper", "keeper")
    processes.start("worker", "worker1")
    database = open_database(settings_of(processes.folder, processes.database))
    open_jobs = select(func.count()).where(Job.state.in_(("queued", "running")))
    open_studies = select(func.count()).where(Study.due.is_not(None))
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with database.read() as session:
            left = (session.scalar(open_jobs) or 0) + (session.scalar(open_studies) or 0)
        if not left and not [one for one in entries(processes.folder) if not one.path.name.endswith(".part")]:
            break
        time.sleep(0.1)
    database.close()
    processes.close()


def _check(processes: Processes) -> int:
    folder = processes.folder
    with World(folder, database=processes.database) as world:
        accepted = set((folder / ACCEPTED).read_text().split())
        rows = {one.sop_instance_uid: one for one in world.rows(Instance)}
        assert accepted - rows.keys() == set(), "accepted and lost"
        for row in rows.values():
            assert data_set_sha256((folder / row.path).read_bytes()) == row.sha256
        assert len({row.path for row in rows.values()}) == len(rows) == len(world.rows(Instance))
        assert world.rows(Refusal) == []
        assert entries(folder) == []
        world.check()
        assert {job.state for job in world.rows(Job)} <= {"done", "outdated"}
        current = {one.study_id: one for one in world.rows(Result) if one.current}
        assert len(current) == len([one for one in world.rows(Result) if one.current])
        for study in world.rows(Study):
            assert study.status == "analysed"
            assert study.analysed_generation == study.generation == current[study.id].generation
            assert current[study.id].content == [study.images], "the result is of all images"
        return len(accepted)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_kill_anything_at_any_moment(run: Callable[[str], Processes], database_url: str, seed: int) -> None:
    processes = run(database_url)
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        for place, role in ROLES.items():
            if place not in processes.alive:
                # Half of the processes believe to live on another day.
                clock = chance.choice([0.0, 0.0, 86_400.0, -86_400.0, 2.0, -2.0])
                processes.start(role, place, clock)
        time.sleep(chance.uniform(0.005, 0.1))
        processes.kill(chance.choice(list(ROLES)))
    _settle(processes)
    assert _check(processes) > 30


def test_database_that_is_killed_and_comes_back(run: Callable[[str], Processes], postgres: Postgres) -> None:
    processes = run(postgres.new_database())
    for place, role in ROLES.items():
        processes.start(role, place)
    for _ in range(2):
        time.sleep(0.3)
        postgres.kill()
        before = len((processes.folder / ACCEPTED).read_text().split())
        time.sleep(0.3)
        assert len((processes.folder / ACCEPTED).read_text().split()) > before, "doors need no database"
        postgres.start()
    time.sleep(0.3)
    _settle(processes)
    assert _check(processes) > 30


def test_disk_that_fills_up_and_is_emptied(run: Callable[[str], Processes], tmp_path: Path) -> None:
    """Spool, images and SQLite on a disk that is full: nothing accepted is lost, work goes on when there is room."""
    folder = tmp_path / "service"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        processes = run("")
        filler = folder / "filler"
        for place in ("keeper", "worker1", "door1"):
            processes.start(ROLES[place], place)
        time.sleep(0.5)
        filler.write_bytes(b"x" * 100)
        with contextlib.suppress(OSError), filler.open("ab") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        time.sleep(1.0)
        for place in ("keeper", "worker1"):
            processes.kill(place)
            processes.start(ROLES[place], place)
        time.sleep(0.3)
        assert "FullError" in processes.log.read_text(), "the door was told"
        filler.unlink()
        _settle(processes)
        assert _check(processes) > 10
    finally:
        subprocess.run(["umount", "-l", folder], check=True)
