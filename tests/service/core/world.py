"""The service's core without its processes: what tests send, and what the tables and folders then hold."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import select

from ichscan.service.database import Database, open_database
from ichscan.service.register import Registrar
from ichscan.service.settings import AnalysisSettings, Settings, StorageSettings
from ichscan.service.spool import Spool, entries
from ichscan.service.tables import Instance, Study, Table

T = TypeVar("T", bound=Table)


class World:
    def __init__(self, folder: Path, database: str = "", **storage: Any) -> None:
        analysis = AnalysisSettings(quiet_s=20.0, settle_s=2.0)
        self.settings = Settings(
            folder=folder, database=database, analysis=analysis, storage=StorageSettings(free_gb=0.0, **storage)
        )
        self.database: Database = open_database(self.settings)
        self.spool = Spool(self.settings)
        self.registrar = Registrar(self.settings, self.database)

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *error: object) -> None:
        self.database.close()

    def storage(self, **changes: Any) -> Settings:
        return replace(self.settings, storage=replace(self.settings.storage, **changes))

    def send(self, files: Iterable[bytes], source: str = "dimse:CT1", end: str = "") -> list[Path]:
        paths = [self.spool.accept([file], source) for file in files]
        if end:
            self.spool.finished([end], source)
        return paths

    def receive(self, files: Iterable[bytes], source: str = "dimse:CT1", end: str = "") -> None:
        """Sends, and registers."""
        self.send(files, source, end)
        self.registrar.run_once()

    def rows(self, table: type[T]) -> list[T]:
        with self.database.read() as session:
            return list(session.scalars(select(table).order_by(*table.__table__.primary_key)))

    def study(self) -> Study:
        (study,) = self.rows(Study)
        return study

    def waiting(self) -> int:
        return len(entries(self.settings.folder))

    def check(self) -> None:
        """Every row's file is there with its bytes; every image on the disk has a row."""
        folder = self.settings.folder
        rows = {one.path: one for one in self.rows(Instance)}
        on_disk = {path.relative_to(folder).as_posix() for path in (folder / "images").glob("*/*/*")}
        assert set(rows) == on_disk
        for path, row in rows.items():
            assert (folder / path).stat().st_size == row.size
            assert data_set_sha256((folder / path).read_bytes()) == row.sha256


def data_set_sha256(file: bytes) -> str:
    """Of what follows the meta header (PS3.10 section 7.1)."""
    return hashlib.sha256(file[144 + int.from_bytes(file[140:144], "little") :]).hexdigest()
