"""DICOMDIR: the index of a DICOM medium (PS3.3 Annex F, PS3.10 section 8)."""

from pathlib import Path
from typing import Final

import pydicom

from ichscan.dicom.header import PARSE_ERRORS
from ichscan.dicom.quiet import quiet_pydicom

DICOMDIR: Final = "DICOMDIR"
IMAGES: Final = ("IMAGE", "PRIVATE")
"""Directory Record Types (0004,1430) that can lead to CT slices."""


def listed_files(path: Path, problems: list[str]) -> list[Path]:
    """Files that a DICOMDIR refers to (Referenced File ID (0004,1500)) and that exist.

    Appends one sentence to `problems` when files are missing or the index itself is broken.
    """
    try:
        with quiet_pydicom():
            records = pydicom.dcmread(path, force=True).get("DirectoryRecordSequence", [])
            images = [r for r in records if r.get("DirectoryRecordType") in IMAGES and r.get("ReferencedFileID")]
            listed = [tuple(_parts(record.ReferencedFileID)) for record in images]
    except (OSError, *PARSE_ERRORS) as error:
        problems.append(f"{path}: the index cannot be read ({error}); the files beside it are read instead")
        return []
    found = [file for file in (_locate(path.parent, parts) for parts in listed) if file is not None]
    if len(found) < len(listed):
        problems.append(
            f"{path}: lists {len(listed)} files, of which {len(listed) - len(found)} are missing; "
            "copy the whole medium to have them analysed"
        )
    return found


def _parts(value: object) -> list[str]:
    return [value] if isinstance(value, str) else [str(part) for part in value]  # type: ignore[attr-defined]


def _locate(folder: Path, parts: tuple[str, ...]) -> Path | None:
    """Follows the components, tolerating the lower-case names and `;1` suffixes of badly copied discs."""
    here = folder
    for part in parts:
        if part in ("", ".", "..") or "/" in part or "\\" in part:
            return None
        exact = here / part
        if not exact.exists():
            wanted = part.casefold()
            exact = next((p for p in _children(here) if p.name.casefold().partition(";")[0] == wanted), exact)
        here = exact
    return here if here.is_file() else None


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
