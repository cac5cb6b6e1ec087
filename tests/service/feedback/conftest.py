from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("sqlalchemy", reason="the extra serve is not installed")
pytest.importorskip("alembic", reason="the extra serve is not installed")
pytest.importorskip("fastapi", reason="the extra serve is not installed")

from tests.service.feedback.ward import Ward


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    made = Ward(tmp_path / "service")
    yield made
    made.database.close()
