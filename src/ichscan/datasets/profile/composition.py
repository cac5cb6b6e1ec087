"""What the set consists of: parts, hierarchy of identifiers, problems met at the import."""

from collections import Counter

import numpy as np

from ichscan.datasets.profile.facts import UIDS, Facts, counts, distinct
from ichscan.datasets.profile.frequency import present
from ichscan.datasets.profile.summary import SUMMARY_COLUMNS, summarise
from ichscan.datasets.schema import UNKNOWN
from ichscan.labels import ANY
from ichscan.pages.section import Bars, Cell, Figure, Grid, Section

ENTITIES = ("patients", "studies", "series")
PROBLEMS = "Problems of the import"


def composition(facts: Facts) -> Section:
    """Parts of the set, each with its patients, studies, series, slices and labelled slices (section 4.1.1)."""
    rows = [_part_row(facts, str(part or "")) for (part,), _ in counts(facts.table, "part")]
    if len(rows) > 1:
        rows.append(_part_row(facts, None))
    labelled = int((facts.labels[:, ANY] != UNKNOWN).sum())
    return Section(
        "composition",
        "Composition",
        "Alqaisi & Almashagbeh 2025, section 4.1.1",
        (f"Slices: {facts.slices:,}, in {len(facts.starts):,} series; labelled: {labelled:,}.",),
        (Grid("parts", "Parts of the set", ("part", *ENTITIES, "slices", "labelled slices"), tuple(rows)),),
    )


def hierarchy(facts: Facts) -> Section:
    """Unique identifiers per level, and how levels nest (section 4.5.1, Table 16)."""
    unique = {name: distinct(facts.table, name) for name in (*UIDS, "instance_uid")}
    tags = ("PatientID (0010,0020)", "StudyInstanceUID (0020,000D)", "SeriesInstanceUID (0020,000E)")
    names = dict(zip((*UIDS, "instance_uid"), (*tags, "SOPInstanceUID (0008,0018)"), strict=True))
    filled = {name: present(facts, name) for name in unique}
    rows = tuple((names[n], filled[n], count) for n, count in unique.items())
    studies = _children(facts, ("patient_id",), ("patient_id", "study_uid"))
    series = _children(facts, ("patient_id", "study_uid"), UIDS)
    nesting = (
        summarise(studies).row("studies per patient"),
        summarise(series).row("series per study"),
        summarise(facts.lengths.astype(np.float64)).row("slices per series"),
    )
    several = int((series > 1).sum())
    one = "Every study is one series." if not several else f"Studies that hold several series: {several:,}."
    repeated = filled["instance_uid"] - unique["instance_uid"]
    same = f" Slices that share their SOPInstanceUID with another: {repeated:,}." if repeated else ""
    return Section(
        "hierarchy",
        "Patients, studies and series",
        "Alqaisi & Almashagbeh 2025, sections 3.2.4.3 and 4.5.1, Table 16",
        (one + same, "StudyID (0020,0010) is not imported: it names a study for people and may name a patient."),
        (
            Grid("uids", "Identifiers by level", ("field", "total", "unique"), rows),
            Grid("nesting", "How levels nest", SUMMARY_COLUMNS, nesting),
        ),
    )


def quality(facts: Facts, problems: Counter[str]) -> Section:
    """Flags of slices and what the import refused or found odd, by kind."""
    import pyarrow.compute as pc

    found = pc.value_counts(pc.list_flatten(facts.table["flags"])).to_pylist()
    flags = Counter({str(entry["values"]): int(entry["counts"]) for entry in found})
    grids = (_counted("flags", "Flags of slices", "flag", flags), _counted("problems", PROBLEMS, "kind", problems))
    figures: tuple[Figure, ...] = ()
    if problems:
        ranked = _ranked(problems)
        bars = Bars(tuple(kind for kind, _ in ranked), tuple(n for _, n in ranked), "problems")
        figures = (Figure("problems", PROBLEMS, bars),)
    notes = ("problems.csv in the store has each with its place.",) if problems else ("The import met no problem.",)
    source = "Alqaisi & Almashagbeh 2025, section 3.2.4 (completeness and consistency)"
    return Section("quality", "Flags and problems", source, notes, tuple(g for g in grids if g.rows), figures)


def _counted(key: str, title: str, name: str, counter: Counter[str]) -> Grid:
    return Grid(key, title, (name, "count"), tuple(_ranked(counter)))


def _ranked(counter: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counter.items(), key=lambda entry: (-entry[1], entry[0]))


def _part_row(facts: Facts, part: str | None) -> tuple[Cell, ...]:
    """Counts of one part; of all slices when None."""
    import pyarrow.compute as pc

    table, labels = facts.table, facts.labels
    if part is not None:
        mask = pc.equal(pc.fill_null(table["part"], ""), part)
        table, labels = table.select([*UIDS]).filter(mask), labels[mask.to_numpy()]
    entities = (table.group_by(list(UIDS[:depth])).aggregate([]).num_rows for depth in (1, 2, 3))
    name = "all" if part is None else part or "not divided"
    return (name, *entities, table.num_rows, int((labels[:, ANY] != UNKNOWN).sum()))


def _children(
    facts: Facts, parent: tuple[str, ...], child: tuple[str, ...]
) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """How many children each parent has, float64 (parents,)."""
    children = facts.table.select(list(child)).group_by(list(child)).aggregate([])
    per_parent = children.group_by(list(parent)).aggregate([([], "count_all")])
    return np.asarray(per_parent["count_all"].to_numpy(), np.float64)
