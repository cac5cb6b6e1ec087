"""A backup is one tar archive with the database as it was at one moment, results and, when wanted, images.

    manifest.json     version of ichscan, revision of the tables, sha256 of each file
    ichscan.sqlite3   a consistent copy (the service may run meanwhile)
    results/ images/ spool/ aside/     as they are in the folder

A PostgreSQL database is backed up with its own tools (pg_dump); the archive then holds the files alone.
"""

import hashlib
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from ichscan import __version__
from ichscan.errors import DataError, OutputError, UsageError
from ichscan.service.database import FILE, open_database
from ichscan.service.migrate import REVISION
from ichscan.service.settings import Settings

MANIFEST: Final = "manifest.json"
SCHEMA: Final = "ichscan.backup/1"
ALWAYS: Final = ("results",)
IMAGES: Final = ("spool", "images", "aside")
"""In this order: what moves from the spool meanwhile is met again."""
CHUNK: Final = 1 << 20


def backup(settings: Settings, target: Path, *, images: bool = True) -> int:
    """Writes a backup; the service may run meanwhile.

    The database is copied first: files that come later are known to no table, and a start registers them again.

    Args:
        settings: of the service.
        target: the archive; must not exist.
        images: also what was received, which the PACS holds as well.

    Returns:
        Number of files in it.

    Raises:
        UsageError: the target exists.
        OutputError: disk full, no permission.
    """
    if target.exists():
        raise UsageError(f"{target}: expected a new file, found one; give another name")
    part = target.with_name(target.name + ".part")
    sums: dict[str, str] = {}
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)  # it holds patient data
        with os.fdopen(handle, "wb") as file, tarfile.open(fileobj=file, mode="w|") as archive:
            if not settings.database:
                _add_database(archive, settings.folder, sums)
            for path in _files(settings.folder, (*ALWAYS, *(IMAGES if images else ()))):
                _add(archive, path, path.relative_to(settings.folder).as_posix(), sums)
            _add_manifest(archive, sums, database=not settings.database, images=images)
            file.flush()
        os.replace(part, target)
    except (OSError, sqlite3.Error) as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{target}: cannot be written ({error}); free space or give another place") from error
    return len(sums)


def _add_database(archive: tarfile.TarFile, folder: Path, sums: dict[str, str]) -> None:
    if not (folder / FILE).exists():
        raise UsageError(f"{folder}: expected the folder of a service, found no {FILE}; check --config")
    with tempfile.TemporaryDirectory(dir=folder, prefix=".backup-") as scratch:
        copy = Path(scratch) / FILE
        with closing(sqlite3.connect(folder / FILE)) as source, closing(sqlite3.connect(copy)) as made:
            source.backup(made)
        _add(archive, copy, FILE, sums)


def _files(folder: Path, names: tuple[str, ...]) -> Iterator[Path]:
    for name in names:
        yield from sorted(path for path in (folder / name).rglob("*") if path.is_file() and _kept(path, folder))


def _kept(path: Path, folder: Path) -> bool:
    """Not what is being written just now."""
    parts = path.relative_to(folder).parts
    return not parts[1].startswith("tmp-") and not path.name.endswith((".part", ".tmp", ".lock"))


def _add(archive: tarfile.TarFile, path: Path, name: str, sums: dict[str, str]) -> None:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return  # registered or deleted since it was listed; the copy of the database is older or does not need it
    with file:
        told = tarfile.TarInfo(name)
        told.size, told.mtime, told.mode = os.fstat(file.fileno()).st_size, int(path.stat().st_mtime), 0o600
        hashed = _Hashed(file)
        archive.addfile(told, hashed)
        sums[name] = hashed.digest.hexdigest()


class _Hashed:
    """A file that is hashed while it is read."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        """As of a file."""
        data: bytes = self._file.read(size)
        self.digest.update(data)
        return data


def _add_manifest(archive: tarfile.TarFile, sums: dict[str, str], *, database: bool, images: bool) -> None:
    told = {
        "schema": SCHEMA, "ichscan": __version__, "revision": REVISION, "created": time.time(),
        "database": database, "images": images, "sha256": sums,
    }  # fmt: skip
    data = json.dumps(told).encode("utf-8")
    info = tarfile.TarInfo(MANIFEST)
    info.size, info.mtime, info.mode = len(data), int(time.time()), 0o600
    archive.addfile(info, io.BytesIO(data))


def restore(settings: Settings, source: Path) -> int:
    """Fills an empty folder from a backup and brings its tables up to this version.

    Returns:
        Number of files.

    Raises:
        UsageError: the folder is not empty, or the backup is of PostgreSQL and so is not whole.
        DataError: no backup, or a damaged one; what was written is removed again.
        OutputError: disk full, no permission.
        DatabaseError: it was made by a newer version.
    """
    folder = settings.folder
    if not source.is_file():
        raise UsageError(f"{source}: expected a backup, found no file; check the name")
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder}: expected an empty folder, found files; restore into a new one")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".restore-") as scratch:
        made = Path(scratch)
        sums = _extract(source, made)
        told = _manifest(source, made)
        if told["sha256"] != sums:
            raise DataError(f"{source}: expected the files of its manifest, found others; the backup is damaged")
        if not settings.database and not told["database"]:
            raise UsageError(f"{source}: holds no database (it was PostgreSQL); set `database` to the restored one")
        (made / MANIFEST).unlink()
        for path in sorted(made.iterdir()):
            os.replace(path, folder / path.name)
    open_database(settings).close()
    return len(sums)


def _extract(source: Path, folder: Path) -> dict[str, str]:
    """Writes the members and gives their sums. Only plain files below the folder are taken (PEP 706)."""
    sums: dict[str, str] = {}
    try:
        with tarfile.open(source, "r|") as archive:
            for member in archive:
                checked = tarfile.data_filter(member, str(folder))
                if not checked.isfile():
                    raise DataError(f"{source}: expected plain files, found another kind; it is no backup of ichscan")
                archive.extract(checked, folder, filter="data")
                if checked.name != MANIFEST:
                    with (folder / checked.name).open("rb") as file:
                        sums[checked.name] = hashlib.file_digest(file, "sha256").hexdigest()
    except (tarfile.TarError, EOFError) as error:
        raise DataError(f"{source}: expected a backup of ichscan, found no intact tar archive ({error})") from error
    except OSError as error:
        raise OutputError(f"{source}: cannot be restored ({error.strerror or error}); look at the disk") from error
    return sums


def _manifest(source: Path, folder: Path) -> dict[str, Any]:
    try:
        told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if told["schema"] == SCHEMA and isinstance(told["sha256"], dict) and isinstance(told["database"], bool):
            return dict(told)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # told below
    raise DataError(f"{source}: expected {MANIFEST} of schema {SCHEMA}, found none; it is no whole backup of ichscan")
