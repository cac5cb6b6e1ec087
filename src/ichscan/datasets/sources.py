"""Every kind of collection that can be imported, in one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from ichscan.datasets.collection import Collection
from ichscan.datasets.cq500 import Cq500
from ichscan.datasets.ctich_import import CtIchPictures
from ichscan.datasets.ctich_nifti import CtIchVolumes
from ichscan.datasets.feedback import FeedbackExport
from ichscan.datasets.own import Own
from ichscan.datasets.rsna import Rsna
from ichscan.errors import DataError, UsageError


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of collection is described and opened: from its source, and a label file where one can be given."""

    summary: str
    source: str
    labels: str | None
    open: Callable[[Path, Path | None], Collection]


def _rsna(source: Path, labels: Path | None) -> Collection:
    return Rsna(source)


def _ct_ich(source: Path, labels: Path | None) -> Collection:
    if (source / "Patients_CT").is_dir():
        return CtIchPictures(source)
    if (source / "ct_scans").is_dir():
        return CtIchVolumes(source)
    raise DataError(f"{source}: expected the folder Patients_CT (release 1.0.0) or ct_scans (1.3.1), found neither")


def _cq500(source: Path, labels: Path | None) -> Collection:
    return Cq500(source, labels)


def _feedback(source: Path, labels: Path | None) -> Collection:
    return FeedbackExport(source)


def _own(source: Path, labels: Path | None) -> Collection:
    if labels is None:
        raise UsageError("data import own: give the CSV with --labels")
    return Own(source, labels)


KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "rsna": Kind("RSNA 2019, stage 2", "Kaggle's zip archive (never unpacked) or its folder", None, _rsna),
        "ct-ich": Kind("PhysioNet CT-ICH, release 1.0.0 or 1.3.1", "folder of the release", None, _ct_ich),
        "cq500": Kind(
            "CQ500", "folder with the patients' folders or zip archives", "reads.csv, where it is not in SOURCE", _cq500
        ),
        "own": Kind(
            "your own DICOM files", "folder or zip archive of DICOM files",
            "CSV: file, sop_instance_uid or series_instance_uid; a column per known label; optional patient, part",
            _own,
        ),
        "feedback": Kind(
            "what people said of results in `ichscan serve`", "zip archive of its export, or the folder of one", None,
            _feedback,
        ),
    }
)  # fmt: skip
