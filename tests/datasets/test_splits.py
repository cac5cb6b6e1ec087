"""Splits: by patient, stratified, stored, without leakage."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("pyarrow")

from ichscan.datasets.folds import deal, patient_folds
from ichscan.datasets.schema import SCANS, TABLE, table_of
from ichscan.datasets.splits import (
    KINDS,
    PAPERS,
    Split,
    check_leakage,
    load_split,
    make_split,
    save_split,
    split_path,
    without_positives,
)
from ichscan.datasets.store import SliceStore
from ichscan.errors import DataError, UsageError
from ichscan.labels import LABELS


def tables_only(path: Path, patients: int, part: str = "", seed: int = 0) -> SliceStore:
    """A store without pixels: two slices a scan, one or two scans a patient, a fifth of the patients bleed."""
    rng = np.random.default_rng(seed)
    rows, scans = [], []
    for p in range(patients):
        kind = LABELS[rng.integers(5)] if rng.random() < 0.2 else None
        for s in range(1 + p % 2):
            ids = {"patient_id": f"p{p:05d}", "study_uid": f"t{p}.{s}", "series_uid": f"s{p}.{s}", "part": part}
            labels = {name: int(kind is not None and name in (kind, "any")) for name in LABELS}
            rows += [{**ids, **labels, "slice_id": f"{p}.{s}.{i}", "index": i, "position_mm": 5.0 * i} for i in (0, 1)]
            scans.append({**ids, **labels, "slices": 2})
    store = SliceStore(path, {"digest": f"d{patients}{part}{seed}"})
    store.__dict__.update(table=table_of(rows, TABLE), scans=table_of(scans, SCANS))
    return store


@pytest.mark.parametrize("kind", [*KINDS, *PAPERS])
def test_every_kind_puts_every_patient_in_one_part(tmp_path: Path, kind: str) -> None:
    store = tables_only(tmp_path, 200)
    split = make_split(store, kind, 3)
    patients = [p for part in split.parts.values() for p in part]
    assert sorted(patients) == sorted({s.patient for s in store.series()})
    assert split == make_split(store, kind, 3)
    assert split.parts != make_split(store, kind, 4).parts
    rows = [set(split.rows(store, part).tolist()) for part in split.parts]
    assert sum(map(len, rows)) == len(store.table)
    assert not set.intersection(*rows)


def test_shares_of_the_papers(tmp_path: Path) -> None:
    store = tables_only(tmp_path, 1000)
    hoseyni = make_split(store, "hoseyni2024")
    assert list(hoseyni.parts) == ["test", "fold0", "fold1", "fold2", "fold3", "fold4"]
    assert len(hoseyni.parts["test"]) == pytest.approx(200, abs=3)
    assert [len(hoseyni.parts[f"fold{i}"]) for i in range(5)] == pytest.approx([160] * 5, abs=2)
    wong = make_split(store, "wong2019")
    assert len(wong.parts["validation"]) == pytest.approx(50, abs=3)
    burduja = make_split(store, "burduja2020")
    assert scans_in(burduja, store, "validation") == pytest.approx(1500 * 744 / 21744, abs=3)
    assert scans_in(make_split(store, "scans", scans=300), store, "validation") == pytest.approx(300, abs=2)


def scans_in(split: Split, store: SliceStore, part: str) -> int:
    return sum(series.patient in set(split.parts[part]) for series in store.series())


def test_types_are_shared_out(tmp_path: Path) -> None:
    store = tables_only(tmp_path, 1000)
    split = make_split(store, "kfold", folds=5)
    labels = store.labels
    for label in range(6):
        share = [int((labels[split.rows(store, part), label] == 1).sum()) for part in split.parts]
        assert max(share) - min(share) <= 0.35 * max(share) + 4
    assert without_positives(split, store) == {}


def test_a_part_without_a_type_is_named(tmp_path: Path) -> None:
    store = tables_only(tmp_path, 12, seed=2)
    found = without_positives(make_split(store, "kfold", folds=4), store)
    assert found
    assert all(types for types in found.values())


@settings(max_examples=30, deadline=None)
@given(
    st.integers(2, 6),
    st.integers(0, 5),
    st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=6, max_size=40),
)
def test_parts_have_their_share(count: int, seed: int, rows: list[list[bool]]) -> None:
    names = [str(i) for i in range(len(rows))]
    labels = np.array(rows, np.uint8)
    assert patient_folds(names, labels, count, seed) == deal(names, labels, [1 / count] * count, seed)
    dealt = deal(names, np.zeros_like(labels), [1 / count] * count, seed)
    sizes = np.bincount(list(dealt.values()), minlength=count)
    assert sizes.max() - sizes.min() <= 1


def test_leaks_are_found(tmp_path: Path) -> None:
    store = tables_only(tmp_path, 40)
    split = make_split(store, "holdout")
    first = split.parts["train"][0]
    both = {**split.parts, "validation": (*split.parts["validation"], first)}
    with pytest.raises(DataError, match="in both train and validation") as caught:
        check_leakage(dataclasses.replace(split, parts=both), store)
    assert first not in str(caught.value)
    with pytest.raises(DataError, match="made for the data"):
        check_leakage(dataclasses.replace(split, digest="other"), store)
    with pytest.raises(DataError, match="1 patients are not in"):
        check_leakage(dataclasses.replace(split, parts={**split.parts, "test": ("nobody",)}), store)
    shared = tables_only(tmp_path, 40)
    studies = shared.table.set_column(2, "study_uid", [["same"] * len(shared.table)])
    shared.__dict__["table"] = studies
    with pytest.raises(DataError, match="under two patients"):
        check_leakage(split, shared)


def test_a_split_is_stored_once(tmp_path: Path) -> None:
    store = tables_only(tmp_path, 40)
    split = make_split(store, "kfold", name="mine", folds=3)
    path = save_split(split, store)
    assert json.loads(path.read_text())["schema"] == "ichscan.split/1"
    assert load_split(store, "mine") == split
    assert save_split(split, store) == path
    with pytest.raises(UsageError, match="another split"):
        save_split(make_split(store, "kfold", 1, name="mine", folds=3), store)
    with pytest.raises(DataError, match="found mine"):
        load_split(store, "yours")
    path.write_text('{"schema": "ichscan.split/1"}')
    with pytest.raises(DataError, match="make it again"):
        load_split(store, "mine")
    with pytest.raises(UsageError, match="name of a split"):
        split_path(store, "../up")


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("nothing", {}, "expected one of"),
        ("kfold", {"share": 0.5}, "expected only folds"),
        ("holdout", {"share": 1.5}, "between 0 and 1"),
        ("kfold", {"folds": 1}, "at least 2 folds"),
        ("scans", {"scans": 600}, "fewer than the 60 scans"),
    ],
)
def test_what_makes_no_split_is_refused(tmp_path: Path, kind: str, options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_split(tables_only(tmp_path, 40), kind, **options)  # type: ignore[arg-type]


def test_too_few_or_no_labelled_patients_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few"):
        make_split(tables_only(tmp_path, 3), "kfold")
    with pytest.raises(DataError, match="no patient with labels"):
        make_split(tables_only(tmp_path, 9, part="test"), "kfold")
