"""A service without analysis: the web application, a spool and its registrar, in a temporary folder."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from fastapi.testclient import TestClient

from ichscan.service.database import Database, open_database
from ichscan.service.register import Registrar
from ichscan.service.security.tokens import make_token
from ichscan.service.settings import Settings, WebSettings
from ichscan.service.spool import Spool
from ichscan.service.web.app import make_app

ADDRESS = "http://127.0.0.1"


@dataclass
class Box:
    settings: Settings
    database: Database
    client: TestClient
    registrar: Registrar
    tokens: dict[str, str]

    def store(self, files: list[bytes], study: str = "") -> int:
        """Sends files and registers them; the status of the answer."""
        answer = self.client.post(f"/dicom-web/studies{study and '/' + study}", content=multipart(files), headers=STOW)
        self.registrar.run_once()
        return answer.status_code

    def close(self) -> None:
        self.client.close()
        self.database.close()

    def get(self, path: str, accept: str | None = None, **parameters: str):
        headers = {} if accept is None else {"Accept": accept}
        return self.client.get(f"/dicom-web{path}", params=parameters or None, headers=headers)


BOUNDARY = "ichscan-test"
STOW = {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}


def multipart(files: list[bytes], boundary: str = BOUNDARY) -> bytes:
    parts = [b"--%s\r\nContent-Type: application/dicom\r\n\r\n%s\r\n" % (boundary.encode(), one) for one in files]
    return b"".join(parts) + b"--%s--\r\n" % boundary.encode()


def open_box(folder: Path, database_url: str = "", **web: object) -> Box:
    settings = Settings(folder=folder, database=database_url, web=WebSettings(**web))
    database = open_database(settings)
    with database.write() as session:
        tokens = {name: make_token(session, name, [name], 0.0) for name in ("store", "read")}
        tokens["both"] = make_token(session, "both", ["store", "read"], 0.0)
    client = TestClient(make_app(settings, database, Spool(settings)), base_url=ADDRESS, raise_server_exceptions=False)
    client.headers["Authorization"] = f"Bearer {tokens['both']}"
    return Box(settings, database, client, Registrar(settings, database), tokens)


@pytest.fixture
def make_box(tmp_path: Path) -> Iterator[Callable[..., Box]]:
    opened: list[Box] = []

    def make(**web: object) -> Box:
        opened.append(open_box(tmp_path / f"data{len(opened)}", **web))
        return opened[-1]

    yield make
    for box in opened:
        box.close()


@pytest.fixture
def box(make_box: Callable[..., Box]) -> Box:
    return make_box()
