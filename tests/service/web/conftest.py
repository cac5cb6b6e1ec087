import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

for _needed in ("fastapi", "sqlalchemy", "alembic", "argon2", "prometheus_client", "httpx"):
    pytest.importorskip(_needed, reason="the extra serve is not installed")

from tests.service.web.box import Box

Opener = Callable[..., Box]


@pytest.fixture(scope="session")
def _empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Making the tables takes longer than most tests."""
    folder = tmp_path_factory.mktemp("empty") / "box"
    Box(folder).close()
    return folder


@pytest.fixture
def open_box(tmp_path: Path, _empty: Path) -> Iterator[Opener]:
    """Opens empty boxes; the settings of `web` are arguments."""
    opened: list[Box] = []

    def make(folder: Path | None = None, **web: Any) -> Box:
        if folder is None:
            folder = tmp_path / f"box-{len(opened)}"
            shutil.copytree(_empty, folder)
        opened.append(Box(folder, **web))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def box(open_box: Opener) -> Box:
    """An empty one."""
    return open_box()


@pytest.fixture(scope="session")
def _analysed(tmp_path_factory: pytest.TempPathFactory, fake_bundle: Path) -> Path:
    pytest.importorskip("highdicom", reason="the extra report is not installed")
    folder = tmp_path_factory.mktemp("analysed") / "box"
    made = Box(folder)
    made.receive()
    made.analyse(fake_bundle)
    made.close()
    return folder


@pytest.fixture
def open_analysed(_analysed: Path, tmp_path: Path, open_box: Opener) -> Opener:
    """Opens copies of a box that holds one analysed study, number 1."""

    def make(**web: Any) -> Box:
        folder = tmp_path / f"copy-{len(list(tmp_path.iterdir()))}"
        shutil.copytree(_analysed, folder)
        return open_box(folder, **web)

    return make


@pytest.fixture
def analysed(open_analysed: Opener) -> Box:
    """A box that holds one analysed study, number 1."""
    return open_analysed()
