"""Rows of imported slices to sorted rows: by patient, study, series and position, each slice once."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import arrow
from ichscan.datasets.collection import Problem
from ichscan.dicom.order import ASSUMED_MM, SAME_PLACE_MM, gaps
from ichscan.dicom.stacks import SAME_PLANE

if TYPE_CHECKING:
    import pyarrow as pa

KEYS: Final = ("patient_id", "study_uid", "series_uid", "position_mm", "instance_number", "slice_id")
Ints = NDArray[np.int64]


def ordered(table: "pa.Table") -> tuple["pa.Table", list[Problem]]:
    """Sorts, numbers and checks the slices.

    A slice that is there twice is kept once; a series that mixes planes or matrix sizes is split; slices without
    position are ordered by their number; equal positions are flagged. All of it is reported.

    Returns:
        The table with `index` (int32, 0 = most inferior in its series), and the problems.
    """
    problems: list[Problem] = []
    table = _sorted(_unique(table, problems))
    split = _split_mixed(table, problems)
    if split is not table:
        table = _sorted(split)
    return _numbered(table, problems), problems


def _sorted(table: "pa.Table") -> "pa.Table":
    import pyarrow.compute as pc

    return table.take(pc.sort_indices(table, sort_keys=[(key, "ascending") for key in KEYS]))


def _codes(table: "pa.Table", column: str) -> Ints:
    """The same number for the same text, int64 (rows,)."""
    return np.asarray(table[column].combine_chunks().dictionary_encode().indices.to_numpy(), np.int64)


def _unique(table: "pa.Table", problems: list[Problem]) -> "pa.Table":
    codes = _codes(table, "slice_id")
    _, first, which = np.unique(codes, return_index=True, return_inverse=True)
    if len(first) == len(codes):
        return table
    crc = table["crc32"].to_numpy()
    copies = np.setdiff1d(np.arange(len(codes)), first)
    kept = first[which[copies]]
    names, sources = table["slice_id"].take(copies).to_pylist(), table["source"].take(copies).to_pylist()
    for name, source, copy, original in zip(names, sources, copies, kept, strict=True):
        pixels = "the same" if crc[copy] == crc[original] else "other"
        problems.append(Problem("duplicate_image", name, f"{source}: left out, read before with {pixels} pixels"))
    return table.take(np.sort(first))


def _bounds(table: "pa.Table") -> Ints:
    """Row numbers where a series begins, and the number of rows: int64 (series + 1,)."""
    changed = np.zeros(len(table), bool)
    changed[:1] = True
    for name in KEYS[:3]:
        codes = _codes(table, name)
        changed[1:] |= codes[1:] != codes[:-1]
    return np.append(np.flatnonzero(changed), len(table))


def _split_mixed(table: "pa.Table", problems: list[Problem]) -> "pa.Table":
    """Gives the smaller parts of a series with several planes or matrix sizes a series_uid of their own."""
    matrix = np.stack([table[name].to_numpy() for name in ("rows", "cols")], axis=1)
    planes = _planes(table)
    uids: list[str] | None = None
    bounds = _bounds(table)
    for start, stop in pairwise(bounds):
        facts = np.concatenate([matrix[start:stop], planes[start:stop]], axis=1)
        if (np.abs(facts - facts[0]) < SAME_PLANE).all():
            continue
        uids = table["series_uid"].to_pylist() if uids is None else uids
        groups = _groups(facts)
        uid = uids[start]
        problems.append(
            Problem(
                "mixed_series",
                uid,
                f"mixes planes or matrix sizes: {', '.join(str(len(g)) for g in groups)} slices apart",
            )
        )
        for number, group in enumerate(groups[1:], 2):
            for row in group:
                uids[start + row] = f"{uid}/{number}"
    if uids is None:
        return table
    return table.set_column(table.schema.get_field_index("series_uid"), "series_uid", arrow().array(uids))


def _planes(table: "pa.Table") -> NDArray[np.float64]:
    """Direction cosines, float64 (rows, 6); zeros where not recorded."""
    pa = arrow()
    planes = table["plane"].combine_chunks()
    absent = np.asarray(planes.is_null())
    filled = np.zeros((len(table), 6))
    filled[~absent] = np.asarray(planes.flatten().cast(pa.float64())).reshape(-1, 6)
    return filled


def _groups(facts: NDArray[np.float64]) -> list[list[int]]:
    groups: list[list[int]] = []
    for row, fact in enumerate(facts):
        for group in groups:
            if (np.abs(facts[group[0]] - fact) < SAME_PLANE).all():
                group.append(row)
                break
        else:
            groups.append([row])
    return sorted(groups, key=lambda group: (-len(group), group[0]))


@dataclass(slots=True)
class _Columns:
    """What numbering reads and changes, as arrays over the rows."""

    position: NDArray[np.float64]
    number: NDArray[np.float64]
    thickness: NDArray[np.float64]
    flags: dict[int, list[str]]


def _numbered(table: "pa.Table", problems: list[Problem]) -> "pa.Table":
    pa = arrow()
    columns = _Columns(
        _floats(table, "position_mm"), _floats(table, "instance_number"), _floats(table, "thickness_mm"),
        defaultdict(list),
    )  # fmt: skip
    order = np.arange(len(table))
    index = np.empty(len(table), np.int32)
    bounds = _bounds(table)
    uids = table["series_uid"].take(bounds[:-1]).to_pylist()
    for uid, start, stop in zip(uids, bounds[:-1], bounds[1:], strict=True):
        index[start:stop] = np.arange(stop - start)
        if np.isnan(columns.position[start:stop]).any():
            order[start:stop] = start + _by_number(columns, slice(start, stop), uid, problems)
        _check_positions(columns, start, stop, uid, problems)
    flags = _flags(table, order, columns.flags)
    # Positions assumed from slice numbers were written in their new order; the other columns follow.
    table = table.take(order).set_column(
        table.schema.get_field_index("position_mm"), "position_mm", pa.array(columns.position)
    )
    table = table.set_column(table.schema.get_field_index("flags"), "flags", flags)
    return table.append_column("index", pa.array(index))


def _floats(table: "pa.Table", column: str) -> NDArray[np.float64]:
    """A column as float64, NaN for null."""
    values = table[column].cast("double").to_numpy(zero_copy_only=False)
    return np.array(values, np.float64)


def _by_number(columns: _Columns, rows: slice, uid: str, problems: list[Problem]) -> Ints:
    """Order of a series without positions, by Instance Number; fills in assumed positions in the new order."""
    numbers, thickness = columns.number[rows], columns.thickness[rows]
    step = float(thickness[0]) if np.isfinite(thickness[0]) and thickness[0] > 0 else ASSUMED_MM
    usable = bool(np.isfinite(numbers).all()) and len(np.unique(numbers)) == len(numbers)
    order = np.argsort(numbers, kind="stable") if usable else np.arange(len(numbers))
    columns.position[rows] = np.arange(len(numbers)) * step
    flag = "ordered_by_number" if usable else "order_unknown"
    for row in range(rows.start, rows.stop):
        columns.flags[row].append(flag)
    if len(numbers) > 1 or not usable:
        by = "ordered by Instance Number (0020,0013)" if usable else "their order is unknown"
        problems.append(Problem("no_position", uid, f"Image Position (Patient) (0020,0032) is absent: {by}"))
    return np.asarray(order, np.int64)


def _check_positions(columns: _Columns, start: int, stop: int, uid: str, problems: list[Problem]) -> None:
    positions = columns.position[start:stop]
    same = np.flatnonzero(np.diff(positions) < SAME_PLACE_MM) + 1
    for row in same:
        columns.flags[start + int(row)].append("duplicate_position")
    if len(same):
        problems.append(
            Problem("duplicate_position", uid, f"{len(same)} of {len(positions)} slices share the place of another one")
        )
    places = np.delete(positions, same)
    missing = gaps(places)
    if missing:
        steps = np.diff(places)
        shown = ", ".join(f"{steps[i]:.1f} mm after {places[i]:.1f} mm" for i in missing[:3])
        problems.append(Problem("gap", uid, f"{len(missing)} steps are wider than 1.5 times the usual one: {shown}"))


def _flags(table: "pa.Table", order: Ints, added: dict[int, list[str]]) -> Any:
    pa = arrow()
    flags = [value or [] for value in table["flags"].take(order).to_pylist()]
    for row, more in added.items():
        flags[row] = [*flags[row], *more]
    return pa.array(flags, pa.list_(pa.string()))
