"""Local workers: every task once, those of a dead worker again; the one that kills is named, the others go on."""

import itertools
import sys
from pathlib import Path

import pytest
from tests.scale.jobs import Square

from ichscan.errors import MissingExtraError, UsageError
from ichscan.scale.executor import AHEAD, Done, Lost
from ichscan.scale.processes import Processes
from ichscan.scale.start import start_executor


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_comes_back_once(workers: int, tmp_path: Path) -> None:
    found = list(Processes(workers).run(Square(tmp_path), range(9)))
    assert all(isinstance(one, Done) for one in found)
    assert sorted((one.task, one.result) for one in found) == [(n, n * n) for n in range(9)]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_the_job_raises_ends_the_run(workers: int, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space left") as caught:
        list(Processes(workers).run(Square(tmp_path, raises=(2,)), range(4)))
    assert caught.value.errno == 28


def test_tasks_are_taken_as_workers_become_free(tmp_path: Path) -> None:
    taken = []

    def endless():
        for number in itertools.count():
            taken.append(number)
            yield number

    run = Processes(2).run(Square(tmp_path), endless())
    assert isinstance(next(run), Done)
    run.close()
    assert len(taken) == 2 * AHEAD


def test_a_dead_workers_tasks_are_done_again(tmp_path: Path) -> None:
    found = list(Processes(2).run(Square(tmp_path, kills=(1, 4)), range(6)))
    assert sorted((one.task, one.result) for one in found) == [(n, n * n) for n in range(6)]


def test_one_task_that_always_kills_is_lost_and_the_others_are_not(tmp_path: Path) -> None:
    found = list(Processes(2).run(Square(tmp_path, kills=(1,), always=True), range(6)))
    assert sorted(one.task for one in found if isinstance(one, Done)) == [0, 2, 3, 4, 5]
    (lost,) = (one for one in found if isinstance(one, Lost))
    assert lost.task == 1
    assert "3 worker processes" in lost.reason


def test_fewer_than_one_worker_is_refused() -> None:
    with pytest.raises(UsageError, match="--workers: expected 1 or more, found 0"), start_executor(None, 0):
        pass
    with pytest.raises(UsageError, match="leave it out"), start_executor("auto", 2):
        pass


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ichscan\[scale\]'"), start_executor("auto"):
        pass
