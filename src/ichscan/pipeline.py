"""The whole flow on one screen: paths -> series -> volume -> prediction -> report."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ichscan.errors import InputError
from ichscan.types import Report, Volume

if TYPE_CHECKING:
    from ichscan.dicom import Intake, Series
    from ichscan.model.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Progress:
    """Callbacks of a caller that shows progress; each may be called from the thread that runs `examine`.

    Attributes:
        files: with the number of files whose headers were read so far.
        found: with the series to analyse and all others, once, after all headers are read.
        slices: with the number of slices of the current series that the network has seen.
    """

    files: Callable[[int], None] | None = None
    found: Callable[["Intake"], None] | None = None
    slices: Callable[[int], None] | None = None


def analyse(
    paths: Sequence[Path | bytes],
    model: Path | None = None,
    window: tuple[float, float] | None = None,
    class_maps: bool = False,
) -> Iterator[Report]:
    """Analyses every head CT series found; one report per series and per unreadable file, nothing left out.

    Memory stays flat: one series is in memory at a time.

    Args:
        paths: files, folders, zip archives, DICOMDIRs, or the bytes of one file.
        model: folder of a model bundle; None = the packaged default.
        window: (centre, width) in HU of 8-bit pictures of slices; without it pictures are not read.
        class_maps: keep the class activation maps in each report's prediction.

    Yields:
        Series in an order that does not depend on file names, then unreadable files.

    Raises:
        BundleError: the model cannot be used.
    """
    for report, _ in examine(paths, model, window, class_maps=class_maps):
        yield report


def examine(
    paths: Sequence[Path | bytes],
    model: Path | None = None,
    window: tuple[float, float] | None = None,
    *,
    class_maps: bool = False,
    fine_maps: bool = False,
    progress: Progress | None = None,
) -> Iterator[tuple[Report, Volume | None]]:
    """`analyse` for callers that draw: each report comes with its volume (None when not analysed).

    The volume is not kept here: drop it before asking for the next report. With `fine_maps`, suspicious slices are read
    a second time for their maps (see `ichscan.explain.fine`).
    """
    progress = progress or Progress()
    # Loading the model takes as long as importing the DICOM library and reading the headers of a scan; most of it
    # releases the interpreter lock.
    with ThreadPoolExecutor(1, "ichscan-model") as pool:
        loading = pool.submit(_load_model, model)
        from ichscan.dicom import open_series

        intake = open_series(paths, window=window, progress=progress.files)
        bundle = loading.result()
    if progress.found is not None:
        progress.found(intake)
    for series in intake.series:
        yield examine_series(series, bundle, class_maps, progress.slices, fine_maps)
    for problem in intake.problems:
        yield Report("not_analysable", problem, "", "", "not read", 0), None


def _load_model(model: Path | None) -> "Bundle":
    """The bundle, with everything imported that a prediction needs."""
    from ichscan.model.bundle import load_bundle

    bundle = load_bundle(model)
    from ichscan.model import predict  # noqa: F401

    return bundle


def examine_series(
    series: "Series",
    bundle: "Bundle",
    class_maps: bool = False,
    progress: Callable[[int], None] | None = None,
    fine_maps: bool = False,
) -> tuple[Report, Volume | None]:
    """One series of `open_series`: its report, and its volume (None when not analysed).

    Args:
        series: as found.
        bundle: the model.
        class_maps: keep the class activation maps in the report's prediction.
        progress: called with the number of slices that the network has seen.
        fine_maps: with `class_maps`, also finer lesion maps of suspicious slices.

    Raises:
        BundleError: the model cannot be used.
    """
    from ichscan.dicom import load_volume
    from ichscan.model.predict import predict

    if series.reason is not None:
        return _refused(series, series.reason), None
    start = time.perf_counter()
    try:
        volume = load_volume(series)
        read = time.perf_counter() - start
        prediction = predict(volume, bundle, class_maps=class_maps, progress=progress)
        if fine_maps:
            from ichscan.explain.fine import refine

            prediction = refine(prediction, volume, bundle)
    except InputError as error:
        return _refused(series, str(error)), None
    except MemoryError:
        return _refused(series, f"not enough memory for {series.slices} slices; close other programs"), None
    timing = {"read": read, **prediction.timing_s, "total": time.perf_counter() - start}
    report = Report(
        status="analysed",
        reason=None,
        study_instance_uid=volume.study_instance_uid,
        series_instance_uid=volume.series_instance_uid,
        description=series.description,
        slices=series.slices,
        positions_mm=tuple(float(p) for p in volume.positions_mm),
        sop_instance_uids=volume.sop_instance_uids,
        files=volume.files,
        prediction=prediction,
        warnings=tuple(dict.fromkeys((*series.warnings, *volume.warnings, *prediction.warnings))),
        timing_s={stage: round(seconds, 4) for stage, seconds in timing.items()},
    )
    return report, volume


def _refused(series: "Series", reason: str) -> Report:
    """Without a UID only the file name tells which series is meant."""
    if not series.series_instance_uid and series.files and series.files[0] not in reason:
        reason = f"{series.files[0]}: {reason}"
    return Report(
        "not_analysable",
        reason,
        series.study_instance_uid,
        series.series_instance_uid,
        series.description,
        series.slices,
        files=series.files,
        warnings=series.warnings,
    )
