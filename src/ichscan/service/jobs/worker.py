"""The process that analyses: claims a study, runs the model, makes the result current."""

import logging
import shutil
import threading
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ichscan.errors import IchscanError, OutputError
from ichscan.service.database import Database
from ichscan.service.errors import DatabaseError, LostError
from ichscan.service.events import publish
from ichscan.service.imagery import cache_folder
from ichscan.service.jobs.inputs import image_paths
from ichscan.service.jobs.lease import LEASE_S, Lease
from ichscan.service.jobs.queue import Claimed, claim, fail, release
from ichscan.service.settings import Settings
from ichscan.service.tables import ANALYSING, WAITING, Study
from ichscan.service.worklist import priority_of

if TYPE_CHECKING:
    from ichscan.model.bundle import Bundle

LOG: Final = logging.getLogger(__name__)
IDLE_S: Final = 0.2
RETRY_S: Final = 5.0
"""Before the first repetition of an analysis that failed; doubles each time."""
PATIENCE: Final = 1000
"""Attempts while results cannot be written: six weeks, since the pauses grow to an hour."""
DOWN_S: Final = 2.0
"""Before the database is tried again."""


class Worker:
    """One at a time; as many processes as `analysis.workers` says."""

    def __init__(self, settings: Settings, database: Database, bundle: "Bundle", name: str) -> None:
        self._settings = settings
        self._database = database
        self._bundle = bundle
        self._name = name

    def run(self, stop: threading.Event) -> None:
        """Analyses until told to stop; an analysis that has begun is finished."""
        owes = False
        while not stop.is_set():
            try:
                if owes:
                    release(self._database, self._name)
                    owes = False
                if not self.run_once():
                    stop.wait(IDLE_S)
            except DatabaseError as error:
                LOG.warning("%s", error)
                owes = True
                stop.wait(DOWN_S)

    def run_once(self) -> bool:
        """Does one job; False when there was none.

        Raises:
            DatabaseError: the database does not answer; what was claimed is to be released.
        """
        analysis = self._settings.analysis
        claimed = claim(self._database, self._name, ("analyse",), LEASE_S, analysis.attempts)
        if claimed is None:
            return False
        LOG.info("study %d, generation %d: analysis %d begins", claimed.study_id, claimed.generation, claimed.attempt)
        made = self._settings.folder / "results" / f"tmp-{self._name}"
        try:
            with Lease(self._database, claimed, analysis.timeout_s, RETRY_S, analysis.attempts):
                self._analyse(claimed, made)
        except LostError as error:
            LOG.warning("%s", error)
        except DatabaseError:
            raise
        except OutputError as error:  # the disk is full: that is no fault of the study, and passes
            self._failed(claimed, str(error), PATIENCE)
        except IchscanError as error:
            self._failed(claimed, str(error), analysis.attempts)
        except Exception as error:  # whatever a hostile file does to a library ends its study, not the service
            LOG.exception("study %d: analysis failed", claimed.study_id)
            self._failed(claimed, _where(error), analysis.attempts)
        finally:
            shutil.rmtree(made, ignore_errors=True)  # what is left would only be written over by the next one
        return True

    def _analyse(self, claimed: Claimed, made: Path) -> None:
        from ichscan.service.jobs.analyse import analyse
        from ichscan.service.jobs.outcome import commit, described, outdated

        settings = self._settings
        with self._database.write() as session:
            study = session.get_one(Study, claimed.study_id)
            if study.generation != claimed.generation:
                outdated(session, claimed)
                return
            study.status = ANALYSING
            publish(session, "study", study.id, ANALYSING)
            paths = image_paths(session, settings.folder, study.id)
        shutil.rmtree(made, ignore_errors=True)
        cache = cache_folder(settings.folder, claimed.study_id, claimed.generation)
        analysis = analyse(paths, self._bundle, settings.send.exports, made, cache)
        for problem in analysis.problems:
            LOG.warning("study %d: %s", claimed.study_id, problem)
        objects = described(made, analysis.dicom)
        with self._database.write() as session:
            kept = commit(session, settings, claimed, analysis, objects, self._bundle.identity)
        if kept:
            _forget_older(cache)
        said = f"{analysis.seconds:.1f} s" if kept else "outdated by newer images"
        LOG.info("study %d, generation %d: analysed, %s", claimed.study_id, claimed.generation, said)

    def _failed(self, claimed: Claimed, error: str, attempts: int) -> None:
        """Queues the study again, or sets it aside."""
        aside = fail(self._database, claimed, error, RETRY_S, attempts)
        LOG.error("study %d: analysis failed%s: %s", claimed.study_id, ", set aside" if aside else "", error)
        if not aside:
            with self._database.write() as session:
                study = session.get_one(Study, claimed.study_id)
                if study.status == ANALYSING and study.generation == claimed.generation:
                    study.status, study.reason = WAITING, error
                    study.priority = priority_of(study)
                    publish(session, "study", study.id, WAITING)


def _forget_older(cache: Path) -> None:
    """Decoded slices of earlier states of the study; a browser that still shows one has them decoded again."""
    for other in cache.parent.glob("*"):  # nothing is there when nothing was analysed
        if other != cache:
            shutil.rmtree(other, ignore_errors=True)


def _where(error: Exception) -> str:
    """Kind of an error and the line that raised it. Not its text: libraries quote values, which may identify."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"unexpected {type(error).__name__}{place}; see the log of the worker"


def clean_up(settings: Settings, name: str) -> None:
    """Removes what a worker left that died, and what any left that died long ago."""
    results = settings.folder / "results"
    old = time.time() - max(3600.0, 3 * settings.analysis.timeout_s)
    for left in results.glob("tmp-*"):
        if left.name == f"tmp-{name}" or left.stat().st_mtime < old:
            shutil.rmtree(left, ignore_errors=True)
