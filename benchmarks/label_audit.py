"""How many planted label errors does the audit find? Labels of one scan are made wrong at a time.

    python benchmarks/label_audit.py docs/results/default/predictions.csv STORE

Predictions must be out of fold: the model never saw the patient, so a wrong label changes nothing in them.
"""

import argparse
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from ichscan.datasets.store import open_store
from ichscan.evaluate.align import align
from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.label_audit import OTHER_TYPE, UNLABELLED, UNSEEN, findings, holes, in_turns
from ichscan.evaluate.sources.open import open_source
from ichscan.evaluate.truth import truth_of_store
from ichscan.labels import ANY

SHOWN = 20
Labels = NDArray[np.uint8]
Rows = NDArray[np.int64]
Plant = Callable[[Labels, Rows], Rows]
"""Changes labels, uint8 (slices, 6), of one scan's rows in place; returns the rows that are now wrong."""


def whole_bleed(y: Labels, rows: Rows) -> Rows:
    """No slice of a bleeding scan is labelled."""
    wrong = rows[y[rows, ANY] == 1]
    y[rows] = 0
    return wrong


def one_slice(y: Labels, rows: Rows) -> Rows:
    """The middle slice of a bleed is not labelled."""
    bleeding = y[rows, ANY] == 1
    inner = rows[1:-1][bleeding[1:-1] & bleeding[:-2] & bleeding[2:]]
    wrong = inner[len(inner) // 2 :][:1]
    y[wrong] = 0
    return wrong


def healthy(y: Labels, rows: Rows) -> Rows:
    """Three slices in the middle of a healthy scan are labelled epidural."""
    wrong = rows[len(rows) // 2 - 1 :][:3]
    y[np.ix_(wrong, [0, ANY])] = 1
    return wrong


def other_type(y: Labels, rows: Rows) -> Rows:
    """An epidural bleed is called intraparenchymal."""
    wrong = rows[(y[rows, 0] == 1) & (y[rows, :ANY].sum(axis=1) == 1)]
    y[wrong, 0], y[wrong, 1] = 0, 1
    return wrong


PLANTS: tuple[tuple[str, Plant, bool, tuple[str, ...]], ...] = (
    ("a whole bleed is not labelled", whole_bleed, True, (UNLABELLED,)),
    ("one slice inside of a bleed is not labelled", one_slice, True, (UNLABELLED,)),
    ("three slices of a healthy scan are labelled epidural", healthy, False, (UNSEEN,)),
    ("an epidural bleed is called intraparenchymal", other_type, True, (OTHER_TYPE, UNSEEN)),
)


def try_all(evaluation: Evaluation, plant: Plant, bleeding: bool, kinds: Collection[str]) -> tuple[int, int, int, int]:
    """Errors planted, found, among the first `SHOWN`, and found as a hole."""
    planted = found = shown = hole = 0
    for scan in np.flatnonzero((evaluation.scans.y[:, ANY] == 1) == bleeding):
        y = evaluation.slices.y.copy()
        wrong = plant(y, np.flatnonzero(evaluation.scan_of_slice == scan))
        if not len(wrong):
            continue
        cases = replace(evaluation.slices, y=y)
        listed = findings(cases, evaluation.scan_of_slice)
        hits = [f for f in listed if f.kind in kinds and np.isin(f.rows, wrong).any()]
        planted += 1
        found += bool(hits)
        shown += any(f in hits for f in in_turns(listed, SHOWN))
        hole += bool(np.isin(holes(cases, evaluation.scan_of_slice), wrong).any())
    return planted, found, shown, hole


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("predictions")
    parser.add_argument("store", type=Path)
    arguments = parser.parse_args()
    store = open_store(arguments.store)
    truth = truth_of_store(store)
    with TemporaryDirectory() as folder:
        evaluation = align(truth, open_source(arguments.predictions, truth, store, Path(folder)), allow_missing=False)
    print(f"| error | planted | found | among the first {SHOWN} | found as a hole |\n|---|---|---|---|---|")
    for name, plant, bleeding, kinds in PLANTS:
        print(f"| {name} | {' | '.join(map(str, try_all(evaluation, plant, bleeding, kinds)))} |")


if __name__ == "__main__":
    main()
