"""Facts by which an unfinished import recognises its source."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ichscan.errors import DataError

BLOCK: Final = 1 << 20


def listing(entries: Iterable[tuple[str, int]]) -> dict[str, str]:
    """Number of files and a digest of their names and sizes, in the order given."""
    digest = hashlib.sha256()
    count = 0
    for name, size in entries:
        digest.update(f"{name}\0{size}\n".encode("utf-8", "surrogateescape"))
        count += 1
    return {"files": str(count), "listing": digest.hexdigest()[:32]}


def file_digest(path: Path) -> str:
    """SHA-256 of a file, 32 digits.

    Raises:
        DataError: absent or not readable.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while block := file.read(BLOCK):
                digest.update(block)
    except OSError as error:
        raise DataError(f"{path}: cannot read the labels ({error.strerror}); check the path") from error
    return digest.hexdigest()[:32]
