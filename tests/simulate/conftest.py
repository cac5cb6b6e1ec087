"""One phantom head for all tests of the simulation."""

import pytest
from tests.simulate.phantom import Phantom, phantom

from ichscan.simulate import Head, prepare


@pytest.fixture(scope="session")
def scan() -> Phantom:
    return phantom()


@pytest.fixture(scope="session")
def head(scan: Phantom) -> Head:
    return prepare(scan.hu, scan.spacing_mm, scan.positions_mm)
