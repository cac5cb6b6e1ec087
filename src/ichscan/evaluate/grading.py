"""Writes the grading sheet of an evaluation: the most suspicious slices of suspected scans, with their heat maps."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np

from ichscan.datasets.arrow import write_whole
from ichscan.errors import InputError, OutputError, UsageError
from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.localise import inside_of
from ichscan.evaluate.part import Options
from ichscan.evaluate.sources.bundle import volume_of
from ichscan.explain.draw import UInt8
from ichscan.explain.fine import refine
from ichscan.explain.grading import Graded, grading_sheet
from ichscan.explain.heat import heat
from ichscan.explain.overlay import Legend, png, slice_picture, with_legend
from ichscan.labels import ANY, LABELS
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.model.predict import predict
from ichscan.types import Float32, Prediction, Volume

if TYPE_CHECKING:
    from ichscan.datasets.store import SeriesRows, SliceStore

FILE: Final = "grading.html"
MOST_SCANS: Final = 40
"""So many scans can be graded in one sitting; the most suspicious come first."""
SIDE: Final = 360
"""Pixels of a picture: a sheet of 200 stays below 40 MB."""


def write_grading(evaluation: Evaluation, options: Options) -> int:
    """Writes grading.html into `options.out`. Returns the number of pictures.

    One picture for every label that the bundle calls positive in the `options.grading` most suspicious slices of each
    suspected scan, as the readers of Burduja et al. 2020, section 5, were shown.

    Args:
        evaluation: what was predicted.
        options: with a store and a bundle.

    Raises:
        UsageError: without store or bundle.
        BundleError, DataError: the model or a slice cannot be read.
        OutputError: the sheet cannot be written.
    """
    if options.store is None or options.bundle is None:
        raise UsageError("a sheet to grade needs images and a model: give a store and a bundle")
    bundle = load_bundle(options.bundle)
    pictures = [
        picture
        for series in _suspected(evaluation, options.store)
        for picture in _pictures(options.store, series, bundle, options.grading)
    ]
    about = f"Heat maps of {bundle.spec.name} {bundle.spec.version}; data {options.store.digest[:12]}."
    page = grading_sheet(pictures, "Heat maps to grade", about)
    _write(options.out / FILE, page)
    return len(pictures)


def _write(path: Path, page: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, page.encode("utf-8"))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another folder") from error


def _suspected(evaluation: Evaluation, store: "SliceStore") -> list["SeriesRows"]:
    """The scans with the highest probabilities of any hemorrhage, at or above the threshold where there is one."""
    scans = evaluation.scans
    threshold = scans.thresholds[ANY]
    p = scans.p[:, ANY]
    order = [i for i in np.argsort(-p, kind="stable") if not (np.isnan(p[i]) or p[i] < threshold)]
    series = {s.series_uid: s for s in store.series()}
    return [series[scans.ids[i]] for i in order if scans.ids[i] in series][:MOST_SCANS]


def _pictures(store: "SliceStore", series: "SeriesRows", bundle: Bundle, count: int) -> Iterator[Graded]:
    volume = volume_of(store, series)
    try:
        prediction = predict(volume, bundle, class_maps=True)
    except InputError:  # told with the predictions
        return
    chosen = np.zeros(len(volume.hu), np.bool_)
    chosen[np.argsort(-prediction.slices[:, ANY], kind="stable")[:count]] = True
    chosen &= prediction.slices[:, ANY] >= prediction.slice_thresholds[ANY]
    prediction = refine(prediction, volume, bundle, chosen)
    inside = inside_of(volume)
    for label in (ANY, *range(ANY)):
        hot = heat(volume, prediction, label, inside)
        positive = prediction.slices[:, label] >= prediction.slice_thresholds[label]
        for i in map(int, np.flatnonzero(chosen & positive)):
            yield _one(volume, prediction, i, label, hot.on(i))


def _one(volume: Volume, prediction: Prediction, index: int, label: int, heat_map: Float32) -> Graded:
    place = f"slice {index + 1} of {len(volume.hu)}"
    p, threshold = float(prediction.slices[index, label]), float(prediction.slice_thresholds[label])
    box = prediction.boxes[index]
    pictures = [_cut(slice_picture(volume, index, values), box) for values in (heat_map, np.zeros_like(heat_map))]
    legend = Legend(LABELS[label], p, threshold, place)
    return Graded(
        key=f"{volume.files[index]}:{LABELS[label]}",
        scan=volume.series_instance_uid,
        words=f"{place}, {LABELS[label]} {p:.2f}",
        png=png(with_legend(pictures[0], legend), small=True),
        plain=png(with_legend(pictures[1], legend), small=True),
    )


def _cut(picture: UInt8, box: "np.ndarray[tuple[int], np.dtype[np.int32]]") -> UInt8:
    """The part of a picture (rows, cols, 3) in the square (top, left, side), as `SIDE` x `SIDE`."""
    top, left, side = (int(v) for v in box)
    rows, cols = picture.shape[:2]
    out = np.zeros((side, side, 3), np.uint8)
    y0, y1, x0, x1 = max(top, 0), min(top + side, rows), max(left, 0), min(left + side, cols)
    out[y0 - top : y1 - top, x0 - left : x1 - left] = picture[y0:y1, x0:x1]
    return np.asarray(cv2.resize(out, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)
