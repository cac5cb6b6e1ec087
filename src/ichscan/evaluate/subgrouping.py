"""Which cases belong to which subgroup: by what is seen (type, area, position), by whom (age, sex), by what scanner."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.evaluate.cases import Cases
from ichscan.labels import LABELS, TYPES
from ichscan.types import Float64

MANY: Final = 8
"""Of manufacturers and kernels, this many of the most frequent are groups; the rest is one."""
UNRECORDED: Final = "not recorded"
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Some of the cases.

    Attributes:
        family: what the cases are divided by.
        name: of the group within its family.
        rows: bool (cases,).
        positives_only: the family divides the positive cases; each group stands against all negative cases.
    """

    family: str
    name: str
    rows: Mask = field(repr=False)
    positives_only: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """How a column of numbers becomes groups: names[i] holds edges[i-1] <= value < edges[i]."""

    family: str
    column: str
    edges: tuple[float, ...]
    names: tuple[str, ...]
    positives_only: bool = False
    magnitude: bool = False


CUTS: Final = (
    Cut("Number of types", "types", (1.5, 2.5), ("one", "two", "three and more"), positives_only=True),
    Cut("Lesion area", "lesion_mm2", (100.0, 400.0), ("under 1 cm2", "1 to 4 cm2", "4 cm2 and more"), True),
    Cut("Slices with hemorrhage", "positive_slices", (2.5, 5.5), ("one or two", "three to five", "six and more"), True),
    Cut("Height in the scan", "position", (1 / 3, 2 / 3), ("lowest third", "middle third", "highest third")),
    Cut("Age", "age_years", (18.0, 40.0, 60.0, 80.0), ("under 18", "18 to 39", "40 to 59", "60 to 79", "80 and more")),
    Cut("Slice thickness", "thickness_mm", (2.0, 4.0), ("under 2 mm", "2 to 4 mm", "4 mm and more")),
    Cut("Gantry tilt", "tilt_deg", (1.0, 10.0), ("under 1°", "1 to 10°", "10° and more"), magnitude=True),
)
TEXTS: Final = (("Sex", "sex"), ("Manufacturer", "manufacturer"), ("Kernel", "kernel"))
SEXES: Final = {"F": "female", "M": "male", "O": "other"}
"""Patient's Sex (0010,0040)."""
SLICES_ONLY: Final = frozenset({"position"})
GROUPED_ONLY: Final = frozenset({"positive_slices"})
"""Of scans and patients."""


def subgroups(cases: Cases) -> tuple[list[Group], dict[str, str]]:
    """All subgroups that the data allow, and for each family that it does not allow the reason, one phrase."""
    groups, left_out = _types(cases), {}
    families: list[tuple[str, str, Callable[[], list[Group]]]] = [
        *((cut.family, cut.column, lambda cut=cut: _cut(cases, cut)) for cut in CUTS),
        *((family, column, lambda f=family, c=column: _texts(cases, f, c)) for family, column in TEXTS),
    ]
    for family, column, make in families:
        if column in (SLICES_ONLY if cases.level != "slices" else GROUPED_ONLY):
            continue
        if column not in cases.facts:
            left_out[family] = "not recorded in this data set"
            continue
        found = make()
        known = [group.name for group in found if group.name != UNRECORDED]
        if len(known) > 1:
            groups += found
        else:
            left_out[family] = f"the same in all cases ({known[0]})" if known else "not recorded in this data set"
    return groups, left_out


def _types(cases: Cases) -> list[Group]:
    """Cases that hold a type, alone or with others."""
    masks = [(label, cases.y[:, LABELS.index(label)] == 1) for label in TYPES]
    return [Group("Type present", label, rows, positives_only=True) for label, rows in masks if rows.any()]


def _cut(cases: Cases, cut: Cut) -> list[Group]:
    values: Float64 = np.asarray(cases.facts[cut.column], np.float64)
    values = np.abs(values) if cut.magnitude else values
    bins = np.searchsorted(cut.edges, values, side="right")
    known = ~np.isnan(values) & (values > 0 if cut.positives_only else np.True_)
    masks = [(name, known & (bins == k)) for k, name in enumerate(cut.names)]
    return _present(cut.family, [*masks, (UNRECORDED, np.isnan(values))], cut.positives_only)


def _texts(cases: Cases, family: str, column: str) -> list[Group]:
    values = cases.facts[column]
    names, counts = np.unique(values[values != ""], return_counts=True)
    ranked = [str(names[k]) for k in np.argsort(-counts, kind="stable")]
    masks: list[tuple[str, Mask]] = [(_said(column, name), values == name) for name in ranked[:MANY]]
    masks.append(("all others", np.isin(values, ranked[MANY:])))
    return _present(family, [*masks, (UNRECORDED, values == "")], positives_only=False)


def _said(column: str, value: str) -> str:
    return SEXES.get(value, value) if column == "sex" else value


def _present(family: str, masks: Sequence[tuple[str, Any]], positives_only: bool) -> list[Group]:
    return [Group(family, name, rows, positives_only) for name, rows in masks if rows.any()]
