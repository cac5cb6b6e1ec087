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
from numpy.typing import NDArray

from ichscan.errors import DataError
from ichscan.evaluate.intervals import clustered_wilson
from ichscan.evaluate.localisation import COLUMNS, LEVELS, OVERLAPS, TOLERANCE, Scored
from ichscan.evaluate.resampling import bootstrap_mean, numbered
from ichscan.labels import ANY, LABELS

ROW: Final = (*COLUMNS, "level", "iou", "dice", "boxes_cm2", "box_iou", "marked")
"""Columns of localisation.csv; `level` is the threshold, a share of the map's maximum, that iou, dice, box_iou and
marked belong to. The last three hold a value per box, with blanks between."""
TEXTS: Final = frozenset({"patient", "slice_id", "label", "maps", "boxes_cm2", "box_iou", "marked"})
DIGITS: Final = 4
SIZES: Final = (("< 1 cm²", 0.0, 1.0), ("1-4 cm²", 1.0, 4.0), ("> 4 cm²", 4.0, math.inf))
Row = tuple[Any, ...]


def rows_of(scored: Sequence[Scored]) -> list[Row]:
    """One row per score, in the order of `ROW`, with the overlap at the threshold chosen on other folds."""
    chosen = _chosen_levels(scored)
    rows = []
    for s in scored:
        k = chosen[s.maps, _group(s)]
        head = [round(v, DIGITS) if isinstance(v, float) else v for v in (getattr(s, name) for name in COLUMNS)]
        boxes = (" ".join(f"{v:.4g}" for v in values) for values in (s.boxes_cm2, s.box_iou[k], s.marked[k]))
        rows.append((*head, LEVELS[k], round(s.iou[k], DIGITS), round(s.dice[k], DIGITS), *boxes))
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
            return [tuple(v if name in TEXTS else float(v) for name, v in zip(ROW, row, strict=True)) for row in reader]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error}); write it again") from error


def summarise(rows: Sequence[Row], draws: int = 1000, seed: int = 0) -> list[dict[str, Any]]:
    """Per kind of map: all labels, and `any` by size of lesion; each with the number of slices and patients.

    Every measure is (value, low, high), a 95 % interval by patient: of hits as of all rates (`clustered_wilson`), of
    means from resampled patients; NaN without slices.
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

    def mean(values: Iterable[float]) -> tuple[float, float, float]:
        return _mean(np.array(list(values), np.float64), patients, draws, seed)

    return {
        "maps": maps,
        "label": label,
        "size": size,
        "slices": len(rows),
        "patients": len(set(patients.tolist())),
        "hit": _share(np.array([r["distance"] == 0 for r in rows]), patients),
        f"hit_{TOLERANCE:g}px": _share(np.array([r["distance"] <= TOLERANCE for r in rows]), patients),
        "chance": mean(r["chance"] for r in rows),
        "energy": mean(0.0 if math.isnan(r["energy"]) else r["energy"] for r in rows),
        "iou": mean(r["iou"] for r in rows),
        "dice": mean(r["dice"] for r in rows),
    }


def summarise_boxes(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Per kind of map, label and size of the box: shares of boxes found and marked; as in `summarise`."""
    found = []
    for maps in dict.fromkeys(row[ROW.index("maps")] for row in rows):
        boxes = [box for row in rows if row[ROW.index("maps")] == maps for box in _boxes(row)]
        for label in (LABELS[ANY], *LABELS[:ANY]):
            found.append(_of_boxes(maps, label, "all", [b for b in boxes if b[1] == label]))
        for size, low, high in SIZES:
            some = [b for b in boxes if b[1] == LABELS[ANY] and low <= b[2] < high]
            found.append(_of_boxes(maps, LABELS[ANY], size, some))
    return found


Box = tuple[str, str, float, float, float]
"""Patient, label, area in cm2, intersection over union, 1 when marked."""


def _boxes(row: Row) -> list[Box]:
    r = dict(zip(ROW, row, strict=True))
    values = zip(*(str(r[name]).split() for name in ("boxes_cm2", "box_iou", "marked")), strict=True)
    return [(r["patient"], r["label"], float(a), float(b), float(c)) for a, b, c in values]


def _of_boxes(maps: str, label: str, size: str, boxes: Sequence[Box]) -> dict[str, Any]:
    patients = np.array([b[0] for b in boxes], np.str_)
    iou, marked = (np.array([b[k] for b in boxes], np.float64) for k in (3, 4))
    return {
        "maps": maps,
        "label": label,
        "size": size,
        "boxes": len(boxes),
        "patients": len(set(patients.tolist())),
        "marked": _share(marked > 0, patients),
        **{f"found_{o:g}": _share(iou >= o, patients) for o in OVERLAPS},
    }


def _share(hit: NDArray[np.bool_], patients: NDArray[np.str_]) -> tuple[float, float, float]:
    """Share of hits (n,) with its interval, rounded; NaN without rows."""
    if len(hit) == 0:
        return (float("nan"),) * 3
    index, _ = numbered(patients)
    low, high = clustered_wilson(np.bincount(index, hit).astype(np.float64), np.bincount(index).astype(np.float64))
    return round(float(hit.mean()), DIGITS), round(low, DIGITS), round(high, DIGITS)


def _mean(
    values: np.ndarray[Any, np.dtype[np.float64]],
    patients: np.ndarray[Any, Any],
    draws: int,
    seed: int,
) -> tuple[float, float, float]:
    """Mean with its interval, rounded; NaN without values."""
    if len(values) == 0:
        return (float("nan"),) * 3
    low, high = bootstrap_mean(values, patients, draws, seed)
    return round(float(values.mean()), DIGITS), round(low, DIGITS), round(high, DIGITS)


def summarise_outside(scans: Sequence[tuple[str, Mapping[str, tuple[float, float]]]]) -> dict[str, Any]:
    """Kind of map -> share of the positive activation outside the head: in all, and how it spreads over the scans.

    Args:
        scans: patient, and kind -> (activation in all, outside), see `ichscan.evaluate.localise.outside_activation`.
            Scans without any are left out.
    """
    found: dict[str, Any] = {}
    for kind in dict.fromkeys(kind for _, by_kind in scans for kind in by_kind):
        lit = [(patient, *by_kind[kind]) for patient, by_kind in scans if by_kind.get(kind, (0.0, 0.0))[0] > 0]
        shares = [outside / total for _, total, outside in lit]
        if shares:
            found[kind] = {
                "all": sum(outside for *_, outside in lit) / sum(total for _, total, _ in lit),
                "scans": len(lit),
                "median scan": float(np.median(shares)),
                "90th percentile": float(np.quantile(shares, 0.9)),
                "per scan": [[patient, round(share, DIGITS)] for (patient, *_), share in zip(lit, shares, strict=True)],
            }
    return found


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
    return _mean(values, np.array([hit[new][n][0] for n in both], np.str_), draws, seed)
