"""Starts real processes quickly: imports once, forks one per line that it is told, so that a test can kill many.

Roles: "door" accepts images as fast as it can and notes each in a file after it was accepted; "keeper" is the
registrar's process; "worker" claims analyses and writes results as the real one does, without a model.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import func, select, update
from tests.dicom_builders import slice_dataset, to_bytes

from ichscan.service.database import open_database
from ichscan.service.errors import DatabaseError, LostError
from ichscan.service.jobs.queue import claim, finish
from ichscan.service.keeper import keep
from ichscan.service.settings import AnalysisSettings, Settings, StorageSettings
from ichscan.service.spool import Spool
from ichscan.service.tables import ANALYSED, Instance, Result, Series, Study

ACCEPTED = "accepted.txt"
LEASE_S = 1.0
ANALYSIS = AnalysisSettings(quiet_s=0.3, settle_s=0.1)


def settings_of(folder: Path, database: str) -> Settings:
    storage = StorageSettings(free_gb=0.0)
    return replace(Settings(), folder=folder, database=database, analysis=ANALYSIS, storage=storage)


def door(settings: Settings, name: str) -> None:
    """Sends studies of six slices, some slices twice, in pieces, until killed."""
    spool = Spool(settings)
    chance = random.Random(name)
    notes = os.open(settings.folder / ACCEPTED, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    for number in range(10_000):
        study = f"1.2.{int(name, 16)}.{number}"
        slices = [*range(6), chance.randrange(6)]
        chance.shuffle(slices)
        for index in slices:
            uid = f"{study}.1.{index}"
            dataset = slice_dataset(index, StudyInstanceUID=study, SeriesInstanceUID=f"{study}.1", SOPInstanceUID=uid)
            spool.accept(_pieces(to_bytes(dataset)), "dimse:DOOR")
            os.write(notes, f"{uid}\n".encode())
        spool.finished([study], "dimse:DOOR")


def _pieces(data: bytes) -> Iterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]
        time.sleep(0.0005)


def keeper(settings: Settings, name: str) -> None:
    keep(settings, _patient_open(settings), threading.Event())


def _patient_open(settings: Settings) -> Any:
    while True:
        try:
            return open_database(settings)
        except DatabaseError:
            time.sleep(0.1)


def worker(settings: Settings, name: str) -> None:
    database = _patient_open(settings)
    while True:
        try:
            if not _analyse(database, name):
                time.sleep(0.02)
        except LostError:
            continue
        except DatabaseError:
            time.sleep(0.1)


def _analyse(database: Any, name: str) -> bool:
    claimed = claim(database, name, ["analyse"], LEASE_S, attempts=1000)
    if claimed is None:
        return False
    with database.read() as session:
        generation = session.get_one(Study, claimed.study_id).generation
        images = select(func.count()).select_from(Instance).join(Series).where(Series.study_id == claimed.study_id)
        count = session.scalar(images)
    time.sleep(0.02)
    with database.write() as session:
        finish(session, claimed)
        study = session.get_one(Study, claimed.study_id)
        if study.generation != claimed.generation or generation != claimed.generation:
            return True  # images came meanwhile: another job will come
        session.execute(update(Result).where(Result.study_id == study.id).values(current=False))
        session.add(
            Result(
                study_id=study.id,
                generation=claimed.generation,
                created=time.time(),
                seconds=0.0,
                content=[count],
                folder="",
            )
        )
        study.status, study.analysed_generation = ANALYSED, claimed.generation
    return True


def _set_clock(offset: float) -> None:
    """This process's clock is wrong by so many seconds."""
    real = time.time
    time.time = lambda: real() + offset  # type: ignore[assignment]


ROLES = {"door": door, "keeper": keeper, "worker": worker}


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the dead
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if child:
            sys.stdout.write(f"{child}\n")
            sys.stdout.flush()
            continue
        try:
            _set_clock(told["clock"])
            ROLES[told["role"]](settings_of(Path(told["folder"]), told["database"]), told["name"])
        except BaseException as error:  # of a forked process: it must never go on with the loop above
            sys.stderr.write(f"{told['role']}: {error!r}\n")
            sys.stderr.flush()
        finally:
            os._exit(1)


if __name__ == "__main__":
    main()
