"""One import at a time in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ichscan.errors import DataError


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Holds the folder for this process; the system lets go when the process ends, however it ends.

    Raises:
        DataError: another process imports into it.
    """
    path = store / "import.lock"
    with path.open("w") as file:
        _take(file.fileno(), store)
        yield
    path.unlink(missing_ok=True)


def _take(handle: int, store: Path) -> None:
    try:
        import fcntl
    except ImportError:  # Windows has no such lock: there, do not start the same import twice
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        raise DataError(f"{store}: another import is writing here; wait for it or end it") from error
