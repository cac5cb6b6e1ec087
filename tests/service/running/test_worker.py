"""The worker: an analysis becomes the current result, or is repeated, or set aside with its reason."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
pytest.importorskip("sqlalchemy", reason="the extra `serve` is not installed")

from sqlalchemy import update
from tests.service.running.box import environment
from tests.service.running.held import Held
from tests.service.running.scans import study

from ichscan.dicom.unjudged import MISSING, SHORT
from ichscan.errors import InputError, OutputError
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.service.imagery import Imagery, cache_folder
from ichscan.service.jobs import worker as module
from ichscan.service.jobs.analyse import Analysis
from ichscan.service.jobs.due import analyse_again, queue_due
from ichscan.service.jobs.queue import claim
from ichscan.service.jobs.worker import Worker, clean_up
from ichscan.service.settings import AnalysisSettings, Hook, Peer, SendSettings, WebPeer
from ichscan.service.tables import ANALYSED, SET_ASIDE, WAITING, Event, Instance, Job, Result, Series, Study

AWAY = "http://127.0.0.1:9"
SEND = SendSettings(
    to=("archive", "web"),
    exports=("sr",),
    web_peers=(WebPeer("web", AWAY),),
    hooks=(Hook("pager", AWAY), Hook("all", AWAY, only_positive=False)),
)
ANALYSIS = AnalysisSettings(attempts=2)


@pytest.fixture(scope="module")
def bundle(fake_bundle: Path) -> Bundle:
    return load_bundle(fake_bundle, threads=1)


@pytest.fixture
def held(tmp_path: Path) -> Any:
    base = Held(tmp_path / "data", send=SEND, analysis=ANALYSIS)
    dicom = replace(base.settings.dicom, peers=(Peer("archive", "ARCHIVE", port=9), Peer("ct", "CT1", port=9)))
    base.settings = replace(base.settings, dicom=dicom)
    with base:
        yield base


def _worker(held: Held, bundle: Bundle) -> Worker:
    return Worker(held.settings, held.database, bundle, "worker-0-test")


def test_an_analysis_becomes_the_current_result(held: Held, bundle: Bundle) -> None:
    number = held.due()
    worker = _worker(held, bundle)
    assert worker.run_once()
    assert not worker.run_once()
    (told,), (result,) = held.rows(Study), held.rows(Result)
    assert (told.status, told.analysed_generation, told.reason) == (
        ANALYSED, told.generation, "The slices cover 30 mm, less than a whole head: the rest is not judged"
    )  # fmt: skip
    assert told.probability == result.content[0]["scan"]["any"]["probability"]
    assert told.states.keys() == result.content[0]["scan"].keys()
    assert result.current
    assert result.folder == f"results/{number}/{told.generation}"
    assert result.content[0]["slices"][0]["file"].endswith(".dcm")
    assert "/" not in result.content[0]["slices"][0]["file"]
    folder = held.settings.folder / result.folder
    assert {"imagery.json", f"{result.content[0]['series_instance_uid']}.html"} <= {p.name for p in folder.iterdir()}
    made = [one for one in held.rows(Instance) if one.made_here]
    assert made
    assert all((held.settings.folder / one.path).stat().st_size == one.size for one in made)
    assert {one.modality for one in held.rows(Series)} == {"CT", "SR"}
    assert [(job.kind, job.target) for job in held.rows(Job)] == [
        ("analyse", ""), ("send", "archive"), ("store", "web"), ("hook", "all"),
    ]  # fmt: skip
    assert "result" in [one.kind for one in held.rows(Event)]
    assert not list((held.settings.folder / "results").glob("tmp-*"))


def test_what_could_not_be_read_is_told_without_the_folders_of_this_machine(held: Held, bundle: Bundle) -> None:
    files = study(1, 24)
    files[3:5] = [file[:-100] for file in files[3:5]]
    held.receive(files)
    with held.database.write() as session:
        analyse_again(session, 1, time.time())
    assert _worker(held, bundle).run_once()
    told, (result,) = held.study(), held.rows(Result)
    assert (told.status, told.reason) == (ANALYSED, "2 images cannot be read and were not judged")
    assert any(one.startswith("Left out: ") for one in result.content[0]["warnings"])
    made = [path for path in (held.settings.folder / result.folder).rglob("*") if path.is_file()]
    assert {".dcm", ".txt", ".html", ".json"} <= {path.suffix for path in made}
    assert [path.name for path in made if str(held.settings.folder).encode() in path.read_bytes()] == []


def test_a_hole_counts_unless_another_series_shows_the_whole_head() -> None:
    short, hole = f"{SHORT}16 mm, less than a whole head: the rest is not judged.", f"{MISSING}1 place."
    one, other, whole = ({"status": "analysed", "warnings": [told, "Tilted."]} for told in (short, hole, "Lossy."))
    assert Analysis([one, other]).reason == f"{short[:-1]}; {hole[:-1]}"
    assert Analysis([one, other, whole]).reason == ""
    assert Analysis([whole], failed=["2.dcm: cannot be read"]).reason == "2.dcm: cannot be read"


def test_a_study_that_cannot_be_analysed_is_no_error(
    held: Held, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    held.due(Modality="MR")
    _worker(held, bundle).run_once()
    assert held.study().status == "not_analysable"
    assert [one.message for one in caplog.records if one.levelname == "ERROR"] == []


def test_later_images_make_a_new_current_result(held: Held, bundle: Bundle) -> None:
    worker = _worker(held, bundle)
    held.due(1, 6)
    worker.run_once()
    with held.database.write() as session:
        told = session.get_one(Study, 1)
        told.read_at, told.read_by = time.time(), "user"
    held.due(1, 8)
    worker.run_once()
    assert [one.current for one in held.rows(Result)] == [False, True]
    (told,) = held.rows(Study)
    assert (told.read_at, told.read_by) == (None, "")
    current = held.rows(Result)[1]
    assert [path.name for path in (held.settings.folder / "cache" / "1").iterdir()] == [str(current.generation)]
    assert all(one.path.startswith(current.folder) for one in held.rows(Instance) if one.made_here)


def test_results_that_came_from_elsewhere_are_replaced_by_the_same_made_here(held: Held, bundle: Bundle) -> None:
    number = held.due()
    worker = _worker(held, bundle)
    assert worker.run_once()
    with held.database.write() as session:  # as a PACS leaves them that sent them with their study
        session.execute(update(Instance).where(Instance.made_here.is_(True)).values(made_here=False))
        before = session.query(Instance).count()
        analyse_again(session, number, time.time())
    queue_due(held.database, held.settings, time.time() + 60)
    assert worker.run_once()
    with held.database.read() as session:
        assert session.get_one(Study, number).status == ANALYSED
        assert session.query(Instance).count() == before
        assert session.query(Instance).filter(Instance.made_here.is_(True)).count() > 0


def test_images_that_come_during_the_analysis_make_it_void(
    held: Held, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ichscan.service.jobs import analyse as real

    held.due(1, 6)
    analyse = real.analyse

    def slow(*words: Any) -> Any:
        found = analyse(*words)
        held.receive(study(1, 7)[6:])
        return found

    monkeypatch.setattr(real, "analyse", slow)
    _worker(held, bundle).run_once()
    assert not held.rows(Result)
    assert held.rows(Job)[0].state == "outdated"


def test_a_kill_between_rename_and_commit_leaves_a_folder_that_is_replaced(held: Held, bundle: Bundle) -> None:
    held.due()
    left = held.settings.folder / "results" / "1" / str(held.study().generation)
    left.mkdir(parents=True)
    (left / "half.json").write_text("{")
    _worker(held, bundle).run_once()
    assert not (left / "half.json").exists()
    assert json.loads((left / "imagery.json").read_text())


@pytest.mark.parametrize("error", [InputError("cannot be read"), RuntimeError("Doe^Jane")])
def test_what_fails_is_repeated_and_then_set_aside(
    held: Held, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    held.due()

    def fails(*words: Any) -> None:
        raise error

    monkeypatch.setattr("ichscan.service.jobs.analyse.analyse", fails)
    monkeypatch.setattr(module, "RETRY_S", 0.0)
    worker = _worker(held, bundle)
    assert worker.run_once()
    assert held.study().status == WAITING
    assert worker.run_once()
    told = held.study()
    assert told.status == SET_ASIDE
    assert "Doe" not in told.reason
    assert ("RuntimeError" if isinstance(error, RuntimeError) else str(error)) in told.reason
    assert held.rows(Job)[0].state == "set_aside"
    assert not worker.run_once()


def test_a_full_disk_is_waited_for(held: Held, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    held.due()

    def full(*words: Any) -> None:
        raise OutputError("results: cannot be written (No space left on device)")

    monkeypatch.setattr(module, "RETRY_S", 0.0)
    with monkeypatch.context() as patched:
        patched.setattr("ichscan.service.jobs.analyse.analyse", full)
        for _ in range(4):
            assert _worker(held, bundle).run_once()
    assert held.study().status == WAITING
    assert "No space" in held.study().reason
    assert _worker(held, bundle).run_once()
    assert held.study().status == ANALYSED
    assert "No space" not in held.study().reason


def test_only_what_can_be_analysed_is_sent_or_one_reason(held: Held, bundle: Bundle) -> None:
    held.due(1, BodyPartExamined="CHEST", SeriesDescription="Thorax")
    worker = _worker(held, bundle)
    worker.run_once()
    assert held.study().reason
    assert [job.target for job in held.rows(Job)[1:]] == ["archive", "web", "all"]
    assert len([one for one in held.rows(Instance) if one.made_here]) == 1


def test_back_to_the_sender(held: Held, bundle: Bundle) -> None:
    held.settings = replace(held.settings, send=replace(SEND, to=(), back_to_sender=True))
    held.due(1, source="dimse:CT1")
    _worker(held, bundle).run_once()
    assert [job.target for job in held.rows(Job) if job.kind != "hook"] == ["", "ct"]


def test_what_hangs_ends_its_process(held: Held) -> None:
    held.due()
    code = f"""
import time
from pathlib import Path
from ichscan.service.database import open_database
from ichscan.service.jobs.lease import Lease
from ichscan.service.jobs.queue import claim
from ichscan.service.settings import Settings
database = open_database(Settings(folder=Path({str(held.settings.folder)!r})))
claimed = claim(database, "worker-hangs", ("analyse",), 30.0, 3)
with Lease(database, claimed, 0.3, 5.0, 3):
    time.sleep(30)
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(), timeout=25, capture_output=True, check=False)
    assert done.returncode == 75
    (job,) = held.rows(Job)
    assert (job.state, job.error) == ("queued", "took longer than 0.3 s")


def test_clean_up_removes_what_dead_workers_left(held: Held) -> None:
    folder = held.settings.folder / "results"
    for name in ("tmp-worker-0-a", "tmp-worker-1-b"):
        (folder / name).mkdir(parents=True)
    clean_up(held.settings, "worker-0-a")
    assert [path.name for path in folder.iterdir()] == ["tmp-worker-1-b"]


def test_pictures_for_the_viewer(held: Held, bundle: Bundle) -> None:
    import gzip

    held.due()
    _worker(held, bundle).run_once()
    (result,) = held.rows(Result)
    imagery = Imagery(held.settings, held.database)
    (series,) = imagery.index(result)
    assert (series["rows"], series["cols"], len(series["slices"])) == (64, 64, 6)
    assert series["sides"] == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    first = imagery.slice(result, 0, 2)
    hu = np.frombuffer(gzip.decompress(first.data), "<i2").reshape(first.rows, first.cols)
    assert (hu[0, 0], hu[32, 32] > 0) == (-1000, True)
    (cache_folder(held.settings.folder, 1, result.generation) / "0.zip").write_bytes(b"damaged")
    again = imagery.slice(result, 0, 2)
    assert gzip.decompress(again.data) == gzip.decompress(first.data)
    label, slices = next(iter(series["heat"].items()))
    heat = imagery.heat(result, 0, label, slices[0])
    assert len(gzip.decompress(heat.data)) == heat.rows * heat.cols
    for wrong in ((0, 6), (0, -1), (1, 0), (-1, 0)):
        with pytest.raises(InputError):
            imagery.slice(result, *wrong)
    with pytest.raises(InputError):
        imagery.heat(result, 0, "../../etc", 0)


def test_pictures_of_deleted_images_are_refused(held: Held, bundle: Bundle) -> None:
    import shutil

    held.due()
    _worker(held, bundle).run_once()
    (result,) = held.rows(Result)
    shutil.rmtree(held.settings.folder / "cache")
    with held.database.write() as session:
        for one in session.query(Instance).where(Instance.made_here.is_(False)):
            session.delete(one)
    with pytest.raises(InputError, match="not held any more"):
        Imagery(held.settings, held.database).slice(result, 0, 0)


def test_a_job_of_another_is_left_alone(held: Held, bundle: Bundle) -> None:
    held.due()
    assert claim(held.database, "another", ("analyse",), 30.0)
    assert not _worker(held, bundle).run_once()
