"""DICOM files under a folder or in archives, as batches for the import."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from ichscan.datasets.collection import Batch, Problem, SliceRead
from ichscan.datasets.loose import read_loose
from ichscan.dicom.archive import release_nested
from ichscan.dicom.files import walk
from ichscan.dicom.header import looks_like_dicom
from ichscan.dicom.quiet import quiet_pydicom
from ichscan.dicom.source import Source
from ichscan.errors import DataError

PER_BATCH: Final = 128
DICOM_NAMES: Final = (".dcm", ".dicom")
OTHER_IMAGES: Final = (".nii", ".nii.gz", ".nrrd", ".mha", ".jpg", ".jpeg", ".png")
Found = tuple[Source, str]
"""A file and its name within the collection: path with `/`, or `archive.zip!/member`."""


def find_dicom(root: Path) -> tuple[list[Found], list[Problem]]:
    """Files that are DICOM or are named like it, at any depth and inside of zip archives; sorted by name.

    Raises:
        DataError: no such folder or file, or nothing in it.
    """
    if not root.exists():
        raise DataError(f"{root}: no such file or folder; check the path")
    said: list[str] = []
    found: list[Found] = []
    problems: list[Problem] = []
    for source, head in walk([root], said):
        name = _relative(source.name, root)
        if looks_like_dicom(head) or name.lower().endswith(DICOM_NAMES):
            found.append((source, name))
        elif name.lower().endswith(OTHER_IMAGES):
            problems.append(Problem("refused", name, "no DICOM file: only DICOM is imported from here"))
    release_nested()
    if not found:
        raise DataError(f"{root}: expected DICOM files, found none{f' ({said[0]})' if said else ''}")
    problems += [Problem("unreadable", _relative(s.partition(": ")[0], root), s.partition(": ")[2]) for s in said]
    return sorted(found, key=lambda one: one[1]), problems


def _relative(name: str, root: Path) -> str:
    base = str(root if root.is_dir() else root.parent).replace("\\", "/").rstrip("/") + "/"
    return name.replace("\\", "/").removeprefix(base)


def batches(found: Sequence[Found]) -> Iterator[Batch]:
    """Neighbours together: the members of one archive are read by as few processes as possible."""
    for start in range(0, len(found), PER_BATCH):
        items = tuple(found[start : start + PER_BATCH])
        yield Batch(items, len(items))


def read_found(batch: Batch) -> Iterator[SliceRead | Problem]:
    """The slices of a batch."""
    with quiet_pydicom():
        for source, name in batch.items:
            yield from read_loose(source, name)
    release_nested()
