from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the extra serve is not installed")
pytest.importorskip("alembic", reason="the extra serve is not installed")

from tests.service.core.postgres import Postgres
from tests.service.core.world import World


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """URL of an empty PostgreSQL database; none for SQLite in the folder."""
    if request.param == "sqlite":
        return ""
    url: str = request.getfixturevalue("postgres").new_database()
    return url


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A service without processes, on SQLite."""
    with World(tmp_path / "service") as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def any_world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """The same on SQLite and on PostgreSQL."""
    url = "" if request.param == "sqlite" else request.getfixturevalue("postgres").clean_database()
    with World(tmp_path / "service", database=url) as made:
        yield made


@pytest.fixture
def fresh_world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """The same with a database of its own, whose tables a test may break."""
    with World(tmp_path / "service", database=database_url) as made:
        yield made
