"""The whole service under load: what arrives, how much memory it takes, and when results are there."""

import json
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.receive_studies import SLICES, send
from sqlalchemy import func, select

from ichscan.service.database import open_database
from ichscan.service.settings import Settings, read_settings
from ichscan.service.tables import Instance, Result, Study

QUIET_S = 3.0
PATIENCE_S = 3600.0


def measure_service(folder: Path, shares: list[Path], studies: int) -> dict[str, Any]:
    """Sends everything to `ichscan serve` and waits for all results."""
    from benchmarks.receive import free_port

    folder.mkdir()
    config = folder / "ichscan.toml"
    config.write_text(
        f"folder = {json.dumps(str(folder / 'data'))}\n[dicom]\nport = {free_port()}\n[web]\nport = {free_port()}\n"
        f"[analysis]\nquiet_s = {QUIET_S}\nworkers = 1\n[storage]\nfree_gb = 0.1\n",
        encoding="utf-8",
    )
    settings = read_settings(config)
    with (folder / "log.txt").open("wb") as log:
        command = [sys.executable, "-m", "ichscan", "serve", "--config", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
    memory = Memory(process.pid)
    try:
        wait_ready(settings, process)
        memory.start()
        begin = time.time()
        seconds = send(shares, settings.dicom.port, no_delay=True)
        wait_results(settings, studies)
        return {
            "images_per_s": round(studies * SLICES / seconds),
            "all_results_s": round(time.time() - begin),
            **_facts(settings, begin),
            "peak_mb": round(memory.stop()),
        }
    finally:
        memory.stop()
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _facts(settings: Settings, begin: float) -> dict[str, Any]:
    """What is held, and how long after its last image each study had its result."""
    database = open_database(settings)
    with database.read() as session:
        images = session.scalar(select(func.count(Instance.id)).where(Instance.made_here.is_(False)))
        rows = session.execute(
            select(Result.created - Study.last_received, Result.seconds)
            .join(Study, Study.id == Result.study_id)
            .where(Result.current)
        ).all()
        twice = session.scalar(select(func.count(Result.id)).where(Result.current.is_(False)))
        received = session.scalar(select(func.max(Study.last_received)))
    database.close()
    waits = sorted(float(row[0]) for row in rows)
    return {
        "images": images,
        "studies_with_result": len(rows),
        "analysed_twice": twice,
        "registered_s": round((received or begin) - begin, 1),
        "analysis_s": {"median": round(statistics.median(float(row[1]) for row in rows), 2)},
        "time_to_result_s": {
            "first": round(waits[0], 1), "median": round(statistics.median(waits), 1), "last": round(waits[-1], 1)
        },
    }  # fmt: skip


def wait_ready(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{settings.web.port}/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    raise SystemExit("the service did not start")


def wait_results(settings: Settings, studies: int) -> None:
    database = open_database(settings)
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        with database.read() as session:
            waiting = session.scalar(select(func.count(Study.id)).where(Study.analysed_generation < Study.generation))
            known = session.scalar(select(func.count(Study.id)))
        if known == studies and not waiting:
            database.close()
            return
        time.sleep(0.5)
    raise SystemExit("not all studies have results")


class Memory:
    """Memory of a process and all below it: shared pages are counted once (PSS)."""

    def __init__(self, process: int) -> None:
        self._process = process
        self._peak = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> float:
        """Peak in MB."""
        self._over.set()
        return self._peak

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            self._peak = max(self._peak, sum(map(_pss_mb, _family(self._process))))


def _family(process: int) -> list[int]:
    try:
        children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="ascii").split()
    except OSError:
        return []
    return [process, *(one for child in children for one in _family(int(child)))]


def _pss_mb(process: int) -> float:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:  # it ended meanwhile
        return 0.0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0) / 1024
