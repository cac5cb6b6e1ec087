"""Tables of how often values occur."""

from typing import Final

from ichscan.datasets.profile.facts import Facts, counts
from ichscan.pages.section import Bars, Cell, Figure, Grid

SHOWN: Final = 20
"""Rarer values than the first twenty are counted together."""
MISSING: Final = "not recorded"


def frequency(facts: Facts, key: str, title: str, columns: tuple[str, ...], names: tuple[str, ...]) -> Grid:
    """How many slices have each combination of the columns, most frequent first."""
    found = counts(facts.table, *columns)
    rows: list[tuple[Cell, ...]] = [
        (*(MISSING if v is None or v == "" else v for v in values), n, n / facts.slices) for values, n in found[:SHOWN]
    ]
    rest = found[SHOWN:]
    if rest:
        n = sum(count for _, count in rest)
        rows.append((f"{len(rest)} more", *("",) * (len(columns) - 1), n, n / facts.slices))
    return Grid(key, title, (*names, "slices", "share"), tuple(rows))


def most_frequent(facts: Facts, key: str, title: str, column: str, most: int = 10) -> tuple[Figure, ...]:
    """Bars of the most frequent values that are recorded; nothing when none is."""
    found = [(values[0], n) for values, n in counts(facts.table, column) if values[0] not in (None, "")][:most]
    if not found:
        return ()
    labels = tuple(f"{v:g}" if isinstance(v, float) else str(v) for v, _ in found)
    return (Figure(key, title, Bars(labels, tuple(n for _, n in found), "slices")),)


def present(facts: Facts, column: str) -> int:
    """In how many slices a column holds something."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if column not in facts.table.column_names:
        return 0
    values = facts.table[column]
    empty = pc.sum(pc.equal(values, "")).as_py() if pa.types.is_string(values.type) else 0
    return facts.slices - int(values.null_count) - int(empty or 0)


def commonest(facts: Facts, column: str) -> tuple[Cell, int, int] | None:
    """The most frequent value of a column (the least of several), how often it occurs, and how many values there are.

    None when the column holds nothing. Never makes a Python object per value: positions are nearly all different.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    values = facts.table[column].drop_null()
    if pa.types.is_string(values.type):
        values = values.filter(pc.not_equal(values, ""))
    if not len(values):
        return None
    found = pc.value_counts(values)
    different, counted = found.field("values"), found.field("counts")
    most = pc.max(counted)
    return pc.min(different.filter(pc.equal(counted, most))).as_py(), int(most.as_py()), len(different)
