"""Runs a model over the slices of a store that have lesion boxes, and scores its maps against them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ichscan.anatomy import intracranial_mask
from ichscan.evaluate.localisation import UNKNOWN_MM, Boxes, Scored, Slice, score
from ichscan.evaluate.sources.bundle import volume_of
from ichscan.explain.fine import refine
from ichscan.explain.heat import Bool, activation, widened
from ichscan.explain.maps import on_slice, settled_logits, shown_maps
from ichscan.labels import ANY, LABELS
from ichscan.model.predict import predict
from ichscan.types import Float32, Prediction, Volume

if TYPE_CHECKING:
    from ichscan.datasets.store import SeriesRows, SliceStore
    from ichscan.model.bundle import Bundle

CLASS: Final = "class activation"
SETTLED: Final = "lesion maps"
FINE: Final = "lesion maps, two sizes"
KINDS: Final = (CLASS, SETTLED, FINE)
"""Kinds of maps, each compared with the one before."""


def boxed_series(store: "SliceStore") -> list["SeriesRows"]:
    """The series of a store in which at least one slice has a lesion box."""
    names = store.table["slice_id"]
    with_box = set(store.boxes_by_slice)
    return [s for s in store.series() if not with_box.isdisjoint(names.take(s.rows).to_pylist())]


class Localised(NamedTuple):
    """What is known of the maps of one series.

    Attributes:
        scored: a score per map and slice with boxes.
        outside: see `outside_activation`.
    """

    scored: list[Scored]
    outside: dict[str, tuple[float, float]]


def localise(store: "SliceStore", series: "SeriesRows", bundle: "Bundle", fold: int = -1) -> Localised:
    """Scores all kinds of maps in the slices of one series that have boxes; `any` has the boxes of all types.

    Args:
        store: with boxes.
        series: of the store.
        bundle: the model; kinds of maps that it has not are left out.
        fold: that was held out.

    Raises:
        DataError: a slice cannot be read.
        NotAnalysableError, BundleError: the model fails.
    """
    volume = volume_of(store, series)
    boxes = [store.boxes_by_slice.get(name, []) for name in volume.files]
    chosen = np.array([bool(b) for b in boxes])
    plain = predict(volume, bundle, class_maps=True)
    inside = inside_of(volume)
    found = []
    for kind, (maps, order) in maps_of(plain, volume, bundle, chosen).items():
        for i in np.flatnonzero(chosen):
            where = Slice(series.patient, volume.files[i], fold, inside[i], pixel_cm2(volume))
            for label, parts in _by_label(boxes[i]).items():
                c = LABELS.index(label)
                top, left, side = (int(v) for v in plain.boxes[i])
                values = on_slice(maps[i, c], (top, left, side), inside[i].shape)
                ranks = on_slice(order[i, c], (top, left, side), inside[i].shape, outside=-np.inf)
                found.append(score(values, parts, where, label, kind, float(plain.slices[i, c]), order=ranks))
    return Localised(found, outside_activation(volume, plain))


def maps_of(plain: Prediction, volume: Volume, bundle: "Bundle", chosen: Bool) -> Mapping[str, tuple[Float32, Float32]]:
    """Kind -> maps and what orders their cells, of those of `KINDS` that the model has.

    Both float32 (slices, 6, map rows, map cols); the maps are at least 0.
    """
    found: dict[str, tuple[Float32, Float32]] = {}
    if plain.class_maps is not None:
        found[CLASS] = np.maximum(plain.class_maps, 0), plain.class_maps
    if plain.lesion_maps is None:
        return found
    for kind, prediction in ((SETTLED, plain), (FINE, refine(plain, volume, bundle, chosen))):
        maps = shown_maps(prediction, volume.positions_mm)
        if maps is None or prediction.lesion_maps is None or (kind == FINE and prediction is plain):
            continue
        found[kind] = maps, settled_logits(prediction.lesion_maps, volume.positions_mm)
    return found


def inside_of(volume: Volume) -> Bool:
    """Bool (slices, rows, cols), where heat may be shown, in every slice."""
    mask = intracranial_mask(volume.hu, volume.spacing_mm or (UNKNOWN_MM, UNKNOWN_MM))
    return widened(mask, volume.hu, np.arange(len(mask)))


def pixel_cm2(volume: Volume) -> float:
    """Area of a pixel; from an assumed size where none is recorded."""
    rows_mm, cols_mm = volume.spacing_mm or (UNKNOWN_MM, UNKNOWN_MM)
    return rows_mm * cols_mm / 100


def outside_activation(volume: Volume, prediction: Prediction) -> dict[str, tuple[float, float]]:
    """Kind of map -> positive activation for any hemorrhage in all, and outside the inside of the skull.

    Of slices called positive in which a closed skull is found; before maps are kept inside.
    """
    called = prediction.slices[:, ANY] >= prediction.slice_thresholds[ANY]
    mask = intracranial_mask(volume.hu, volume.spacing_mm or (UNKNOWN_MM, UNKNOWN_MM))
    rows = np.flatnonzero(called & mask.any(axis=(1, 2)))
    inside = widened(mask, volume.hu, rows)[rows]
    kinds: dict[str, Float32 | None] = {CLASS: prediction.class_maps}
    if prediction.lesion_maps is not None:
        kinds[SETTLED] = shown_maps(prediction, volume.positions_mm)
    return {
        kind: activation(maps[rows, ANY], prediction.boxes[rows], inside)
        for kind, maps in kinds.items()
        if maps is not None
    }


def _by_label(boxes: list[tuple[str, float, float, float, float]]) -> dict[str, Boxes]:
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for kind, *box in boxes:
        x0, y0, x1, y1 = box
        for label in dict.fromkeys((kind, LABELS[ANY])):
            found.setdefault(label, []).append((x0, y0, x1, y1))
    return dict(found)
