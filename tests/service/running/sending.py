"""Sends studies to a running service, and waits until it has done with them."""

from pathlib import Path

from tests.network import until
from tests.service.running.box import Box
from tests.service.running.scans import write

from ichscan.service.send.dimse import store
from ichscan.service.settings import DicomSettings, Peer
from ichscan.service.tables import ANALYSED, NOT_ANALYSABLE, SET_ASIDE


def send(box: Box, folder: Path, files: list[bytes]) -> None:
    peer = Peer("box", "ICHSCAN", port=box.settings.dicom.port)
    store(peer, DicomSettings(ae_title="TESTER"), sorted(write(folder, files).iterdir()))


def settled(box: Box, studies: int, seconds: float = 40) -> None:
    """All studies were analysed, everything is delivered, and each study has one current result of all its images."""

    def done() -> bool:
        found = box.studies()
        jobs = box.jobs()
        return (
            len(found) == studies
            and all(one.status in (ANALYSED, NOT_ANALYSABLE, SET_ASIDE) for one in found)
            and all(job.state in ("done", "outdated", "set_aside") for job in jobs)
        )

    until(done, seconds, "settled")
    for one in box.studies():
        current = [result for result in box.results() if result.study_id == one.id and result.current]
        assert len(current) == (one.status != SET_ASIDE)
        assert all(result.generation == one.generation for result in current)
    assert not list((box.settings.folder / "results").glob("tmp-*"))
