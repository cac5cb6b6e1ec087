"""The files of a result. A request names one of those that are there; no name is ever made into a path."""

from pathlib import Path
from typing import Final

from pydantic import BaseModel

from ichscan.service.imagery import INDEX

KINDS: Final = {
    ".fhir.json": ("fhir", "application/fhir+json"),
    ".json": ("result", "application/json"),
    ".html": ("report", "text/html; charset=utf-8"),
    ".txt": ("text", "text/plain; charset=utf-8"),
    ".png": ("picture", "image/png"),
}
"""Ending -> kind, media type; the first that fits counts."""
DICOM: Final = "-dicom"
ZIP: Final = ".zip"


class FileInfo(BaseModel):
    """A file that can be downloaded; `size` in bytes, of a DICOM archive before it is packed."""

    name: str
    kind: str
    size: int


def files_of(folder: Path, demo: bool) -> list[FileInfo]:
    """What the folder of a result holds for people; in demo mode the pictures alone, since others have free text."""
    found = []
    for path in _entries(folder):
        if path.is_dir():
            if path.name.endswith(DICOM):
                size = sum(one.stat().st_size for one in dicom_files(path))
                found.append(FileInfo(name=path.name + ZIP, kind="dicom", size=size))
        elif (kind := kind_of(path.name)) is not None:
            found.append(FileInfo(name=path.name, kind=kind[0], size=path.stat().st_size))
    return [one for one in found if not demo or one.kind == "picture"]


def path_of(folder: Path, name: str, demo: bool) -> Path | None:
    """Path of the file, or folder, that is offered under a name; None for any other name."""
    if all(one.name != name for one in files_of(folder, demo)):
        return None
    return next((path for path in _entries(folder) if path.name == name or path.name + ZIP == name), None)


def kind_of(name: str) -> tuple[str, str] | None:
    """Kind and media type; None of files that are not for download."""
    if name == INDEX:
        return None
    return next((kind for ending, kind in KINDS.items() if name.endswith(ending)), None)


def dicom_files(folder: Path) -> list[Path]:
    """The DICOM objects that were made of one series."""
    return [path for path in _entries(folder) if path.suffix == ".dcm" and path.is_file()]


def _entries(folder: Path) -> list[Path]:
    try:
        return [path for path in sorted(folder.iterdir()) if not path.is_symlink() and not path.name.startswith(".")]
    except OSError:  # deleted with its study
        return []
