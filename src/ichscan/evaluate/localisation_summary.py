"""Scores of maps to tables: by kind of map, label and size of the lesion, with intervals by patient.

The threshold of a map's overlap is chosen for each fold on the other folds; without folds, for each patient on the
other patients.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ichscan.errors import DataError
from ichscan.evaluate.localisation import COLUMNS, LEVELS, OVERLAPS, TOLERANCE, Scored
from ichscan.evaluate.resampling import bootstrap_mean
from ichscan.labels import ANY, LABELS

ROW: Final = (*COLUMNS, "level", "iou", "dice", *(f"found_{overlap:g}" for overlap in OVERLAPS))
"""Columns of localisation.csv; `level` is the threshold, a share of the map's maximum, that the last ones belong to."""
NUMBERS: Final = frozenset(ROW) - {"patient", "slice_id", "label", "maps"}
SIZES: Final = (("< 1 cm²", 0.0, 1.0), ("1-4 cm²", 1.0, 4.0), ("> 4 cm²", 4.0, math.inf))
Row = tuple[Any, ...]


def rows_of(scored: Sequence[Scored]) -> list[Row]:
    """One row per score, in the order of `ROW`, with the overlap at the threshold chosen on other folds."""
    chosen = _chosen_levels(scored)
    rows = []
    for s in scored:
        k = chosen[s.maps, _group(s)]
        head = [round(v, 5) if isinstance(v, float) else v for v in (getattr(s, name) for name in COLUMNS)]
        rows.append((*head, LEVELS[k], round(s.iou[k], 5), round(s.dice[k], 5), *s.found[k]))
    return rows


def _group(s: Scored) -> str:
    return str(s.fold) if s.fold >= 0 else s.patient


def _chosen_levels(scored: Sequence[Scored]) -> dict[tuple[str, str], int]:
    """(maps, fold or patient) -> place in `LEVELS` of the best mean intersection over union of all others' `any`."""
    chosen = {}
    for maps in dict.fromkeys(s.maps for s in scored):
        of = [s for s in scored if s.maps == maps]
        whole = [s for s in of if s.label == LABELS[ANY]]
        for group in dict.fromkeys(_group(s) for s in of):
            others = [s.iou for s in whole if _group(s) != group] or [s.iou for s in whole] or [s.iou for s in of]
            chosen[maps, group] = int(np.mean(others, axis=0).argmax())
    return chosen


def read_rows(path: Path) -> list[Row]:
    """Rows of a localisation.csv. Raises DataError when it is none."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.reader(file)
            head = tuple(next(reader, ()))
            if head != ROW:
                raise DataError(f"{path}: expected the columns {', '.join(ROW)}; write it again")
            return [
                tuple(float(v) if name in NUMBERS else v for name, v in zip(ROW, row, strict=True)) for row in reader
            ]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); write it again") from error


def summarise(rows: Sequence[Row], draws: int = 1000, seed: int = 0) -> list[dict[str, Any]]:
    """Per kind of map: all labels, and `any` by size of lesion; each with the number of slices, patients and boxes.

    Every measure is (value, low, high): a 95 % interval from resampled patients; NaN without slices.
    """
    found = []
    for maps in dict.fromkeys(row[ROW.index("maps")] for row in rows):
        of = [dict(zip(ROW, row, strict=True)) for row in rows if row[ROW.index("maps")] == maps]
        for label in (LABELS[ANY], *LABELS[:ANY]):
            found.append(_one(maps, label, "all", [r for r in of if r["label"] == label], draws, seed))
        for size, low, high in SIZES:
            some = [r for r in of if r["label"] == LABELS[ANY] and low <= r["area_cm2"] < high]
            found.append(_one(maps, LABELS[ANY], size, some, draws, seed))
    return found


def _one(maps: str, label: str, size: str, rows: Sequence[Mapping[str, Any]], draws: int, seed: int) -> dict[str, Any]:
    patients = np.array([r["patient"] for r in rows], np.str_)
    boxes = [float(r["boxes"]) for r in rows]

    def mean(values: Iterable[float], weights: Sequence[float] | None = None) -> tuple[float, float, float]:
        return _mean(np.array(list(values), np.float64), patients, weights, draws, seed)

    return {
        "maps": maps,
        "label": label,
        "size": size,
        "slices": len(rows),
        "patients": len(set(patients.tolist())),
        "boxes": int(sum(boxes)),
        "hit": mean(float(r["distance"] == 0) for r in rows),
        f"hit_{TOLERANCE:g}px": mean(float(r["distance"] <= TOLERANCE) for r in rows),
        "chance": mean(r["chance"] for r in rows),
        "energy": mean(0.0 if math.isnan(r["energy"]) else r["energy"] for r in rows),
        "iou": mean(r["iou"] for r in rows),
        "dice": mean(r["dice"] for r in rows),
        **{f"boxes_found_{o:g}": mean((r[f"found_{o:g}"] / max(r["boxes"], 1) for r in rows), boxes) for o in OVERLAPS},
    }


def _mean(
    values: np.ndarray[Any, np.dtype[np.float64]],
    patients: np.ndarray[Any, Any],
    weights: Sequence[float] | None,
    draws: int,
    seed: int,
) -> tuple[float, float, float]:
    """Weighted mean with its interval; rounded to 4 digits."""
    if len(values) == 0:
        return (float("nan"),) * 3
    w = np.ones(len(values)) if weights is None else np.array(weights, np.float64)
    repeated = np.repeat(values, w.astype(int))
    low, high = bootstrap_mean(repeated, np.repeat(patients, w.astype(int)), draws, seed)
    return round(float(repeated.mean()), 4), round(low, 4), round(high, 4)


def difference(
    rows: Sequence[Row], new: str, old: str, label: str = LABELS[ANY], draws: int = 1000, seed: int = 0
) -> tuple[float, float, float]:
    """Hits of one kind of map more than of another on the same slices, as a share: value, low, high by patient."""
    hit: dict[str, dict[str, tuple[str, float]]] = {new: {}, old: {}}
    for row in rows:
        r = dict(zip(ROW, row, strict=True))
        if r["label"] == label and r["maps"] in hit:
            hit[r["maps"]][r["slice_id"]] = (r["patient"], float(r["distance"] == 0))
    both = [name for name in hit[new] if name in hit[old]]
    values = np.array([hit[new][n][1] - hit[old][n][1] for n in both], np.float64)
    return _mean(values, np.array([hit[new][n][0] for n in both], np.str_), None, draws, seed)
