"""The forms in which findings leave ichscan, by name, and the one function that writes them."""

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ichscan.errors import InputError
from ichscan.explain.heat import Bool, gates, heat, widened
from ichscan.explain.overlay import Legend, edge_letters, png, slice_picture, with_legend
from ichscan.labels import ANY, LABELS
from ichscan.report.findings import Findings
from ichscan.report.stored import rounded
from ichscan.report.write import make_folder, write_atomically
from ichscan.types import Prediction, Report, Volume

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydicom.dataset import Dataset

    from ichscan.report.dicom import SourceSeries

TEXT: Final = "text"
HTML: Final = "html"
FHIR: Final = "fhir"
SR: Final = "sr"
HEATMAPS: Final = "heatmaps"
KINDS: Final = (TEXT, HTML, FHIR, SR, HEATMAPS)
SUFFIX: Final = {TEXT: ".txt", HTML: ".html", FHIR: ".fhir.json"}
FROM_IMAGES: Final = frozenset({SR, HEATMAPS})
"""Kinds that cannot be made from findings alone."""


@dataclass(frozen=True, eq=False)
class Images:
    """What findings were made from.

    Attributes:
        report: of the series, analysed or not.
        volume: None when not analysed.
        mask: bool (slices, rows, cols), `ichscan.anatomy.intracranial_mask` of the volume; None where not known.
    """

    report: Report
    volume: Volume | None
    mask: Bool | None = None

    @cached_property
    def inside(self) -> Bool | None:
        """Bool (slices, rows, cols), where heat may be, see `ichscan.explain.heat.inside_head`."""
        prediction = self.report.prediction
        if self.mask is None or self.volume is None or prediction is None:
            return None
        return widened(self.mask, self.volume.hu, np.flatnonzero(gates(prediction)))


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written, and one sentence for each thing that could not be made."""

    paths: tuple[Path, ...]
    problems: tuple[str, ...] = ()


def export(findings: Findings, images: Images | None, kinds: Collection[str], folder: Path, stem: str) -> Exported:
    """Writes `<stem>.txt`, `<stem>.html`, `<stem>.fhir.json`, `<stem>-slice-NNN.png` and DICOM in `<stem>-dicom`.

    The findings are rounded as in the result JSON first, so that reports made later from it are the same.

    Args:
        findings: of one series.
        images: of the same series; without them, the HTML page has no viewer, and `FROM_IMAGES` are told as problems.
        kinds: of `KINDS`. Heat maps are pictures (PNG), and with structured reports DICOM as well.
        folder: made when missing.
        stem: of the file names, see `ichscan.report.write.file_stem`.

    Raises:
        OutputError: disk full, no permission.
        MissingExtraError: structured reports without the extra `report`.
    """
    make_folder(folder)
    told = rounded(findings)
    problems = [f"{kind} needs the images" for kind in KINDS if kind in FROM_IMAGES & {*kinds} and images is None]
    # The page mostly compresses pixels, DICOM mostly waits for the disk: together they take little longer than one.
    with ThreadPoolExecutor(1, "ichscan-documents") as pool:
        documents = pool.submit(_documents, told, images, kinds)
        paths: list[Path] = []
        if images is not None and HEATMAPS in kinds:
            paths += _pictures(images, folder, stem)
        if images is not None and SR in kinds:
            try:
                paths += _dicom(told, images, HEATMAPS in kinds, folder / f"{stem}-dicom")
            except InputError as error:  # NIfTI, an unreadable file: no study that a DICOM object could be part of
                problems.append(f"no DICOM results: {error}")
        for suffix, document in documents.result():
            paths.append(folder / f"{stem}{suffix}")
            write_atomically(paths[-1], document)  # never in the other thread: it reads the process's umask
    return Exported(tuple(paths), tuple(problems))


def check(kinds: Collection[str]) -> None:
    """Raises MissingExtraError when a kind cannot be written here, before an analysis is made for nothing."""
    if SR in kinds:
        import ichscan.report.dicom  # noqa: F401


def _documents(findings: Findings, images: Images | None, kinds: Collection[str]) -> list[tuple[str, bytes]]:
    """Suffix and content of each file."""
    return [(SUFFIX[kind], _document(kind, findings, images).encode("utf-8")) for kind in SUFFIX if kind in kinds]


def _document(kind: str, findings: Findings, images: Images | None) -> str:
    if kind == TEXT:
        from ichscan.report.text import draft

        return draft(findings)
    if kind == FHIR:
        from ichscan.report.fhir import to_json

        return to_json(findings)
    from ichscan.report.viewer import viewer

    if images is None:
        return viewer(findings)
    return viewer(findings, images.report.prediction, images.volume, images.mask)


def _pictures(images: Images, folder: Path, stem: str) -> list[Path]:
    """A full-size picture of every slice at or above its threshold, with its heat map."""
    volume, prediction = images.volume, images.report.prediction
    if volume is None or prediction is None:
        return []
    hot = heat(volume, prediction, ANY, images.inside)
    threshold = float(prediction.slice_thresholds[ANY])
    paths = []
    for i in map(int, np.flatnonzero(prediction.slices[:, ANY] >= prediction.slice_thresholds[ANY])):
        path = folder / f"{stem}-slice-{i + 1:03d}.png"
        place = f"slice {i + 1} of {len(volume.hu)}"
        legend = Legend(LABELS[ANY], float(prediction.slices[i, ANY]), threshold, place, edge_letters(volume))
        write_atomically(path, png(with_legend(slice_picture(volume, i, hot.on(i)), legend)))
        paths.append(path)
    return paths


def _dicom(findings: Findings, images: Images, maps: bool, folder: Path) -> list[Path]:
    from ichscan.report.dicom import key_objects, read_source, structured_report, write_dicom

    if not images.report.files:
        raise InputError(f"nothing could be read that says which study it belongs to: {findings.reason}")
    source = read_source(images.report.files, images.volume)
    paths = write_dicom(folder, [structured_report(findings, source), key_objects(findings, source)])
    if maps and images.volume is not None and images.report.prediction is not None:
        paths += write_dicom(folder, _maps(findings, source, images, images.volume, images.report.prediction))
    return paths


def _maps(
    findings: Findings, source: "SourceSeries", images: Images, volume: Volume, prediction: Prediction
) -> "Iterator[Dataset | None]":
    from ichscan.report.dicom import parametric_map, secondary_capture

    inside = images.inside
    yield parametric_map(findings, source, volume, prediction, inside)
    yield from secondary_capture(findings, source, volume, prediction, inside)
