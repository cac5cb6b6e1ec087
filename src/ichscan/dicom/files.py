"""Walks what the caller gave (files, folders, zip archives, DICOMDIR, bytes) and yields every file once."""

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ichscan.dicom.archive import ZIP_ERRORS, Archive, members, nested
from ichscan.dicom.dicomdir import DICOMDIR, listed_files
from ichscan.dicom.source import BytesSource, FileSource, MemberSource, Source
from ichscan.errors import UnreadableFileError

ZIP_MAGIC: Final = (b"PK\x03\x04", b"PK\x05\x06")


def walk(paths: Sequence[Path | bytes], problems: list[str]) -> Iterator[tuple[Source, bytes]]:
    """Yields each file with its first 352 bytes, in an order that depends on names only for the sake of people.

    Args:
        paths: files, folders (searched to any depth), zip archives, DICOMDIR files, or bytes of a file or archive.
        problems: gets one sentence for each file that cannot be opened.
    """
    seen: set[Path] = set()
    for index, given in enumerate(paths):
        if isinstance(given, bytes):
            yield from _unpack(BytesSource(f"bytes {index + 1}", given), problems)
            continue
        for path in _files(Path(given), problems):
            real = path.resolve()
            if real in seen:
                continue
            seen.add(real)
            try:
                state = path.stat()
            except OSError as error:
                problems.append(f"{path}: cannot be read ({error.strerror})")
                continue
            if stat.S_ISREG(state.st_mode):
                yield from _unpack(FileSource(path, state.st_size), problems)


def _files(path: Path, problems: list[str]) -> Iterator[Path]:
    """The files meant by one path: itself, all files under a folder, or those that a DICOMDIR lists."""
    if path.is_dir():
        for file in _under(path, problems):
            if file.name.upper() == DICOMDIR:
                listed_files(file, problems)  # only to say what is missing: the folder is read anyway
            yield file
    elif path.name.upper() == DICOMDIR and path.is_file():
        found = listed_files(path, problems)
        # A DICOMDIR that leads nowhere is common on copied discs; the images usually lie beside it.
        yield from found or (p for p in _under(path.parent, []) if p.name.upper() != DICOMDIR)
    elif path.exists():
        yield path
    else:
        problems.append(f"{path}: no such file or folder; check the path")


def _under(folder: Path, problems: list[str]) -> Iterator[Path]:
    def failed(error: OSError) -> None:
        problems.append(f"{error.filename}: cannot be read ({error.strerror}); check the permissions")

    seen: set[str] = set()
    for root, folders, names in os.walk(folder, onerror=failed, followlinks=True):
        real = os.path.realpath(root)
        if real in seen:  # a link that leads back
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            yield Path(root, name)


def _unpack(source: FileSource | BytesSource, problems: list[str]) -> Iterator[tuple[Source, bytes]]:
    try:
        with source.open() as stream:
            head = stream.read(352)
    except OSError as error:
        problems.append(f"{source.name}: cannot be read ({error.strerror}); check the permissions")
        return
    if head.startswith(ZIP_MAGIC):
        yield from _members(_archive(source), problems)
    else:
        yield source, head


def _archive(source: FileSource | BytesSource) -> Archive:
    if isinstance(source, BytesSource):
        return Archive(source.name, source.data)
    return Archive(source.name, source.path, stamp=(source.path.stat().st_mtime_ns, source.size))


def _members(archive: Archive, problems: list[str]) -> Iterator[tuple[Source, bytes]]:
    try:
        for member in members(archive, problems):
            source = MemberSource(archive, member.name, member.size)
            try:
                with source.open() as stream:
                    head = stream.read(352)
                if head.startswith(ZIP_MAGIC):
                    yield from _members(nested(archive, member), problems)
                    continue
            except (*ZIP_ERRORS, UnreadableFileError) as error:
                problems.append(_sentence(source.name, error))
                continue
            yield source, head
    except UnreadableFileError as error:
        problems.append(str(error))


def _sentence(name: str, error: Exception) -> str:
    return str(error) if isinstance(error, UnreadableFileError) else f"{name}: cannot be unpacked ({error})"
