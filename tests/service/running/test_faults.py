"""Kill -9 at any point, a receiver that is away, late images, a poison study: nothing is lost or shown twice."""

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
pytest.importorskip("fastapi", reason="the extra `serve` is not installed")

from tests.network import free_port, until
from tests.service.running.archive import Archive
from tests.service.running.box import Box, running, write_config
from tests.service.running.scans import study
from tests.service.running.sending import send, settled

from ichscan.service.tables import ANALYSED, NOT_ANALYSABLE, SET_ASIDE

pytestmark = pytest.mark.slow
TOML = """
[[dicom.peers]]
name = "tester"
ae_title = "TESTER"
[[dicom.peers]]
name = "archive"
ae_title = "ARCHIVE"
port = {port}
[analysis]
quiet_s = 1.5
settle_s = 0.2
attempts = 2
[send]
to = ["archive"]
exports = ["sr"]
retry_s = 0.3
"""


@pytest.fixture(scope="module")
def archive() -> Iterator[Archive]:
    found = Archive(free_port())
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory, fake_bundle: Path, archive: Archive) -> Iterator[Box]:
    folder = tmp_path_factory.mktemp("box")
    toml = TOML.format(port=archive.port)
    config = write_config(folder, toml, dicom=free_port(), web=free_port(), model=fake_bundle)
    with running(folder, config) as one:
        yield one
        assert one.stop() == 0
        assert "Secret" not in one.log, "a patient's name in the log"
        assert "SECRET" not in one.log


def test_worker_killed_in_an_analysis(box: Box, archive: Archive, tmp_path: Path) -> None:
    before = len(archive.received)
    send(box, tmp_path, study(1))
    until(lambda: "study 1, generation" in box.log, 20, "analysis")
    box.kill("worker-0")
    settled(box, 1)
    assert len(archive.received) - before == len(set(archive.received[before:])) > 0


def test_sender_killed_in_a_delivery(box: Box, archive: Archive, tmp_path: Path) -> None:
    archive.pause_s = 1.0
    archive.first.clear()
    before = len(archive.received)
    send(box, tmp_path, study(2))
    assert archive.first.wait(20)
    box.kill("sender")
    archive.pause_s = 0.0
    settled(box, 2)
    assert len(set(archive.received[before:])) == 1, "the structured report"
    assert [job.state for job in box.jobs("send")] == ["done", "done"]


def test_receiver_and_registrar_killed_while_images_come(box: Box, tmp_path: Path) -> None:
    send(box, tmp_path / "a", study(3)[:3])
    box.kill("registrar")
    box.kill("node")
    until(lambda: box.log.count("listens on") > 1, 15, "the node")
    send(box, tmp_path / "b", study(3)[3:])
    settled(box, 3)
    assert box.studies()[2].images == 6


def test_late_images_are_analysed_with_the_others(box: Box, archive: Archive, tmp_path: Path) -> None:
    files = study(4, 8)
    send(box, tmp_path / "a", files[:6])
    settled(box, 4)
    first = box.studies()[3].analysed_generation
    send(box, tmp_path / "b", files[6:])
    until(lambda: box.studies()[3].analysed_generation > first, 20, "the later result")
    settled(box, 4)
    assert [one.content[0]["slices_analysed"] for one in box.results() if one.study_id == 4] == [6, 8]
    assert box.studies()[3].images == 8


def test_same_images_again_change_nothing(box: Box, tmp_path: Path) -> None:
    results = len(box.results())
    send(box, tmp_path, study(4, 8))
    time.sleep(1.0)
    settled(box, 4)
    assert len(box.results()) == results


def test_archive_away_and_back(box: Box, archive: Archive, tmp_path: Path) -> None:
    archive.stop()
    before = len(archive.received)
    send(box, tmp_path, study(5))
    until(lambda: box.jobs("send") and box.jobs("send")[-1].attempts >= 2, 20, "two attempts")
    job = box.jobs("send")[-1]
    assert "no association" in job.error
    archive.start()
    settled(box, 5)
    assert len(archive.received) == before + 1
    assert set(archive.callers) == {"ICHSCAN"}


def test_what_is_no_head_is_told_as_such(box: Box, archive: Archive, tmp_path: Path) -> None:
    send(box, tmp_path, study(6, BodyPartExamined="CHEST", SeriesDescription="Thorax"))
    settled(box, 6)
    (told,) = [one for one in box.studies() if one.id == 6]
    assert told.status == NOT_ANALYSABLE
    assert told.reason


def test_a_study_that_ends_its_worker_is_set_aside(box: Box, tmp_path: Path) -> None:
    send(box, tmp_path / "a", study(7))
    for attempt in (1, 2):
        begins = re.compile(rf"study 7, generation \d+: analysis {attempt} begins")
        until(lambda begins=begins: begins.search(box.log), 20, f"attempt {attempt}")
        box.kill("worker-0")
    settled(box, 7)
    told = box.studies()[6]
    assert told.status == SET_ASIDE
    assert "ended 2 times" in told.reason
    send(box, tmp_path / "b", study(8))
    settled(box, 8)
    assert box.studies()[7].status == ANALYSED
