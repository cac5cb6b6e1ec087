"""Kills, full disks and changed sources: nothing lost, nothing twice."""

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from tests.datasets.rsna_builder import as_folder, as_zip, collection

from ichscan.datasets import journal
from ichscan.datasets.collection import Batch, Labelled, Plan, Problem, SliceRead
from ichscan.datasets.engine import Progress, import_collection
from ichscan.datasets.rsna import Rsna
from ichscan.datasets.store import open_store
from ichscan.datasets.verify import verify
from ichscan.errors import DataError, OutputError

SCRIPT = """\
import sys, time
from pathlib import Path
from ichscan.datasets.engine import import_collection
from ichscan.datasets.rsna import Rsna

class Slow(Rsna):
    def read(self, batch):
        for one in super().read(batch):
            time.sleep(0.03)
            yield one

if __name__ == "__main__":
    import_collection(Slow(Path(sys.argv[1]), per_batch=3), Path(sys.argv[2]), workers=2)
"""


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(condition: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux's /proc to find the workers")
def test_an_import_killed_again_and_again_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    source = as_zip(collection(series=4, count=8, test=4), tmp_path / "a.zip")
    script = tmp_path / "slow.py"
    script.write_text(SCRIPT)
    store = tmp_path / "store"
    command = [sys.executable, str(script), str(source), str(store)]
    finished = 0
    for _ in range(2):
        process = subprocess.Popen(command)
        wait_until(lambda before=finished: len(list(store.glob("parts/*.parquet"))) > before)
        workers = children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        wait_until(lambda pids=workers: not any(alive(pid) for pid in pids))
        finished = len(list(store.glob("parts/*.parquet")))
        assert not (store / "manifest.json").exists()
        with pytest.raises(DataError, match="command again"):
            open_store(store)
    assert 1 < finished < 12
    seen: list[Progress] = []
    import_collection(Rsna(source, per_batch=3), store, workers=1, progress=seen.append)
    assert (seen[-1].done, seen[-1].total) == (36, 36)
    assert seen[-1].resumed >= 3 * finished - 3
    whole = import_collection(Rsna(source, per_batch=3), tmp_path / "whole", workers=1)
    assert open_store(store).digest == open_store(whole).digest
    assert open_store(store).manifest["problems"] == {}
    assert not verify(store).faults
    assert sorted(p.name for p in store.iterdir()) == sorted(p.name for p in whole.iterdir())
    assert not list(store.rglob("*.tmp"))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@dataclass(frozen=True)
class Deadly:
    """Four slices in two batches; the first batch kills its process, once or always."""

    marker: Path
    always: bool
    kind: str = "own"

    def plan(self) -> Plan:
        return Plan([Batch((n,), 2) for n in range(2)], 2, 4, {})

    def read(self, batch: Batch) -> Iterator[SliceRead | Problem]:
        if batch.items[0] == 0 and (self.always or not self.marker.exists()):
            self.marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        for n in range(2):
            name = f"{batch.items[0]}{n}"
            row = dict.fromkeys(("study_uid", "series_uid", "patient_id"), "p") | {"slice_id": name, "source": name}
            yield SliceRead({**row, "position_mm": float(name), "rows": 8, "cols": 8}, np.full((8, 8), n, np.int16))

    def label(self, table: object) -> Labelled:
        return Labelled()


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    store = open_store(import_collection(Deadly(tmp_path / "marker", False), tmp_path / "s", workers=2))
    assert store.table["slice_id"].to_pylist() == ["00", "01", "10", "11"]
    assert not list(store.path.rglob("*.tmp"))


def test_workers_that_always_die_are_an_error_that_keeps_what_is_done(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="fewer --workers"):
        import_collection(Deadly(tmp_path / "marker", True), tmp_path / "s", workers=2)
    done = open_store(import_collection(Deadly(tmp_path / "marker", False), tmp_path / "s", workers=1))
    assert len(done) == 4


def test_a_full_disk_is_an_error_that_keeps_what_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = as_folder(collection(), tmp_path / "a")
    count = 0

    def full(handle: int) -> None:
        nonlocal count
        count += 1
        if count > 5:
            raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", full)
        with pytest.raises(OutputError, match="free some space"):
            import_collection(Rsna(source, per_batch=4), tmp_path / "s", workers=1)
    assert len(list((tmp_path / "s" / "parts").glob("*.parquet"))) == 2
    assert not list((tmp_path / "s").rglob("*.tmp"))
    store = import_collection(Rsna(source, per_batch=4), tmp_path / "s", workers=1)
    assert len(open_store(store)) == 17


def test_a_source_that_changed_is_refused_with_the_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = as_folder(collection(), tmp_path / "a")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ichscan.datasets.engine.assemble", killed)
        with pytest.raises(KeyboardInterrupt):
            import_collection(Rsna(source), tmp_path / "s", workers=1)
    next((source / "stage_2_train").glob("*.dcm")).unlink()
    with pytest.raises(DataError, match="files: was 17, is 16"):
        import_collection(Rsna(source), tmp_path / "s", workers=1)


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "thesis.doc").touch()
    with pytest.raises(DataError, match=r"found thesis\.doc"):
        import_collection(Rsna(as_folder(collection(), tmp_path / "a")), tmp_path / "s", workers=1)


def test_two_imports_into_one_folder_do_not_mix(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl")
    (tmp_path / "s").mkdir()
    with (tmp_path / "s" / "import.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="another import"):
            import_collection(Rsna(as_folder(collection(), tmp_path / "a")), tmp_path / "s", workers=1)
