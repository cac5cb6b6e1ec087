"""Fixtures for every test: where the real data lies, and how it is skipped when it does not."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _data_root() -> Path:
    configured = os.environ.get("ICHSCAN_TEST_DATA")
    return Path(configured) if configured else ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with real scans (`ICHSCAN_TEST_DATA`, else `../shared/data`); skips when it is not there."""
    root = _data_root()
    if not root.is_dir():
        pytest.skip(f"real scans are not at {root}; set ICHSCAN_TEST_DATA to their folder")
    return root


@pytest.fixture(scope="session")
def project_root() -> Path:
    """Root of the source tree."""
    return ROOT


@pytest.fixture(scope="session")
def fake_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a tiny model bundle in which brightness raises every probability."""
    from tests.fake_bundle import write_fake_bundle

    return write_fake_bundle(tmp_path_factory.mktemp("bundle") / "fake")
