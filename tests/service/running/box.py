"""`ichscan serve` as a process of its own, on free ports, and what a test asks it."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from tests.network import until

from ichscan.service.database import Database, open_database
from ichscan.service.settings import Settings, read_settings
from ichscan.service.tables import Job, Result, Study

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Box:
    """A running service."""

    folder: Path
    settings: Settings
    process: subprocess.Popen[bytes]
    database: Database

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_text(encoding="utf-8")

    def studies(self) -> list[Study]:
        with self.database.read() as session:
            return list(session.scalars(select(Study).order_by(Study.id)))

    def results(self) -> list[Result]:
        with self.database.read() as session:
            return list(session.scalars(select(Result).order_by(Result.id)))

    def jobs(self, kind: str = "") -> list[Job]:
        with self.database.read() as session:
            return [job for job in session.scalars(select(Job).order_by(Job.id)) if kind in ("", job.kind)]

    def pid(self, label: str) -> int:
        """Of the process that was started last under this label."""
        lines = [line for line in self.log.splitlines() if f" {label}: started as process " in line]
        return int(lines[-1].rpartition(" ")[2])

    def kill(self, label: str) -> int:
        """Sends SIGKILL, and waits for the next one."""
        old = self.pid(label)
        os.kill(old, signal.SIGKILL)
        until(lambda: self.pid(label) != old, 15, f"a new {label}")
        return old

    def get(self, path: str, token: str = "") -> Any:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self.settings.web.port}{path}"
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=10) as answer:
            return json.load(answer)

    def stop(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=40)


def ichscan(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    """One command of ichscan."""
    command = [sys.executable, "-m", "ichscan", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, timeout=60)


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


def write_config(folder: Path, toml: str, *, dicom: int, web: int, model: Path | None = None) -> Path:
    """A settings file; `toml` goes on after the keys of [analysis]."""
    text = f"""folder = {json.dumps(str(folder / "data"))}
[storage]
free_gb = 0.1
[web]
port = {web}
[dicom]
port = {dicom}
{toml}"""
    if model is not None:
        text = text.replace("[analysis]\n", f"[analysis]\nmodel = {json.dumps(str(model))}\n")
    config = folder / "ichscan.toml"
    config.write_text(text, encoding="utf-8")
    return config


@contextmanager
def running(folder: Path, config: Path, *, ready_s: float = 60) -> Iterator[Box]:
    """Starts the service; ends it afterwards, and its processes with it."""
    with (folder / "log.txt").open("ab") as log:
        before = log.tell()
        command = [sys.executable, "-m", "ichscan", "serve", "--config", str(config)]
        process = subprocess.Popen(command, cwd=folder, env=environment(), stdout=log, stderr=log)
    box: Box | None = None
    try:
        _wait(folder, process, ready_s, before)
        settings = read_settings(config)
        box = Box(folder, settings, process, open_database(settings))
        yield box
    finally:
        if box is not None:
            box.database.close()
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(folder: Path, process: subprocess.Popen[bytes], seconds: float, before: int) -> None:
    deadline = time.monotonic() + seconds
    log = folder / "log.txt"
    while b"service.start: ready" not in log.read_bytes()[before:]:
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError(f"the service did not start: {log.read_text()[-4000:]}")
        time.sleep(0.1)
