"""The whole service on PostgreSQL with two workers, while the database server is killed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
pytest.importorskip("fastapi", reason="the extra `serve` is not installed")
pytest.importorskip("pg8000", reason="the driver of PostgreSQL is not installed")

from tests.network import free_port, until
from tests.service.core.postgres import Postgres
from tests.service.running.box import running, write_config
from tests.service.running.scans import study
from tests.service.running.sending import send, settled

from ichscan.service.tables import ANALYSED

pytestmark = pytest.mark.slow
TOML = """
[[dicom.peers]]
name = "tester"
ae_title = "TESTER"
[analysis]
workers = 2
quiet_s = 1.5
settle_s = 0.2
"""


@pytest.fixture
def server() -> Iterator[Postgres]:
    one = Postgres()
    try:
        one.start()
        yield one
    finally:
        one.close()


def test_database_killed_while_studies_come(tmp_path: Path, fake_bundle: Path, server: Postgres) -> None:
    config = write_config(tmp_path, TOML, dicom=free_port(), web=free_port(), model=fake_bundle)
    config.write_text(f'database = "{server.new_database()}"\n' + config.read_text())
    with running(tmp_path, config) as box:
        send(box, tmp_path / "1", study(1))
        until(lambda: "study 1, generation" in box.log, 30, "analysis")
        server.kill()
        send(box, tmp_path / "2", study(2))  # images are taken all the same
        server.start()
        send(box, tmp_path / "3", study(3))
        settled(box, 3, 90)
        assert [(one.status, one.images) for one in box.studies()] == [(ANALYSED, 6)] * 3
        assert box.stop() == 0
