"""Files that appear whole or not at all."""

import contextlib
import errno
import hashlib
import os
import re
import tempfile
from pathlib import Path
from typing import Final

from ichscan.errors import OutputError

SAFE: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,63}")
RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices."""
REMEDY: Final = {
    errno.ENOSPC: "free space on this disk or choose another folder",
    errno.EDQUOT: "free space in your quota or choose another folder",
    errno.EFBIG: "raise the limit on file sizes or choose another folder",
    errno.EROFS: "choose a folder that can be written",
    errno.EACCES: "choose a folder that you may write, or change its permissions",
    errno.EPERM: "choose a folder that you may write, or change its permissions",
}


def write_atomically(path: Path, data: bytes) -> None:
    """Writes a temporary file beside `path`, then renames it: readers never see half a file.

    A symbolic link is followed; a pipe or device is written to, never replaced.

    Raises:
        OutputError: disk full, no permission, folder missing; nothing is left behind, an older file stays as it was.
    """
    temporary = ""
    try:
        path = path.resolve()
        if path.exists() and not path.is_file():
            with path.open("wb") as device:
                device.write(data)
            return
        handle, temporary = tempfile.mkstemp(prefix=".ichscan-", suffix=".tmp", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # some disks tell only now that they are full
        # mkstemp makes files private; a result is for whoever the folder is for.
        os.chmod(temporary, 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        raise _output_error(path, error) from error
    finally:
        if temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)


def make_folder(path: Path) -> None:
    """Makes a folder and its parents. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _output_error(path, error) from error


def file_stem(series_instance_uid: str, taken: set[str]) -> str:
    """A safe file name for a series: its UID, or a hash when that holds anything unusual; numbered when already taken.

    Args:
        series_instance_uid: as found in the file, so possibly absent or hostile.
        taken: names given so far in this call; the new one is added.
    """
    uid = series_instance_uid
    if SAFE.fullmatch(uid) and not RESERVED.fullmatch(uid):
        base = uid
    else:
        digest = hashlib.sha256(uid.encode("utf-8", "surrogatepass")).hexdigest()
        base = f"series-{digest[:16]}" if uid else "series-without-uid"
    stem, number = base, 1
    while stem.lower() in taken:  # some file systems ignore case
        number += 1
        stem = f"{base}-{number}"
    taken.add(stem.lower())
    return stem


def _output_error(path: Path, error: OSError) -> OutputError:
    remedy = REMEDY.get(error.errno or 0, "choose another folder")
    return OutputError(f"{path}: cannot be written ({error.strerror or error}); {remedy}")


def _umask() -> int:
    # The only way to read it is to set it; 0o022 for the moment between is what most systems have anyway.
    current = os.umask(0o022)
    os.umask(current)
    return current
