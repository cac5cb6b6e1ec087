"""The files of one run: per series one result JSON, one contact sheet, and the exports that are asked for."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ichscan.anatomy import intracranial_mask
from ichscan.explain.heat import Bool
from ichscan.explain.overlay import png
from ichscan.report.contact_sheet import contact_sheet
from ichscan.report.exports import Images, check, export
from ichscan.report.find import find
from ichscan.report.result import one_to_json, result
from ichscan.report.stored import stored
from ichscan.report.write import file_stem, make_folder, write_atomically
from ichscan.types import Report, Volume


@dataclass(frozen=True, slots=True)
class Written:
    """What was written of one series.

    Attributes:
        result: the object in its result JSON.
        paths: of the files.
        problems: one sentence for each export that could not be made.
    """

    result: dict[str, Any]
    paths: tuple[Path, ...]
    problems: tuple[str, ...]


class SeriesWriter:
    """Writes into one folder and never gives two series of a run the same name."""

    def __init__(self, folder: Path, kinds: Collection[str] = ()) -> None:
        check(kinds)
        make_folder(folder)
        self._folder = folder
        self._kinds = frozenset(kinds)
        self._taken: set[str] = set()

    def write(self, report: Report, volume: Volume | None) -> Written:
        """Writes `<series UID>.json`, when analysed `<series UID>.png`, and the exports (see `ichscan.report.exports`).

        Raises:
            OutputError: disk full, no permission.
            MissingExtraError: structured reports without the extra `report`.
        """
        stem = file_stem(report.series_instance_uid, self._taken)
        prediction = report.prediction
        mask = skull(report, volume)
        findings = find(report, volume, mask)
        told = result(report, stored(findings))
        paths = [self._folder / f"{stem}.json"]
        write_atomically(paths[0], one_to_json(told).encode("utf-8"))
        images = Images(report, volume, mask)
        if volume is not None and prediction is not None:
            paths.append(self._folder / f"{stem}.png")
            write_atomically(paths[-1], png(contact_sheet(volume, report, images.inside)))
        exported = export(findings, images, self._kinds, self._folder, stem)
        return Written(told, (*paths, *exported.paths), exported.problems)


def skull(report: Report, volume: Volume | None) -> Bool | None:
    """The inside of the skull, found once for all that is written; None without spacing, maps or volume."""
    maps = report.prediction is not None and report.prediction.class_maps is not None
    if volume is None or volume.spacing_mm is None or not maps:
        return None
    return intracranial_mask(volume.hu, volume.spacing_mm)
