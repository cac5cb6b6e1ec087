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
