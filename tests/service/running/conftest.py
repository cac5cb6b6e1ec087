import gc
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def leftovers() -> Iterator[None]:
    """Collects the sockets that pynetdicom forgets when a call fails, before another module is blamed for them."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
