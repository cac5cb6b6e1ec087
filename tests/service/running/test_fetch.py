"""`ichscan serve fetch`: what a real PACS holds and the running service lacks."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.network import free_port, until
from tests.orthanc import MISSING, REASON, orthanc
from tests.service.running.box import Box, ichscan, running, write_config
from tests.service.running.scans import study

pytestmark = [pytest.mark.slow, pytest.mark.skipif(MISSING, reason=REASON)]


def uid(number: int) -> str:
    return f"1.2.826.0.1.3680043.8.498.77.{number}"


@contextmanager
def box_and_pacs(folder: Path, model: Path) -> Iterator[tuple[Box, Path]]:
    dicom = free_port()
    with orthanc(folder / "pacs", box_dicom=dicom) as pacs:
        for number in (1, 2, 3):
            for data in study(number, StudyDate=f"2026010{number}", PatientID="4711" if number < 3 else "4712"):
                pacs.post("/instances", data)
        toml = (
            f'[[dicom.peers]]\nname = "pacs"\nae_title = "ORTHANC"\nport = {pacs.dicom}\n'
            '[[dicom.peers]]\nname = "scanner"\nae_title = "SCANNER"\n[analysis]\nquiet_s = 1.0\n'
        )
        config = write_config(folder, toml, dicom=dicom, web=free_port(), model=model)
        with running(folder, config) as box:
            yield box, config
            assert box.stop() == 0


def test_what_is_missing_is_fetched_and_nothing_twice(tmp_path: Path, fake_bundle: Path) -> None:
    with box_and_pacs(tmp_path, fake_bundle) as (box, config):

        def fetch(*words: str, code: int = 0) -> list[str]:
            done = ichscan("serve", "fetch", *words, "--config", str(config), folder=tmp_path)
            assert done.returncode == code, done.stderr
            assert "Secret" not in done.stdout + done.stderr
            return [*done.stderr.splitlines(), *done.stdout.splitlines()]

        def held() -> list[tuple[str, int]]:
            return sorted((one.study_instance_uid, one.images) for one in box.studies())

        found = fetch("pacs", "--patient-id", "4711", "--list")
        assert found[0] == "pacs: 2 studies found, 2 to fetch"
        assert sorted(line.split()[1] for line in found[1:]) == [uid(1), uid(2)]
        assert held() == []
        assert "6 objects came" in fetch("pacs", "--study", uid(2))[1]
        until(lambda: held() == [(uid(2), 6)], 15, box.log)
        found = fetch("pacs", "--date", "20260101-20260102")
        assert found[0] == "pacs: 2 studies found, 1 to fetch"
        assert found[1:] == [f"1/1 {uid(1)} 20260101 CT: 6 objects came"]
        until(lambda: held() == [(uid(1), 6), (uid(2), 6)], 15, box.log)
        assert fetch("pacs", "--patient-id", "4711") == ["pacs: 2 studies found, 0 to fetch"]
        assert "expected one of the names in dicom.peers (pacs, scanner)" in fetch("nobody", "--study", "1", code=2)[0]
        assert "found port = 0" in fetch("scanner", "--study", "1", code=2)[0]
        assert fetch("pacs", "--study", "1.2.3", code=1) == ["pacs: 0 studies found, 0 to fetch"]
        until(lambda: len(box.results()) == 2, 30, box.log)
        assert box.stop() == 0
        [told] = fetch("pacs", "--date", "20260103", code=1)[1:]
        assert "does the service run" in told
