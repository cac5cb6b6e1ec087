"""Labels: how often each class occurs, how rare it is beside the normal slices, and what occurs together."""

import numpy as np

from ichscan.datasets.profile.facts import Facts, UInt8
from ichscan.datasets.scans import label_array, union
from ichscan.datasets.schema import UNKNOWN
from ichscan.labels import ANY, LABELS, TYPES
from ichscan.pages.section import Bars, Cell, Figure, Grid, Matrix, Section, Shares

SOURCE = "Alqaisi & Almashagbeh 2025, sections 3.2.4.2 and 4.4"


def class_distribution(facts: Facts) -> Section:
    """Counts and shares of the classes in slices (section 4.4, Tables 14 and 15, Figure 16)."""
    labels = facts.labels
    known = int((labels[:, ANY] != UNKNOWN).sum())
    source = f"{SOURCE}, Tables 4, 14 and 15, Figure 16"
    if not known:
        return Section("classes", "Class distribution", source, ("No slice of this set is labelled.",))
    positive = {label: int((labels[:, c] == 1).sum()) for c, label in enumerate(LABELS)}
    normal = known - positive["any"]
    types = sorted(((label, positive[label]) for label in TYPES), key=lambda entry: -entry[1])
    total = sum(n for _, n in types)
    ranked = (("normal", normal), ("any", positive["any"]), *types)
    counts = tuple((label, n, n / known, _ratio(normal, n)) for label, n in ranked)
    shares: tuple[tuple[Cell, ...], ...] = tuple((label, n, _ratio(n, total)) for label, n in types)
    grids = (
        Grid("class_counts", "Slices per class", ("class", "slices", "share", "normal slices per slice"), counts),
        Grid("type_shares", "Share of the types", ("type", "labels", "share"), (*shares, ("total", total, 1.0))),
    )
    figures = (
        Figure("normal_or_any", "Normal and hemorrhage", Shares(("normal", "any"), (normal, positive["any"]))),
        Figure("types", "Types among the positive labels", Shares(*_pair(types))),
        Figure("class_bars", "Slices per class", Bars(*_pair(ranked), "slices")),
    )
    notes = (_imbalance(normal, types), *_contradictions(labels))
    return Section("classes", "Class distribution", source, notes, grids, figures if total else figures[:1])


def levels(facts: Facts) -> Section:
    """The same classes counted in series and patients: a scan is positive when one of its slices is."""
    scans = label_array(facts.scans)
    of = (("slices", facts.labels), ("series", scans), ("patients", _by_patient(facts, scans)))
    columns = ["class", *(text for name, _ in of for text in (name, f"of known {name}", f"share of {name}"))]
    rows: list[tuple[Cell, ...]] = []
    for c, label in enumerate(LABELS):
        row: list[Cell] = [label]
        for _, labels in of:
            positive, known = int((labels[:, c] == 1).sum()), int((labels[:, c] != UNKNOWN).sum())
            row += [positive, known, _ratio(positive, known)]
        rows.append(tuple(row))
    grid = Grid("levels", "Positive slices, series and patients", tuple(columns), tuple(rows))
    notes = tuple(f"Series labelled by {source}: {n:,}." for source, n in _label_sources(facts))
    return Section("levels", "Classes by slice, series and patient", f"{SOURCE} (extended)", notes, (grid,))


def together(facts: Facts) -> Section:
    """Which types occur in one slice, and how many (section 3.2.4.2: types that co-occur or stand alone)."""
    types = (facts.labels[:, :ANY] == 1).astype(np.int64)
    matrix = types.T @ types
    per_slice = types.sum(axis=1)
    alone = types[per_slice == 1].sum(axis=0)
    source = f"{SOURCE} (multi-label nature)"
    if not matrix.any():
        return Section("together", "Types that occur together", source, ("No slice holds a type of hemorrhage.",))
    many = np.bincount(per_slice, minlength=len(TYPES) + 1)
    rows = tuple(
        (label, *(int(n) for n in matrix[c]), _ratio(int(alone[c]), int(matrix[c, c]))) for c, label in enumerate(TYPES)
    )
    share = ("slices with", *TYPES, "share alone")
    counts = tuple((k, int(many[k]), _ratio(int(many[k]), int(many[1:].sum()))) for k in range(1, len(TYPES) + 1))
    grids = (
        Grid("together", "Slices that hold both types", share, rows),
        Grid("types_per_slice", "Types per slice with hemorrhage", ("types", "slices", "share"), counts),
    )
    chart = Matrix(TYPES, tuple(tuple(int(n) for n in row) for row in matrix))
    figures = (
        Figure("together", "Slices that hold both types", chart),
        Figure(
            "types_per_slice",
            "Types per slice with hemorrhage",
            Bars(*_pair([(str(k), n) for k, n, _ in counts]), "slices"),
        ),
    )
    return Section("together", "Types that occur together", source, (), grids, figures)


def _imbalance(normal: int, types: list[tuple[str, int]]) -> str:
    present = [(label, n) for label, n in types if n]
    absent = [label for label, n in types if not n]
    parts = []
    if present and normal:
        (most, top), (rarest, low) = present[0], present[-1]
        parts.append(f"Normal slices outnumber the most frequent type ({most}) {normal / top:.1f} to 1.")
        if rarest != most:
            parts.append(f"They outnumber the rarest ({rarest}) {normal / low:.1f} to 1.")
    if absent:
        parts.append(f"No labelled slice holds: {', '.join(absent)}.")
    return " ".join(parts) or "No labelled slice is normal."


def _contradictions(labels: UInt8) -> tuple[str, ...]:
    known = (labels != UNKNOWN).all(axis=1)
    union = (labels[:, :ANY] == 1).any(axis=1)
    wrong = int((known & (union != (labels[:, ANY] == 1))).sum())
    partly = int(((labels != UNKNOWN).any(axis=1) & ~known).sum())
    found = [f"Slices whose `any` contradicts their types: {wrong:,}."] if wrong else []
    found += [f"Slices labelled in part: {partly:,}."] if partly else []
    return tuple(found)


def _by_patient(facts: Facts, scans: UInt8) -> UInt8:
    """Union over the scans of each patient, uint8 (patients, 6)."""
    patients = np.array(facts.scans["patient_id"].to_pylist())
    bounds = np.flatnonzero(patients[1:] != patients[:-1]) + 1
    return np.stack([union(part) for part in np.split(scans, bounds)])


def _label_sources(facts: Facts) -> list[tuple[str, int]]:
    import pyarrow.compute as pc

    meaning = {"slices": "the union of their slices", "reads": "readers of the whole scan"}
    found = pc.value_counts(facts.scans["label_source"]).to_pylist()
    return [(meaning[e["values"]], e["counts"]) for e in found if e["values"] in meaning]


def _pair(entries: "tuple[tuple[str, int], ...] | list[tuple[str, int]]") -> tuple[tuple[str, ...], tuple[int, ...]]:
    return tuple(label for label, _ in entries), tuple(n for _, n in entries)


def _ratio(top: int, bottom: int) -> float | None:
    return top / bottom if bottom else None
