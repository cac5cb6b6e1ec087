"""The label audit: planted wrong labels come first, and the criteria are those of the papers."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.datasets.tiny_store import slice_row, write_store
from tests.evaluate.evaluations import evaluation, labels_of

from ichscan.datasets.store import open_store
from ichscan.evaluate.audit_picture import _named
from ichscan.evaluate.label_audit import (
    OTHER_TYPE,
    UNLABELLED,
    UNSEEN,
    disagreements,
    findings,
    holes,
    in_turns,
)
from ichscan.evaluate.part import Options
from ichscan.evaluate.parts.label_audit import FILE, MEMORY, part
from ichscan.labels import ANY, LABELS


def _good_model(y: np.ndarray, seed: int = 0) -> np.ndarray:
    """Calibrated and right almost always: probabilities near 0.9 and 0.03."""
    rng = np.random.default_rng(seed)
    return np.where(y == 1, rng.uniform(0.85, 0.95, y.shape), rng.uniform(0.01, 0.05, y.shape))


def _scans(rows: list[str], count: int = 10) -> tuple[np.ndarray, list[int]]:
    return labels_of(rows * count), [k for k in range(count) for _ in rows]


def test_planted_wrong_labels_are_the_findings() -> None:
    truth, scan = _scans(["-", "-", "ep", "ep", "ep", "-", "-", "sd", "sd", "sd", "-", "-"])
    p = np.where(truth == 1, 0.9, 0.03)
    y = truth.copy()
    y[2:5] = 0  # a whole bleed of scan 0 is not labelled
    y[[12, 24]] = labels_of(["ip", "ip"])  # scans 1 and 2: a label in a slice without hemorrhage
    y[43:46, 0], y[43:46, 4] = 1, 0  # scan 3: subdural labelled as epidural
    p[y != truth] = np.where(truth[y != truth] == 1, 0.95, 0.01)
    found = findings(evaluation(p, y, scan).slices, np.array(scan))
    got = {(f.kind, tuple(f.rows.tolist()), frozenset(LABELS[c] for c in f.labels)) for f in found}
    assert got == {
        (UNLABELLED, (2, 3, 4), frozenset({"epidural", "any"})),
        (UNSEEN, (12,), frozenset({"intraparenchymal", "any"})),
        (UNSEEN, (24,), frozenset({"intraparenchymal", "any"})),
        (UNSEEN, (43, 44, 45), frozenset({"epidural"})),
        (OTHER_TYPE, (43, 44, 45), frozenset({"subdural"})),
    }
    assert not any(f.at_edge for f in found)
    assert [f.kind for f in in_turns(found, 3)] == [UNLABELLED, OTHER_TYPE, UNSEEN]
    assert len(in_turns(found, 99)) == 5


def test_right_labels_give_no_findings() -> None:
    y, scan = _scans(["-", "ep", "ep", "-", "sd", "-"])
    assert findings(evaluation(_good_model(y), y, scan).slices, np.array(scan)) == []


def test_one_class_or_unknown_labels_give_nothing() -> None:
    y = np.zeros((6, 6), np.uint8)
    cases = evaluation(np.full((6, 6), 0.9), y, [0] * 6).slices
    assert findings(cases, np.zeros(6, np.int64)) == []
    assert np.isnan(disagreements(cases).thresholds).all()
    y[:, ANY] = 255
    assert np.isnan(disagreements(evaluation(np.full((6, 6), 0.9), y, [0] * 6).slices).surprise[:, ANY]).all()


def test_criterion_is_confident_learning() -> None:
    """Northcutt et al. 2021, equation 2: t_j is the mean probability of j over the rows labelled j."""
    rng = np.random.default_rng(3)
    y = np.zeros((300, 6), np.uint8)
    y[:, ANY] = rng.random(300) < 0.3
    p = np.clip(0.25 + 0.35 * y + rng.normal(0, 0.25, y.shape), 0.01, 0.99)
    got = disagreements(evaluation(p, y, [0] * 300).slices)
    a, q = y[:, ANY], p[:, ANY]
    t0, t1 = np.mean([1 - v for v in q[a == 0]]), np.mean(q[a == 1])
    assert got.thresholds[ANY] == pytest.approx([t0, t1])
    expected = [(v >= t1 and v > 0.5) if k == 0 else (1 - v >= t0 and v < 0.5) for k, v in zip(a, q, strict=True)]
    assert got.confident[:, ANY].tolist() == expected
    assert 0 < sum(expected) < 100
    assert got.surprise[:, ANY] == pytest.approx(-np.log(np.where(a == 1, q, 1 - q)))


def test_evidence_is_the_bayes_factor() -> None:
    """With p from Bayes' theorem, the weight of evidence is the log likelihood ratio, whatever the frequency."""
    frequency, ratio = 0.2, 30.0
    odds = ratio * frequency / (1 - frequency)
    y = np.zeros((10, 6), np.uint8)
    y[:2, ANY] = 1
    p = np.full((10, 6), odds / (1 + odds))
    got = disagreements(evaluation(p, y, [0] * 10).slices).evidence[:, ANY]
    assert got[5] == pytest.approx(np.log(ratio))
    assert got[0] == pytest.approx(-np.log(ratio))


def test_edges_come_last_and_holes_are_named() -> None:
    y, scan = _scans(["-", "-", "ep", "ep", "-", "ep", "-", "-"])
    p = _good_model(y)
    p[1, [0, ANY]] = 0.95  # the slice below the labelled run of scan 0
    p[8 + 7, [0, ANY]] = 0.92  # not beside a labelled one
    found = findings(evaluation(p, y, scan).slices, np.array(scan))
    assert [(f.peak, f.at_edge) for f in found] == [(15, False), (1, True)]
    assert found[1].evidence > found[0].evidence
    assert holes(evaluation(p, y, scan).slices, np.array(scan)).tolist() == [4 + 8 * k for k in range(10)]


def test_a_hole_is_no_edge() -> None:
    truth, scan = _scans(["-", "ep", "ep", "ep", "-"])
    p, y = np.where(truth == 1, 0.9, 0.03), truth.copy()
    y[2] = 0  # inside of the bleed of scan 0
    y[6], y[7] = 0, 0  # the lower two of the three slices of scan 1
    p[11:14] = _good_model(labels_of(["-"] * 3))  # scan 2: the bleed is not seen at all
    p[17] = 0.01  # scan 3: only its middle is not seen
    found = {f.peak: f.at_edge for f in findings(evaluation(p, y, scan).slices, np.array(scan))}
    assert found[2] is False
    assert found[17] is True
    assert [edge for row, edge in found.items() if row in (6, 7)] == [True]


def test_part_writes_the_list_and_shows_pictures(tmp_path: Path) -> None:
    truth, scan = _scans(["-", "-", "ep", "ep", "-"], 6)
    p, y = _good_model(truth), truth.copy()
    y[2:4] = 0
    rows = [slice_row(str(s), i % 5, tuple(int(v) for v in y[i])) for i, s in enumerate(scan)]
    store = open_store(write_store(tmp_path / "store", rows))
    made = part(evaluation(p, y, scan), Options(tmp_path, store=store))
    with (tmp_path / FILE).open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert [(r["kind"], r["id"], r["first"], r["last"], r["given"]) for r in listed] == [
        (UNLABELLED, "0/2", "3", "4", "0")
    ]
    (picture,) = made.sections[0].pictures
    image = cv2.imdecode(np.frombuffer(picture.png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert image.shape == (300, 750)
    assert image.std() > 10
    assert _named(np.full((60, 200), 255, np.uint8), "31 of 31, brain").min() < 40  # also read on bone
    assert MEMORY not in made.sections[0].notes
    assert made.facts["findings"] == {UNLABELLED: 1, OTHER_TYPE: 0, UNSEEN: 0}


def test_predictions_that_are_not_out_of_fold_are_told(tmp_path: Path) -> None:
    y, scan = _scans(["-", "ep"])
    assert MEMORY in part(evaluation(_good_model(y), y, scan, fold=-1), Options(tmp_path)).sections[0].notes


def test_scans_are_audited_where_slices_have_no_labels(tmp_path: Path) -> None:
    truth = labels_of(["ep" if k % 2 else "-" for k in range(20)])
    p, scan = _good_model(truth), list(range(20))
    one = evaluation(p, truth, scan)
    one.scans.y[4] = labels_of(["sd"])[0]
    one.slices.y[:] = 255
    made = part(one, Options(tmp_path))
    assert made.facts["level"] == "scans"
    assert [f["id"] for f in made.facts["shown"]] == ["series-4"]
    assert made.facts["shown"][0]["slice"] is None


def test_labels_against_their_readers(tmp_path: Path) -> None:
    """Two of three readers contradict two labels; the model shares the doubt about the second, which comes first."""
    truth, scan = _scans(["-", "ep", "ep", "-"], 5)
    p, y = _good_model(truth), truth.copy()
    p[1] = _good_model(labels_of(["-"]))[0]
    y[5] = 0
    y[9] = labels_of(["-"])[0]
    seen = {name: truth.copy() for name in ("a", "b", "c")}
    seen["c"] = y.copy()
    seen["a"][1] = seen["b"][1] = 0
    seen["a"][9] = 0  # one of three: no contradiction of the label 0 by most
    path = tmp_path / "reads.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["slice_id", "reader", *LABELS])
        for name, votes in seen.items():
            writer.writerows([f"{s}/{i % 4}", name, *votes[i]] for i, s in enumerate(scan))
    p[5] = _good_model(labels_of(["-"]))[0]
    made = part(evaluation(p, y, scan), Options(tmp_path, readers=path))
    with (tmp_path / "label_audit_readers.csv").open(newline="") as file:
        listed = [(r["id"], r["label"], r["given"], r["against"], r["model_too"]) for r in csv.DictReader(file)]
    assert sorted(listed[:2]) == [("0/1", "any", "1", "2", "1"), ("0/1", "epidural", "1", "2", "1")]
    assert sorted(listed[2:]) == [("1/1", "any", "0", "2", "0"), ("1/1", "epidural", "0", "2", "0")]
    assert made.facts["readers"] == {"contradicted": 4, "by_the_model_too": 2}
