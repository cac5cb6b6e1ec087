"""Folders and files of the service: private, renamed and deleted safely again after a kill."""

import os
import shutil
from pathlib import Path

from ichscan.errors import OutputError


def make_private(folder: Path) -> None:
    """Makes a folder, or closes one that is there, so that only this user may look into it: images will be in it.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.mkdir(exist_ok=True, mode=0o700)
        found = folder.stat()
        if found.st_mode & 0o077 and hasattr(os, "geteuid") and found.st_uid == os.geteuid():
            folder.chmod(0o700)  # somebody made it beforehand
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made ({error.strerror}); give another folder") from error


def flush_folder(folder: Path) -> None:
    """Has the names in a folder on the disk itself (fsync); systems that cannot do so are left alone."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Renames a file; done already, or again after a kill, is well.

    Raises:
        OutputError: it cannot be renamed.
    """
    try:
        try:
            os.replace(source, target)
        except FileNotFoundError:
            if not source.exists():
                return
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.replace(source, target)
    except OSError as error:
        raise OutputError(
            f"{target}: an image cannot be moved there ({error.strerror}); expected one disk for the whole folder, "
            "with room on it"
        ) from error


def delete(path: Path) -> None:
    """Deletes a file; gone already is well.

    Raises:
        OutputError: it cannot be deleted.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be deleted ({error.strerror}); look at its permissions") from error


def delete_folder(folder: Path) -> None:
    """Deletes a folder with what is in it; gone already is well.

    Raises:
        OutputError: it cannot be deleted.
    """
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(f"{folder}: cannot be deleted ({error.strerror}); look at its permissions") from error
