"""The files of one run: per series one result JSON, one contact sheet and, if asked for, the suspicious slices."""

from pathlib import Path

import numpy as np

from ichscan.explain.heat import Bool, heat, inside_head
from ichscan.explain.overlay import Legend, png, slice_picture, with_legend
from ichscan.labels import ANY, LABELS
from ichscan.report.contact_sheet import contact_sheet
from ichscan.report.result import one_to_json
from ichscan.report.write import file_stem, make_folder, write_atomically
from ichscan.types import Prediction, Report, Volume


class SeriesWriter:
    """Writes into one folder and never gives two series of a run the same name."""

    def __init__(self, folder: Path, heatmaps: bool = False) -> None:
        make_folder(folder)
        self._folder = folder
        self._heatmaps = heatmaps
        self._taken: set[str] = set()

    def write(self, report: Report, volume: Volume | None) -> list[Path]:
        """Writes `<series UID>.json` and, when analysed, `<series UID>.png` (and slices); returns the paths.

        Raises:
            OutputError: disk full, no permission.
        """
        stem = file_stem(report.series_instance_uid, self._taken)
        written = [self._folder / f"{stem}.json"]
        write_atomically(written[0], one_to_json(report).encode("utf-8"))
        if volume is not None and report.prediction is not None:
            path = self._folder / f"{stem}.png"
            inside = inside_head(volume, report.prediction)
            write_atomically(path, png(contact_sheet(volume, report, inside)))
            written.append(path)
            if self._heatmaps:
                written += self._write_slices(stem, volume, report.prediction, inside)
        return written

    def _write_slices(self, stem: str, volume: Volume, prediction: Prediction, inside: Bool | None) -> list[Path]:
        suspicious = np.flatnonzero(prediction.slices[:, ANY] >= prediction.slice_thresholds[ANY])
        hot = heat(volume, prediction, ANY, inside)
        threshold = float(prediction.slice_thresholds[ANY])
        paths = []
        for i in map(int, suspicious):
            path = self._folder / f"{stem}-slice-{i + 1:03d}.png"
            place = f"slice {i + 1} of {len(volume.hu)}"
            legend = Legend(LABELS[ANY], float(prediction.slices[i, ANY]), threshold, place)
            write_atomically(path, png(with_legend(slice_picture(volume, i, hot.on(i)), legend)))
            paths.append(path)
        return paths
