"""Predictions and truth, row beside row. Ids must match; what does not is counted, named, or refused."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow
from ichscan.errors import DataError
from ichscan.evaluate.cases import UNKNOWN, Cases, Evaluation
from ichscan.evaluate.groups import patients_in_two
from ichscan.evaluate.sources.predicted import Predicted, Rows
from ichscan.evaluate.sources.table import duplicates
from ichscan.evaluate.truth import Truth, starts
from ichscan.labels import ANY, LABELS
from ichscan.types import Float64

SHARE: Final = 0.01
"""More ids without partner than this share are refused unless allowed."""
NAMED: Final = 10
FEWEST: Final = 3
"""Fewer slices, or fewer different predictions of them, are alike by chance."""
OWN: Final = "the source's own predictions of scans"
LARGEST: Final = "the highest probability of the scan's slices"


def align(
    truth: Truth, found: Predicted, allow_missing: bool = False, counted: NDArray[np.bool_] | None = None
) -> Evaluation:
    """Puts every prediction beside its label.

    Args:
        truth: labels of the data.
        found: predictions.
        allow_missing: go on when more than 1 % of the ids have no partner; the evaluation is then of the others.
        counted: bool (slices,), the slices of a part of the data; None = all.

    Raises:
        DataError: ids that are there twice, that do not match at all or too few of them, or no label is known.
    """
    expected = _expected(truth, found) & (True if counted is None else counted)
    names = truth.places() if found.by_place else truth.slices
    rows = _rows(names, found.slices, "slice_id")
    missing = expected & (rows < 0)
    extra = _extra(names, found.slices)
    _check(names, found.slices, missing, extra, int(expected.sum()), allow_missing)
    kept = expected & (rows >= 0)
    part = truth.where(kept)
    rows = rows[kept]
    if (part.slice_y == UNKNOWN).all() and (part.scan_y == UNKNOWN).all():
        raise DataError("none of the predicted slices or scans has a label; give the labels with --data or --labels")
    scan_p, scan_fold, scan_from, told = _scans(part, found, rows, allow_missing)
    slices = _cases("slices", part, found.slices.p[rows], found.slices.fold[rows], found.thresholds["slices"])
    scans = _cases("scans", part, scan_p, scan_fold, found.thresholds["scans"])
    first = starts(part.patient_of_scan)
    patients = _cases("patients", part, _largest(scan_p, first), scan_fold[first], found.thresholds["scans"])
    data = {
        **part.about,
        **{cases.level: len(cases) for cases in (slices, scans, patients)},
        "restricted_to": _restriction(found),
        "scan_probability": scan_from,
        "patient_probability": "the highest probability of the patient's scans",
        **_left_out(found, names[missing], extra),
        "warnings": [*part.warnings, *found.warnings, *told, *_doubts(part, found.slices, rows, slices)],
    }
    return Evaluation(
        slices, scans, patients, part.scan_of_slice, part.patient_of_scan, found.about, data, found.chosen_on
    )


def _left_out(found: Predicted, missing: NDArray[np.str_], extra: Sequence[str]) -> dict[str, Any]:
    """What has no partner, for people and programs."""
    return {
        "not_predicted": [label for c, label in enumerate(LABELS) if np.isnan(found.slices.p[:, c]).all()],
        "labels_without_predictions": len(missing),
        "predictions_without_labels": len(extra),
        "missing": missing[:NAMED].tolist(),
        "extra": list(extra[:NAMED]),
        "failed": dict(found.failed),
    }


def _doubts(part: Truth, found: Rows, rows: NDArray[np.int64], slices: Cases) -> list[str]:
    return [
        *_contradictions(slices),
        *_other_labels(part, found, rows),
        *_shared_folds(found.fold[rows], slices),
        *_same_predictions(part, slices),
    ]


def _contradictions(slices: Cases) -> list[str]:
    """Slices with a type, but without any hemorrhage: one of the two labels is wrong."""
    wrong = (slices.y[:, ANY] == 0) & (slices.y[:, :ANY] == 1).any(axis=1)
    if not wrong.any():
        return []
    return [
        f"{int(wrong.sum()):,} slices have a type but no hemorrhage by their labels, which contradict each other: "
        f"{_listed(slices.ids[wrong].tolist())}; correct `any` or the types."
    ]


def _shared_folds(fold: NDArray[np.int64], slices: Cases) -> list[str]:
    """Predictions that are said to be out of fold, but not by patient."""
    shared = patients_in_two(slices.patients, fold) if len(fold) and (fold >= 0).all() else 0
    if not shared:
        return []
    return [
        f"{shared:,} patients have slices in more than one fold: their networks may have learned from other slices of "
        "the same patient, which flatters them."
    ]


def _expected(truth: Truth, found: Predicted) -> NDArray[np.bool_]:
    """Slices that the source should have predicted and that count: bool (slices,)."""
    expected = np.ones(len(truth.slices), bool)
    if found.by_place:
        expected &= truth.places() != ""
    if found.patients is not None:
        known = np.isin(truth.patients, sorted(found.patients))
        expected &= known[truth.patient_of_scan][truth.scan_of_slice]
        if not expected.any():
            raise DataError(
                f"none of the {len(found.patients)} patients that were predicted is in the data; give the store of the "
                "run with --data"
            )
    if found.only_hemorrhagic:
        expected &= truth.slice_y[:, ANY] == 1
    for label in found.without:
        expected &= truth.slice_y[:, LABELS.index(label)] != 1
    if found.failed:
        expected &= ~np.isin(truth.scans, sorted(found.failed))[truth.scan_of_slice]
    return expected


def _restriction(found: Predicted) -> str:
    """Which slices count, for people; "" = all."""
    kinds = ["with hemorrhage"] if found.only_hemorrhagic else []
    kinds += [f"without {label}" for label in found.without]
    return f"slices {', '.join(kinds)}, as the recipe says" if kinds else ""


def _rows(names: NDArray[np.str_], found: Rows, key: str) -> NDArray[np.int64]:
    """Row of the prediction of each name, -1 = none: int64 (names,). Raises DataError for ids that are there twice."""
    twice = duplicates(found.ids)
    if twice:
        raise DataError(
            f"predictions: {len(twice):,} ids ({key}) are there more than once: {_listed(twice)}; keep one row of each"
        )
    import pyarrow.compute as pc

    pa = arrow()
    index = pc.index_in(pa.array(names.tolist(), pa.string()), value_set=found.ids)
    return np.asarray(index.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)


def _extra(names: NDArray[np.str_], found: Rows) -> list[str]:
    """Ids of predictions of slices that are not in the data."""
    import pyarrow.compute as pc

    pa = arrow()
    without = pc.invert(pc.is_in(found.ids, value_set=pa.array(names.tolist(), pa.string())))
    return [str(name) for name in found.ids.filter(without).to_pylist()]


def _check(
    names: NDArray[np.str_], found: Rows, missing: NDArray[np.bool_], extra: Sequence[str], expected: int, allowed: bool
) -> None:
    if not len(found.ids):
        raise DataError("the source holds no predictions")
    lost = int(missing.sum())
    if lost == expected:
        own = next((name for name in names.tolist() if name), "")
        raise DataError(
            f"no prediction belongs to a label: the predictions are of slices such as {found.ids[0].as_py()!r}, the "
            f"labels of slices such as {own!r}; give predictions of this data set, with its own slice_id. A run holds "
            "those of its own data set: to apply it to another, evaluate its bundle, RUN/bundle"
        )
    if allowed:
        return
    shown = (
        (lost, expected, "labels have no prediction", names[missing][:NAMED].tolist()),
        (len(extra), len(found.ids), "predictions have no label", extra),
    )
    for count, of, what, ids in shown:
        if count > SHARE * of:
            raise DataError(
                f"{count:,} of {of:,} {what}: {_listed(ids, count)}; predict them, restrict the data with --part, or "
                "evaluate the others with --allow-missing"
            )


def _scans(
    part: Truth, found: Predicted, rows: NDArray[np.int64], allow_missing: bool
) -> tuple[Float64, NDArray[np.int64], str, list[str]]:
    """Probabilities and folds of scans, where they come from, and what to tell."""
    first = starts(part.scan_of_slice)
    fold = found.slices.fold[rows][first]
    if found.scans is None:
        return _largest(found.slices.p[rows], first), fold, LARGEST, []
    # by place, each patient has one scan, and the patient's name is the scan's
    names = part.patients[part.patient_of_scan] if found.by_place else part.scans
    own = _rows(names, found.scans, "series_uid")
    lost = own < 0
    if lost.all() or (lost.mean() > SHARE and not allow_missing):
        shown = ", ".join(repr(str(name)) for name in found.scans.ids.slice(0, 1).to_pylist())
        raise DataError(
            f"{int(lost.sum()):,} of {len(lost):,} scans have no prediction of their own: "
            f"{_listed(part.scans[lost].tolist())}; the predictions are of scans such as {shown}; give all, or none"
        )
    p = np.where(lost[:, None], np.nan, found.scans.p[own])
    told = [f"{int(lost.sum()):,} scans have no prediction of their own."] if lost.any() else []
    return p, np.where(lost, fold, found.scans.fold[own]), OWN, told


def _largest(p: Float64, first: NDArray[np.int64]) -> Float64:
    """Largest value of each group of consecutive rows, NaN where none is known: float64 (groups, 6)."""
    return np.asarray(np.fmax.reduceat(p, first, axis=0), np.float64)


def _cases(level: str, part: Truth, p: Float64, fold: NDArray[np.int64], thresholds: Float64) -> Cases:
    ids, y, patients, facts = {
        "slices": (part.slices, part.slice_y, part.patient_of_scan[part.scan_of_slice], part.facts[0]),
        "scans": (part.scans, part.scan_y, part.patient_of_scan, part.facts[1]),
        "patients": (part.patients, part.patient_y, np.arange(len(part.patients)), part.facts[2]),
    }[level]
    return Cases(level, ids, patients, p, y, fold, thresholds, facts)


def _other_labels(part: Truth, found: Rows, rows: NDArray[np.int64]) -> list[str]:
    """Says when the truth in the predictions' table is another one."""
    if found.y is None:
        return []
    theirs = found.y[rows]
    other = ((theirs != part.slice_y) & (theirs != UNKNOWN) & (part.slice_y != UNKNOWN)).any(axis=1)
    if not other.any():
        return []
    return [
        f"{int(other.sum()):,} slices have other labels in the predictions' table than in the data "
        f"({_listed(part.slices[other].tolist())}); those of the data are used."
    ]


def _same_predictions(part: Truth, slices: Cases) -> list[str]:
    """Scans of different patients whose slices all have the same probabilities: likely one scan twice."""
    bounds = [*starts(part.scan_of_slice).tolist(), len(slices)]
    seen: dict[bytes, int] = {}
    same = []
    for scan, (start, stop) in enumerate(pairwise(bounds)):
        rows = slices.p[start:stop]
        if stop - start < FEWEST or len(np.unique(np.nan_to_num(rows).sum(axis=1))) < FEWEST:
            continue
        other = seen.setdefault(rows.tobytes(), scan)
        if part.patient_of_scan[other] != part.patient_of_scan[scan]:
            same.append(f"{part.scans[other]} = {part.scans[scan]}")
    if not same:
        return []
    return [f"{len(same):,} scans have the predictions of another patient's scan, slice by slice: {_listed(same)}."]


def _listed(ids: Sequence[Any], count: int | None = None) -> str:
    total = len(ids) if count is None else count
    return ", ".join(str(i) for i in ids[:NAMED]) + (" …" if total > NAMED else "")
