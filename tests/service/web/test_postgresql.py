"""Every route that reads, on PostgreSQL: what SQLite lets pass, it may not."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.core.postgres import Postgres
from tests.service.web.box import Box, study_files

from ichscan.service.tables import Audit


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    server = Postgres()
    try:
        server.start()
        made = Box(tmp_path / "box", server.new_database())
        yield made
        made.close()
    finally:
        server.close()


def test_on_postgresql(box: Box, fake_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ichscan.service.web import uploads

    monkeypatch.setattr(uploads, "REGISTERED_S", 0.0)
    client = box.logged_in("administrator")
    files = [("files", (f"{i}", data, "application/dicom")) for i, data in enumerate(study_files())]
    assert client.post("/api/uploads", files=files).json()["accepted"] == len(files)
    box.register()
    box.analyse(fake_bundle)
    for path in (
        "/api/session", "/api/studies", "/api/studies?status=analysed&suspected=true&unread=true", "/api/studies/1",
        "/api/studies/1/images", "/api/studies/1/images/0/0", "/api/studies/1/report", "/api/studies/1/feedback",
        "/api/dashboard", "/api/users", "/api/tokens", "/api/audit", "/api/refusals", "/api/jobs", "/api/system",
        "/ready", "/metrics",
    ):  # fmt: skip
        assert client.get(path).status_code == 200, path
    assert client.get("/api/studies", headers={"X-Search": "dOE%25%00"}).json()["total"] == 0
    assert client.get("/api/studies", headers={"X-Search": "dOE"}).json()["total"] == 1
    assert client.post("/api/studies/1/read", json={"read": True}).json()["read_by"] == "the-administrator"
    assert client.post("/api/studies/1/analyse").status_code == 202
    assert "upload" in [row.action for row in box.rows(Audit)]
