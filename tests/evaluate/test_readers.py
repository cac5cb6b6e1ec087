"""Human reads: the published table of Burduja et al. 2020 from a CSV, agreement, and reads that cannot be used."""

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.evaluate.evaluations import evaluation, labels_of

from ichscan.errors import DataError, UsageError
from ichscan.evaluate.cases import UNKNOWN, Evaluation
from ichscan.evaluate.part import Options
from ichscan.evaluate.parts.readers import part
from ichscan.evaluate.reader_study import raters_of, study
from ichscan.evaluate.readers import MODEL, REFERENCE, human_reads
from ichscan.labels import ANY, LABELS

POSITIVE = (0, 29, 16, 25, 32, 52)
"""Burduja et al. 2020, table 4, of 100 scans."""
TABLE5 = {
    "1": {
        "Accuracy": (0.92, 0.70, 0.87, 0.71, 0.71, 0.81),
        "Sensitivity": (None, 1.00, 0.50, 0.04, 0.62, 0.98),
        "Specificity": (0.92, 0.58, 0.94, 0.93, 0.75, 0.62),
        "ROC-AUC": (None, 0.79, 0.72, 0.49, 0.69, 0.80),
    },
    "2": {
        "Accuracy": (0.97, 0.89, 0.95, 0.91, 0.94, 0.95),
        "Sensitivity": (None, 0.90, 0.88, 0.64, 0.81, 0.94),
        "Specificity": (0.97, 0.89, 0.96, 1.00, 1.00, 0.94),
        "ROC-AUC": (None, 0.89, 0.92, 0.82, 0.91, 0.95),
    },
    "3": {
        "Accuracy": (0.96, 0.91, 0.97, 0.83, 0.91, 0.96),
        "Sensitivity": (None, 0.90, 0.94, 0.40, 0.81, 0.96),
        "Specificity": (0.96, 0.92, 0.98, 0.97, 0.96, 0.96),
        "ROC-AUC": (None, 0.90, 0.95, 0.68, 0.88, 0.96),
    },
    MODEL: {
        "Accuracy": (1.00, 0.90, 0.94, 0.86, 0.90, 0.98),
        "Sensitivity": (None, 0.90, 0.94, 0.72, 0.78, 0.98),
        "Specificity": (1.00, 0.90, 0.94, 0.91, 0.96, 0.98),
        "ROC-AUC": (None, 0.90, 0.94, 0.81, 0.87, 0.98),
    },
}
"""Burduja et al. 2020, table 5: three doctors, and ResNeXt-101 as the model."""
MISPRINT = ("2", "Specificity", ANY)
"""0.94 cannot go with an accuracy of 0.95 and a sensitivity of 0.94 on 52 and 48 scans; 46 of 48 (0.96) does."""
ROUNDED = 0.00501
CUT = 0.01001
"""Some areas of the paper are cut and not rounded, as 0.906 = (26/29 + 65/71) / 2 of doctor 3, printed 0.90."""


def _paper_truth() -> np.ndarray:
    """Labels with the counts of table 4; scans 49 to 51 have a subarachnoid bleed only."""
    y = np.zeros((100, 6), np.uint8)
    y[:29, 1] = y[:16, 2] = y[27:52, 3] = y[17:49, 4] = y[:52, ANY] = 1
    y[16, 4] = 0
    assert tuple(y.sum(axis=0)) == POSITIVE
    return y


def _decisions(rates: dict[str, tuple[float | None, ...]], truth: np.ndarray) -> np.ndarray:
    """Decisions with the rates of one block of table 5: no type without hemorrhage."""
    votes = np.zeros_like(truth)
    for c in (ANY, 0, 1, 2, 3, 4):
        positive, negative = POSITIVE[c], 100 - POSITIVE[c]
        hits = round((rates["Sensitivity"][c] or 0) * positive)
        alarms = negative - _count(rates, c, hits, negative)
        allowed = np.flatnonzero(votes[:, ANY]) if c != ANY else np.arange(100)
        votes[[i for i in allowed if truth[i, c]][:hits], c] = 1
        votes[[i for i in allowed if not truth[i, c]][:alarms], c] = 1
    return votes


def _count(rates: dict[str, tuple[float | None, ...]], c: int, hits: int, negative: int) -> int:
    """True negatives: accuracy is of exactly 100 scans, so it gives them without rounding."""
    count = round(100 * (rates["Accuracy"][c] or 0)) - hits
    assert 0 <= count <= negative
    return count


def _write(path: Path, votes: dict[str, np.ndarray], column: str = "series_uid", name: str = "series-{}") -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column, "reader", *LABELS])
        for reader, table in votes.items():
            writer.writerows([name.format(k), reader, *row] for k, row in enumerate(table.tolist()))
    return path


def _of(truth: np.ndarray, decisions: np.ndarray) -> Evaluation:
    """One slice per scan; the model decides as told."""
    return evaluation(np.where(decisions == 1, 0.9, 0.1), truth, list(range(len(truth))))


def test_the_papers_table_from_a_csv(tmp_path: Path) -> None:
    truth = _paper_truth()
    votes = {name: _decisions(rates, truth) for name, rates in TABLE5.items()}
    path = _write(tmp_path / "reads.csv", {name: v for name, v in votes.items() if name != MODEL})
    made = part(_of(truth, votes[MODEL]), Options(tmp_path, readers=path))
    grids = {g.key: g for g in made.sections[0].grids}
    assert grids["cases"].rows == (("Positive", *POSITIVE), ("Negative", *(100 - p for p in POSITIVE)))
    table = grids["performance"]
    assert table.columns == ("", "measure", *LABELS)
    assert [row[:2] for row in table.rows[:4]] == [
        ("Reader 1", name) for name in ("Accuracy", "Sensitivity", "Specificity", "ROC-AUC")
    ]
    blocks = [name for name in TABLE5 for _ in range(4)]
    for name, row in zip(blocks, table.rows, strict=True):
        for c, (cell, published) in enumerate(zip(row[2:], TABLE5[name][str(row[1])], strict=True)):
            if published is None:
                assert cell is None
            elif (name, row[1], c) != MISPRINT:
                near = CUT if row[1] == "ROC-AUC" else ROUNDED
                assert float(str(cell)) == pytest.approx(published, abs=near), (name, row[1], LABELS[c])


def test_one_number_of_the_papers_table_contradicts_the_others() -> None:
    """Which is why the test above leaves it out: no counts of 52 and 48 scans give all of them."""
    name, _, c = MISPRINT
    rates = {measure: values[c] or 0.0 for measure, values in TABLE5[name].items()}
    fitting = [
        (tp, tn)
        for tp in range(53)
        for tn in range(49)
        if abs(tp / 52 - rates["Sensitivity"]) < ROUNDED
        and abs(tn / 48 - rates["Specificity"]) < ROUNDED
        and abs((tp + tn) / 100 - rates["Accuracy"]) < ROUNDED
    ]
    assert fitting == []


def test_wrong_labels_as_the_paper_counts_them(tmp_path: Path) -> None:
    """Section 5: 39 wrong labels of doctor 2, of 600."""
    truth = _paper_truth()
    votes = {name: _decisions(TABLE5[name], truth) for name in ("2", MODEL)}
    path = _write(tmp_path / "reads.csv", {"2": votes["2"]})
    made = part(_of(truth, votes[MODEL]), Options(tmp_path, readers=path))
    assert made.facts["raters"]["2"]["wrong_decisions"] == 39
    shared = int(((votes["2"] != truth) & (votes[MODEL] != truth)).sum())
    assert made.facts["shared_mistakes"] == [{"raters": ["2", MODEL], "decisions": shared}]
    assert made.facts["fleiss_kappa"] == "one reader"


def _random(seed: int, n: int = 80) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rng = np.random.default_rng(seed)
    truth = np.zeros((n, 6), np.uint8)
    truth[:, :ANY] = rng.random((n, ANY)) < 0.3
    truth[:, ANY] = truth[:, :ANY].any(axis=1)
    reads = {}
    for name in ("a", "b", "c"):
        types = np.where(rng.random((n, ANY)) < 0.15, 1 - truth[:, :ANY], truth[:, :ANY])
        reads[name] = np.column_stack([types, types.any(axis=1)]).astype(np.uint8)
    return truth, reads


def test_measures_and_kappas_against_scikit_learn(tmp_path: Path) -> None:
    sk = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra `evaluate`")
    truth, reads = _random(1)
    one = _of(truth, reads["b"])
    found = human_reads(_write(tmp_path / "reads.csv", reads), one)
    made = study(raters_of(one.scans, found), truth, one.scans.patients)
    for c, label in enumerate(LABELS):
        score = made.scores["a"][c]
        assert score.decisions.accuracy == pytest.approx(sk.accuracy_score(truth[:, c], reads["a"][:, c]))
        assert score.decisions.sensitivity == pytest.approx(sk.recall_score(truth[:, c], reads["a"][:, c]))
        assert score.auc_decisions == pytest.approx(sk.roc_auc_score(truth[:, c], reads["a"][:, c]))
        for pair, first, second in (
            (("a", "c"), reads["a"], reads["c"]),
            (("c", MODEL), reads["c"], reads["b"]),
            (("a", REFERENCE), reads["a"], truth),
        ):
            expected = sk.cohen_kappa_score(first[:, c], second[:, c])
            assert made.pairs[pair][label].kappa == pytest.approx(expected)
    assert made.pairs["b", MODEL]["any"].kappa == 1


def test_fleiss_by_its_definition(tmp_path: Path) -> None:
    """Fleiss 1971: (P - Pe) / (1 - Pe), counted case by case."""
    truth, reads = _random(2)
    one = _of(truth, truth)
    made = study(raters_of(one.scans, human_reads(_write(tmp_path / "r.csv", reads), one)), truth, one.scans.patients)
    yes = sum(reads[name][:, 3].astype(int) for name in reads)
    agreeing = np.mean([(k * (k - 1) + (3 - k) * (2 - k)) / 6 for k in yes])
    share = yes.mean() / 3
    chance = share**2 + (1 - share) ** 2
    assert made.fleiss is not None
    assert made.fleiss[LABELS[3]].kappa == pytest.approx((agreeing - chance) / (1 - chance))


def test_incomplete_reads_are_compared_on_what_everybody_read(tmp_path: Path) -> None:
    truth, reads = _random(3, 30)
    path = _write(tmp_path / "reads.csv", {"a": reads["a"], "b": reads["b"][:20]})
    lines = path.read_text().splitlines()
    lines[1] = ",".join([*lines[1].split(",")[:2], "", *lines[1].split(",")[3:]])  # reader a, scan 0: no epidural
    path.write_text("\n".join(lines))
    one = _of(truth, truth)
    made = part(one, Options(tmp_path, readers=path))
    assert made.facts["cases"] == {label: 19 if c == 0 else 20 for c, label in enumerate(LABELS)}
    assert made.facts["reads"]["incomplete"] == 1
    assert made.facts["cohen_kappa"][1]["raters"] == ["a", MODEL]
    kappa = made.facts["cohen_kappa"][1]
    assert kappa["any"]["cases"] == 30
    assert kappa["epidural"]["cases"] == 29


def test_majority_as_the_reference(tmp_path: Path) -> None:
    truth, reads = _random(4)
    one = _of(truth, truth)
    path = _write(tmp_path / "reads.csv", reads)
    expected = (sum(reads.values()) >= 2).astype(np.uint8)
    assert np.array_equal(human_reads(path, one).majority(), expected)
    made = part(one, Options(tmp_path, readers=path, reference="readers"))
    assert made.facts["positives"] == dict(zip(LABELS, expected.sum(axis=0).tolist(), strict=True))
    assert any("flatters" in note for note in made.sections[0].notes)
    two = _write(tmp_path / "two.csv", {k: reads[k] for k in ("a", "b")})
    ties = human_reads(two, one).majority() == UNKNOWN
    assert np.array_equal(ties, reads["a"] != reads["b"])


def _lines(tmp_path: Path, *rows: str, head: str = "slice_id,reader," + ",".join(LABELS)) -> Path:
    path = tmp_path / "reads.csv"
    path.write_text("\n".join((head, *rows)))
    return path


@pytest.fixture
def small() -> Evaluation:
    y = labels_of(["-", "ep", "ep,sd", "-"])
    return evaluation(np.where(y == 1, 0.9, 0.1), y, [0, 0, 0, 1])


def test_odd_lines_are_counted(tmp_path: Path, small: Evaluation) -> None:
    path = _lines(
        tmp_path, "0/0,x,0,0,0,0,0,0", "0/0,x,0,0,0,0,0,0", "9/9,x,0,0,0,0,0,0", "0/1,x,1,0,0,0,0,0",
        "0/2,x,1,0,0,0,1,", "1/0,x,,,,,,0", "1/0,y,0,0,0,0,0,1", "0/2,y,0,,,,,",
    )  # fmt: skip
    reads = human_reads(path, small)
    assert reads.counts == {
        "lines": 8, "unknown ids": 1, "repeated": 1, "contradicting": 1, "incomplete": 1, "any without type": 1,
    }  # fmt: skip
    assert reads.level == "slices"
    x, y = reads.votes
    assert x.tolist() == [[0] * 6, [UNKNOWN] * 6, [1, 0, 0, 0, 1, 1], [0] * 6]
    assert y[2].tolist() == [0, *[UNKNOWN] * 5]
    notes = part(small, Options(tmp_path, readers=path)).sections[0].notes
    assert any("1 unknown ids" in note and "1 contradicting" in note for note in notes)


def test_probabilities_of_readers(tmp_path: Path, small: Evaluation) -> None:
    head = "slice_id,reader," + ",".join(LABELS[:ANY]) + ",probability"
    rows = ("0/0,x,0,0,0,0,0,.6", "0/1,x,0,0,0,0,0,0.3", "0/2,x,1,0,0,0,1,0.9", "1/0,x,0,0,0,0,0,0.1")
    made = part(small, Options(tmp_path, readers=_lines(tmp_path, *rows, head=head)))
    labels = made.facts["raters"]["x"]["labels"]
    assert labels["any"]["auc_probabilities"] == 0.75
    assert labels["any"]["auc_decisions"] == 0.75
    assert labels["epidural"]["auc_probabilities"] == "not estimable"
    other = rows[0].replace(".6", ".7")
    with pytest.raises(DataError, match="lines 2 and 6 are reads of the same case by the same reader and differ"):
        human_reads(_lines(tmp_path, *rows, other, head=head), small)


def test_no_readers_no_section(tmp_path: Path, small: Evaluation) -> None:
    assert part(small, Options(tmp_path)).sections == ()


def test_a_model_without_thresholds_is_not_estimable(tmp_path: Path, small: Evaluation) -> None:
    small.slices.thresholds[:] = np.nan
    rows = ("0/0,x,0,0,0,0,0,0", "0/1,x,1,0,0,0,0,1")
    made = part(small, Options(tmp_path, readers=_lines(tmp_path, *rows)))
    assert made.facts["raters"][MODEL]["labels"]["any"]["sensitivity"] == "not estimable"
    assert made.facts["raters"]["x"]["labels"]["any"]["sensitivity"]["value"] == 1
    assert any("no thresholds" in note for note in made.sections[0].notes)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (("0/0,x,2,0,0,0,0,0",), r"line 2: expected 0, 1 or nothing in epidural, found '2'"),
        (("0/0,model,0,0,0,0,0,0",), "line 2: a reader cannot be called 'model'"),
        (("0/0,,0,0,0,0,0,0",), "line 2: expected a slice_id and a reader"),
        (("0/0,x,0,0,0,0,0,0", "0/0,x,0,0,0,0,1,1"), "lines 2 and 3 are reads of the same case by the same reader"),
        (("8/0,x,0,0,0,0,0,0",), r"none of the 1 reads is about one of the 4 slices .*such as 0/0"),
        ((), "found only the heading"),
    ],
)
def test_reads_that_cannot_be_used(tmp_path: Path, small: Evaluation, rows: Sequence[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        human_reads(_lines(tmp_path, *rows), small)


def test_tables_that_are_none(tmp_path: Path, small: Evaluation) -> None:
    with pytest.raises(DataError, match="reader, subdural absent"):
        human_reads(_lines(tmp_path, "1", head="slice_id," + ",".join(LABELS[:4])), small)
    with pytest.raises(DataError, match="slice_id and series_uid found"):
        human_reads(_lines(tmp_path, "1", head="slice_id,series_uid,reader," + ",".join(LABELS)), small)
    with pytest.raises(DataError, match="cannot read the reads"):
        human_reads(tmp_path / "absent.csv", small)
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="in UTF-8"):
        human_reads(tmp_path / "bad.csv", small)
    head = "slice_id,reader,probability," + ",".join(LABELS)
    for value, message in (("2", "from 0 to 1, found 2"), ("high", "expected a number")):
        with pytest.raises(DataError, match=message):
            human_reads(_lines(tmp_path, f"0/0,x,{value},0,0,0,0,0,0", head=head), small)
    with pytest.raises(UsageError, match="expected one of labels, readers"):
        part(small, Options(tmp_path, reference="biopsy"))


def test_reads_of_cq500_are_taken_as_they_are(tmp_path: Path) -> None:
    short = ("ICH", "IPH", "IVH", "SDH", "EDH", "SAH")
    head = ["name", *(f"R{r}:{c}" for r in (1, 2, 3) for c in short)]
    saw = {"ICH": 1, "IPH": 1, "IVH": 0, "SDH": 0, "EDH": 0, "SAH": 0}
    none = dict.fromkeys(short, 0)
    rows = [["0", *(read[c] for read in (saw, saw, none) for c in short)], ["1", *([0] * 18)]]
    path = tmp_path / "reads.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([head, *rows])
    y = labels_of(["ip", "-"])
    one = evaluation(np.where(y == 1, 0.9, 0.1), y, [0, 1])
    reads = human_reads(path, one)
    assert (reads.level, reads.readers) == ("patients", ("R1", "R2", "R3"))
    assert reads.votes[0, 0].tolist() == [0, 1, 0, 0, 0, 1]
    assert reads.votes[2].tolist() == [[0] * 6] * 2
    made = part(one, Options(tmp_path, readers=path))
    assert made.facts["raters"]["R3"]["labels"]["any"]["fn"] == 1


def test_model_against_readers_case_by_case(tmp_path: Path) -> None:
    stats = pytest.importorskip("scipy.stats", reason="scipy comes with the extra `evaluate`")
    truth, reads = _random(5)
    made = part(_of(truth, reads["b"]), Options(tmp_path, readers=_write(tmp_path / "r.csv", {"a": reads["a"]})))
    model, reader = (reads[k][:, 1] == truth[:, 1] for k in ("b", "a"))
    test = made.facts["model_against"]["a"]["intraparenchymal"]
    only = int((model & ~reader).sum()), int((reader & ~model).sum())
    assert (test["first_only"], test["second_only"]) == only
    assert test["exact"] == pytest.approx(stats.binomtest(only[0], sum(only)).pvalue)


def test_slices_of_one_patient_make_wider_intervals(tmp_path: Path) -> None:
    """40 slices of 4 patients, each found or missed as a whole, against 40 patients."""
    truth = labels_of(["ep"] * 40)
    truth[20:] = 0
    seen = truth.copy()
    seen[10:20] = 0
    widths = []
    for scans in ([k // 10 for k in range(40)], list(range(40))):
        one = evaluation(np.where(truth == 1, 0.9, 0.1), truth, scans)
        path = tmp_path / "reads.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["slice_id", "reader", *LABELS])
            writer.writerows([name, "x", *row] for name, row in zip(one.slices.ids, seen.tolist(), strict=True))
        rate = part(one, Options(tmp_path, readers=path)).facts["raters"]["x"]["labels"]["any"]["sensitivity"]
        assert rate["value"] == 0.5
        widths.append(rate["high"] - rate["low"])
    assert widths[0] > 1.5 * widths[1]
