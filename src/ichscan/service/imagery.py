"""What the viewer shows of an analysed study, made once by the worker: slices in HU, heat, and what both belong to.

    results/<study id>/<generation>/imagery.json     one object per series, see `Imagery.index`
    results/<study id>/<generation>/heat-<s>.zip     members "<label>-<i>"
    cache/<study id>/<generation>/<s>.zip            members "<i>"

s and i are indices into imagery.json and its slices. The zip archives hold each picture gzipped (RFC 1952), as it is
sent to the browser, and uncompressed beside that. What is missing in cache/ is decoded again.
"""

import json
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.errors import InputError
from ichscan.types import Volume

if TYPE_CHECKING:
    from ichscan.service.database import Database
    from ichscan.service.settings import Settings
    from ichscan.service.tables import Result

INDEX: Final = "imagery.json"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture on its way to the browser.

    Attributes:
        data: gzipped; slices are int16 little endian HU, heat is uint8, both in row order as acquired.
        rows, cols: of the picture. Heat is coarser than the slice that it covers wholly.
    """

    data: bytes
    rows: int
    cols: int


class Imagery:
    """Reads what the worker wrote; decodes again what was deleted from cache/. Safe for threads."""

    def __init__(self, settings: "Settings", database: "Database") -> None:
        self._folder = settings.folder
        self._database = database
        self._decoding = threading.Lock()

    def index(self, result: "Result") -> list[dict[str, Any]]:
        """One object per series, see `series_entry`; with key "heat": label -> indices of the slices with heat.

        Raises:
            InputError: the files of the result are not there.
        """
        try:
            found: list[dict[str, Any]] = json.loads((self._folder / result.folder / INDEX).read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(f"result {result.id}: expected {INDEX}, found none; analyse the study again") from error
        return found

    def slice(self, result: "Result", series: int, index: int) -> Picture:
        """HU of one slice. Raises InputError: no such slice, or its image was deleted."""
        entry = self._entry(result, series, index)
        cached = self._cached(result, series)
        data = _member(cached, str(index))
        if data is None:
            with self._decoding:
                data = _member(cached, str(index))  # another request may have waited for the same series
                if data is None:
                    self._decode(result, series, entry)
                    data = _member(cached, str(index))
        if data is None:
            raise InputError(f"result {result.id}: slice {index} cannot be decoded; analyse the study again")
        return Picture(data, entry["rows"], entry["cols"])

    def heat(self, result: "Result", series: int, label: str, index: int) -> Picture:
        """Heat of one slice. Raises InputError: there is none."""
        from ichscan.report.viewer_pixels import HEAT_SIDE

        entry = self._entry(result, series, index)
        if index not in entry.get("heat", {}).get(label, ()):
            raise InputError(f"result {result.id}: no heat of this label on slice {index}")
        data = _member(self._folder / result.folder / f"heat-{series}.zip", f"{label}-{index}")
        if data is None:
            raise InputError(f"result {result.id}: heat was deleted; analyse the study again")
        return Picture(data, HEAT_SIDE, HEAT_SIDE)

    def _entry(self, result: "Result", series: int, index: int) -> dict[str, Any]:
        entries = self.index(result)
        if not (0 <= series < len(entries) and 0 <= index < len(entries[series]["slices"])):
            raise InputError(f"result {result.id}: no slice {index} of series {series}")
        return entries[series]

    def _cached(self, result: "Result", series: int) -> Path:
        return cache_folder(self._folder, result.study_id, result.generation) / f"{series}.zip"

    def _decode(self, result: "Result", series: int, entry: dict[str, Any]) -> None:
        """Decodes the series of `entry` from the images that are held, into cache/."""
        from ichscan.service.imagery_files import write_slices
        from ichscan.service.jobs.inputs import image_paths

        with self._database.read() as session:
            paths = image_paths(session, self._folder, result.study_id, entry["series_instance_uid"])
        wanted = tuple(one["sop_instance_uid"] for one in entry["slices"])
        volume = _volume_of(paths, wanted)
        if volume is None:
            raise InputError(f"result {result.id}: its images are not held any more; send the study again")
        write_slices(self._cached(result, series).parent, series, volume.hu)


def cache_folder(folder: Path, study_id: int, generation: int) -> Path:
    """Where the decoded slices of one generation of a study are kept."""
    return folder / "cache" / str(study_id) / str(generation)


def _member(path: Path, name: str) -> bytes | None:
    """One member of a zip archive; None when the archive or the member is not there or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except (OSError, KeyError, zipfile.BadZipFile):
        return None


def _volume_of(paths: Sequence[Path], wanted: tuple[str, ...]) -> Volume | None:
    """The volume whose slices have these SOP Instance UIDs in this order."""
    from ichscan.dicom import load_volume, open_series

    if not paths:
        return None
    load: Callable[..., Volume] = load_volume
    for series in open_series(paths).series:
        if series.reason is None and series.slices >= len(wanted):
            volume = load(series)
            if tuple(volume.sop_instance_uids) == wanted:
                return volume
    return None
