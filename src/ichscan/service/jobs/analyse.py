"""One analysis: the files of a study in, a folder of results out. Knows nothing of the database or of jobs."""

import os
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.report.findings import ABSENT, PRESENT, UNCERTAIN
from ichscan.service.imagery_files import series_entry, write_heat, write_index, write_slices

if TYPE_CHECKING:
    from ichscan.model.bundle import Bundle
    from ichscan.report.files import SeriesWriter
    from ichscan.types import Report, Volume

ALWAYS: Final = ("text", "html", "fhir")
"""Exports that are offered for download, whatever is sent. DICOM objects are as `send.exports` says."""
RANK: Final = (ABSENT, UNCERTAIN, PRESENT)
LONGEST_REASON: Final = 500


@dataclass(slots=True)
class Analysis:
    """What came of it, over all series of the study.

    Attributes:
        content: objects of `ichscan.result/1` with findings, one per series or unreadable file.
        dicom: DICOM objects to file with the study, relative to the folder of the result.
        problems: one sentence each: exports that could not be made.
        failed: reasons of files, and of series chosen for analysis, that could not be read.
        seconds: it took.
    """

    content: list[dict[str, Any]] = field(default_factory=list)
    dicom: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def analysed(self) -> list[dict[str, Any]]:
        """Results of the series that were analysed."""
        return [one for one in self.content if one["status"] == "analysed"]

    @property
    def reason(self) -> str:
        """Why nothing was analysed; else what was not, although it should have been; "" when all was."""
        if self.analysed:
            return "; ".join(dict.fromkeys([*self._unjudged(), *self.failed, *self.problems]))[:LONGEST_REASON]
        reasons = dict.fromkeys(str(one["reason"]) for one in self.content)
        return "; ".join(reasons)[:LONGEST_REASON] or "no images were found; send the study again"

    def _unjudged(self) -> list[str]:
        """Slices that cannot be read; and what the images do not show, unless another series shows the whole head."""
        from ichscan.dicom.unjudged import not_covered, unread

        count = sum(unread(one["warnings"]) for one in self.analysed)
        told = [f"{count} images cannot be read and were not judged"] if count else []
        holes = [not_covered(one["warnings"]) for one in self.analysed]
        return [*told, *(sentence.rstrip(".") for some in holes for sentence in some if all(holes))]

    @property
    def probability(self) -> float | None:
        """Of any hemorrhage, the highest of the series."""
        return max((float(one["scan"]["any"]["probability"]) for one in self.analysed), default=None)

    @property
    def states(self) -> dict[str, str]:
        """Label -> the strongest state of any series; {} when nothing was analysed."""
        found: dict[str, str] = {}
        for one in self.analysed:
            for label, finding in one["findings"]["labels"].items():
                found[label] = max(found.get(label, ABSENT), finding["state"], key=RANK.index)
        return found

    @property
    def suspected(self) -> bool | None:
        """Whether any hemorrhage is present; None when nothing was analysed."""
        return self.states["any"] == PRESENT if self.analysed else None


def analyse(paths: Sequence[Path], bundle: "Bundle", exports: Collection[str], folder: Path, cache: Path) -> Analysis:
    """Analyses every series of a study and writes everything that is kept of it.

    Args:
        paths: files of the study.
        bundle: the model, loaded.
        exports: of `ichscan.service.settings.EXPORTS`.
        folder: for the results; made, expected empty.
        cache: for the decoded slices; made.

    Raises:
        BundleError: the model cannot be used.
        OutputError: disk full, no permission.
    """
    from ichscan.dicom import open_series
    from ichscan.pipeline import examine_series
    from ichscan.report.files import SeriesWriter
    from ichscan.types import Report

    start = time.perf_counter()
    found = Analysis()
    writer = SeriesWriter(folder, {*ALWAYS, *exports})
    entries: list[dict[str, Any]] = []
    made: list[_Objects] = []
    folders = {path.parent for path in paths}
    intake = open_series(paths)
    for series in intake.series:
        report, volume = examine_series(series, bundle, class_maps=True, fine_maps="heatmaps" in exports)
        made.append(_keep(report, volume, writer, found, folders))
        if series.reason is None and volume is None:
            found.failed.append(str(found.content[-1]["reason"]))
        entries.append(_pictures(len(entries), report, volume, found.content[-1], folder, cache))
        del report, volume  # before the next series is read
    for problem in intake.problems:
        made.append(_keep(Report("not_analysable", problem, "", "", "not read", 0), None, writer, found, folders))
        found.failed.append(str(found.content[-1]["reason"]))
    write_index(folder, entries)
    found.dicom = [path.relative_to(folder) for path in _to_send(made)]
    found.seconds = time.perf_counter() - start
    return found


def _keep(
    report: "Report", volume: "Volume | None", writer: "SeriesWriter", found: Analysis, folders: Collection[Path]
) -> "_Objects":
    """Writes what is told of one series, without the folders of this machine: it goes to the PACS."""
    from ichscan.report.result import one_to_json
    from ichscan.report.write import write_atomically

    def plain(text: str) -> str:
        for folder in folders:
            text = text.replace(f"{folder}{os.sep}", "")
        return text

    reason = None if report.reason is None else plain(report.reason)
    written = writer.write(replace(report, reason=reason, warnings=tuple(map(plain, report.warnings))), volume)
    for one in written.result["slices"]:
        one["file"] = Path(one["file"]).name  # only now: the DICOM objects are made from the files
    write_atomically(written.paths[0], one_to_json(written.result).encode("utf-8"))
    found.content.append(written.result)
    found.problems += map(plain, written.problems)
    return _Objects(report.slices, volume is not None, [path for path in written.paths if path.suffix == ".dcm"])


@dataclass(frozen=True, slots=True)
class _Objects:
    """DICOM objects made of one series."""

    slices: int
    analysed: bool
    paths: list[Path]


def _to_send(made: Sequence[_Objects]) -> list[Path]:
    """Those of the analysed series; of a study without any, those of its largest series, which say why.

    Nobody wants a report that a localizer was not analysed beside the report on the head.
    """
    chosen = [one for one in made if one.analysed]
    if not chosen:
        chosen = sorted((one for one in made if one.paths), key=lambda one: -one.slices)[:1]
    return [path for one in chosen for path in one.paths]


def _pictures(
    number: int, report: "Report", volume: "Volume | None", told: dict[str, Any], folder: Path, cache: Path
) -> dict[str, Any]:
    """What the viewer needs of one series."""
    entry = series_entry(report, volume, told)
    if volume is not None and report.prediction is not None:
        states = {label: finding["state"] for label, finding in told["findings"]["labels"].items()}
        entry["heat"] = write_heat(folder, number, report, volume, states)
        write_slices(cache, number, volume.hu)
    return entry
