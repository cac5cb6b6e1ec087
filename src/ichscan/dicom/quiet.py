"""Keeps pydicom's remarks on odd values out of logs and warnings: they quote values, which may identify a patient."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


def _drop(record: logging.LogRecord) -> bool:
    return False


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silences pydicom's warnings and log messages; what is wrong is found, and said, from the values themselves."""
    logger = logging.getLogger("pydicom")
    logger.addFilter(_drop)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeFilter(_drop)
