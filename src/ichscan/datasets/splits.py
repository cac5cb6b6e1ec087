"""Named splits of a store: by patient always, stratified by type, stored beside the data, tested for leakage."""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.arrow import write_whole
from ichscan.datasets.folds import deal
from ichscan.datasets.store import SliceStore
from ichscan.errors import DataError, UsageError
from ichscan.labels import LABELS, TYPES

log = logging.getLogger(__name__)

SCHEMA: Final = "ichscan.split/1"
NAME: Final = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
HELD_OUT_SCANS: Final = 744 / 21_744
KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "kfold": "`folds` parts of the same size",
        "holdout": "train and validation; `share` of the patients held out (0.2)",
        "holdout-kfold": "test with `share` of the patients (0.2), the others in `folds` parts (Hoseyni 2024)",
        "scans": "train and validation; `scans` scans held out, by patient (744 of 21,744 as in Burduja 2020)",
    }
)
PAPERS: Final[Mapping[str, tuple[str, dict[str, Any]]]] = MappingProxyType(
    {
        "hoseyni2024": ("holdout-kfold", {"share": 0.2, "folds": 5}),
        "burduja2020": ("scans", {}),
        "wong2019": ("holdout", {"share": 0.05}),
    }
)
"""The papers' own splits, all of them by patient here: what Burduja 2020 split by scan could put a patient in both."""


@dataclass(frozen=True, slots=True)
class Split:
    """Which patients are in which part.

    Attributes:
        kind: of `KINDS`.
        parameters: by which it was made.
        parts: part ("train", "validation", "test", "fold0", ...) -> identifiers of patients, sorted.
        digest: of the store it was made for.
    """

    name: str
    kind: str
    seed: int
    parts: Mapping[str, tuple[str, ...]] = field(repr=False)
    digest: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, store: SliceStore, *parts: str) -> NDArray[np.int64]:
        """Rows of the store's table that belong to the named parts, ascending, int64 (rows,).

        Raises:
            UsageError: no such part.
        """
        unknown = [part for part in parts if part not in self.parts]
        if unknown:
            raise UsageError(f"split {self.name}: expected one of {', '.join(self.parts)}, found {unknown[0]}")
        wanted = {patient for part in parts for patient in self.parts[part]}
        chosen = [series.rows for series in store.series() if series.patient in wanted]
        return np.concatenate(chosen) if chosen else np.empty(0, np.int64)


@dataclass(frozen=True, slots=True)
class _Patients:
    """Labelled patients: identifiers, uint8 (patients, 6) labels, scans per patient."""

    names: list[str]
    labels: NDArray[np.uint8]
    scans: list[int]


def make_split(
    store: SliceStore,
    kind: str,
    seed: int = 0,
    *,
    name: str | None = None,
    folds: int | None = None,
    share: float | None = None,
    scans: int | None = None,
) -> Split:
    """Splits the labelled patients of a store; those of a challenge's test part are left out.

    Args:
        store: what to split.
        kind: one of `KINDS`, or a paper of `PAPERS`.
        seed: fixes the split.
        name: under which it is stored; by default the kind and the seed.
        folds: number of folds (5).
        share: of the patients that are held out (0.2).
        scans: that are held out, at least one, fewer than there are.

    Raises:
        UsageError: unknown kind, or parameters that do not fit it.
        DataError: fewer labelled patients than parts.
    """
    base, given = PAPERS.get(kind, (kind, {}))
    parameters = {**given, **{k: v for k, v in (("folds", folds), ("share", share), ("scans", scans)) if v is not None}}
    _check_parameters(base, parameters)
    people = _patients(store)
    shares, names = _shares(base, parameters, sum(people.scans))
    if len(people.names) < len(shares):
        raise DataError(f"{store.path}: {len(people.names)} labelled patients are too few for {len(shares)} parts")
    sizes = people.scans if base == "scans" else None
    dealt = deal(people.names, people.labels, shares, seed, sizes)
    parts = {part: tuple(sorted(p for p, i in dealt.items() if i == number)) for number, part in enumerate(names)}
    if base == "holdout-kfold":
        parts |= _inner(people, parts.pop("rest"), int(parameters.get("folds", 5)), seed)
    split = Split(_checked_name(name or f"{kind}-{seed}"), kind, seed, parts, store.digest, parameters)
    check_leakage(split, store)
    for part, absent in without_positives(split, store).items():
        log.info("split %s: %s holds no patient with %s", split.name, part, ", ".join(absent))
    return split


USES: Final = {"kfold": {"folds"}, "holdout": {"share"}, "holdout-kfold": {"share", "folds"}, "scans": {"scans"}}


def _check_parameters(kind: str, parameters: Mapping[str, Any]) -> None:
    if kind not in KINDS:
        raise UsageError(f"kind of split: expected one of {', '.join([*KINDS, *PAPERS])}, found {kind!r}")
    odd = sorted(set(parameters) - USES[kind])
    if odd:
        raise UsageError(f"split {kind}: expected only {', '.join(sorted(USES[kind]))}, found {', '.join(odd)}")
    if not 0 < parameters.get("share", 0.2) < 1:
        raise UsageError(f"split {kind}: expected a share between 0 and 1, found {parameters['share']}")
    if parameters.get("folds", 5) < 2 or parameters.get("scans", 1) < 1:
        raise UsageError(f"split {kind}: expected at least 2 folds and 1 scan, found {dict(parameters)}")


def _shares(kind: str, parameters: Mapping[str, Any], scans: int) -> tuple[list[float], list[str]]:
    if kind == "kfold":
        folds = int(parameters.get("folds", 5))
        return [1 / folds] * folds, [f"fold{i}" for i in range(folds)]
    if kind == "scans":
        share = parameters["scans"] / scans if "scans" in parameters else HELD_OUT_SCANS
        if share >= 1:
            raise UsageError(
                f"split scans: expected fewer than the {scans} scans there are, found {parameters['scans']}"
            )
        return [1 - share, share], ["train", "validation"]
    share = float(parameters.get("share", 0.2))
    return [1 - share, share], ["train", "validation"] if kind == "holdout" else ["rest", "test"]


def _inner(people: _Patients, rest: tuple[str, ...], folds: int, seed: int) -> dict[str, tuple[str, ...]]:
    if len(rest) < folds:
        raise DataError(f"{len(rest)} labelled patients outside of the test part are too few for {folds} folds")
    kept = [i for i, name in enumerate(people.names) if name in set(rest)]
    dealt = deal([people.names[i] for i in kept], people.labels[kept], [1 / folds] * folds, seed)
    return {f"fold{n}": tuple(sorted(p for p, i in dealt.items() if i == n)) for n in range(folds)}


def _patients(store: SliceStore) -> _Patients:
    """Patients with a scan that has at least one known label and is not of a challenge's test part."""
    labels = store.scan_labels
    known = (labels != 255).any(axis=1) | _has_known_slices(store)
    parts = store.scans["part"].to_pylist()
    found: dict[str, list[int]] = {}
    for i, series in enumerate(store.series()):
        if known[i] and parts[i] != "test":
            found.setdefault(series.patient, []).append(i)
    if not found:
        raise DataError(f"{store.path}: no patient with labels to split; check the labels and problems.csv")
    names = sorted(found)
    union = np.array([(labels[found[name]] == 1).any(axis=0) for name in names], np.uint8)
    return _Patients(names, union, [len(found[name]) for name in names])


def _has_known_slices(store: SliceStore) -> NDArray[np.bool_]:
    known = (store.labels != 255).any(axis=1)
    return np.array([bool(known[series.rows].any()) for series in store.series()], bool)


def without_positives(split: Split, store: SliceStore) -> dict[str, list[str]]:
    """Part -> types that the collection has but no patient of the part."""
    people = _patients(store)
    positive = {name: people.labels[i] for i, name in enumerate(people.names)}
    anywhere = people.labels.sum(axis=0)
    found = {}
    for part, patients in split.parts.items():
        here = np.array([positive[p] for p in patients if p in positive], np.uint8).reshape(-1, len(LABELS)).sum(axis=0)
        absent = [t for i, t in enumerate(TYPES) if anywhere[i] and not here[i]]
        if absent:
            found[part] = absent
    return found


def check_leakage(split: Split, store: SliceStore) -> None:
    """Checks that nothing of one part is known in another.

    Raises:
        DataError: made for another data set; a patient is in two parts, or in none of the store; a study or series is
            under two patients of different parts.
    """
    if split.digest != store.digest:
        raise DataError(
            f"split {split.name}: made for the data {split.digest[:12]}, {store.path} holds {store.digest[:12]}; "
            "make the split again"
        )
    part_of: dict[str, str] = {}
    for part, patients in split.parts.items():
        for patient in patients:
            if patient in part_of:
                raise DataError(
                    f"split {split.name}: a patient is in both {part_of[patient]} and {part}; make it again"
                )
            part_of[patient] = part
    unknown = set(part_of) - {series.patient for series in store.series()}
    if unknown:
        raise DataError(f"split {split.name}: {len(unknown)} patients are not in {store.path}; make the split again")
    held: dict[str, str] = {}
    for series in store.series():
        here = part_of.get(series.patient)
        for uid in (series.study_uid, series.series_uid):
            if here is not None and held.setdefault(uid, here) != here:
                raise DataError(f"split {split.name}: {uid} is under two patients, in {held[uid]} and {here}")


def _checked_name(name: str) -> str:
    if not NAME.match(name):
        raise UsageError(f"name of a split: expected letters, digits, dot, dash and underscore, found {name!r}")
    return name


def split_path(store: SliceStore, name: str) -> Path:
    """Where a split of this name is stored."""
    return store.path / "splits" / f"{_checked_name(name)}.json"


def save_split(split: Split, store: SliceStore) -> Path:
    """Stores a split beside the data; storing the same one again changes nothing.

    Raises:
        UsageError: another split of this name is there.
    """
    path = split_path(store, split.name)
    if path.exists():
        if load_split(store, split.name) == split:
            return path
        raise UsageError(f"{path}: another split of this name is there; give --name, or remove the file")
    path.parent.mkdir(exist_ok=True)
    write_whole(path, json.dumps({"schema": SCHEMA, **asdict(split)}, indent=1).encode())
    return path


def load_split(store: SliceStore, name: str) -> Split:
    """Reads a stored split.

    Raises:
        DataError: absent, damaged, of another schema.
    """
    path = split_path(store, name)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if found.pop("schema", None) != SCHEMA:
            raise DataError(f"{path}: expected schema {SCHEMA}; make the split again")
        found["parts"] = {part: tuple(patients) for part, patients in found["parts"].items()}
        return Split(**found)
    except FileNotFoundError as error:
        there = sorted(p.stem for p in path.parent.glob("*.json"))
        remedy = f"found {', '.join(there)}" if there else "make one with `ichscan data split`"
        raise DataError(f"{path}: no such split; {remedy}") from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path}: cannot be read as a split ({error}); make it again") from error
