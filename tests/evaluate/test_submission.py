"""The challenge's CSV and score: rows and order of its sample, values clipped, faults named."""

import math
from pathlib import Path

import numpy as np
import pytest

from ichscan.cli import main
from ichscan.errors import DataError
from ichscan.evaluate.metrics import weighted_log_loss
from ichscan.evaluate.submission import build_submission, read_submission, submission_csv
from ichscan.labels import LABELS

SHUFFLED = ("ID_b_any", "ID_b_epidural", *(f"ID_a_{label}" for label in LABELS), *(f"ID_b_{x}" for x in LABELS[1:5]))


def _sample(path: Path, ids: tuple[str, ...] = SHUFFLED) -> Path:
    path.write_text("ID,Label\n" + "".join(f"{i},0.5\n" for i in ids))
    return path


def test_rows_are_those_of_the_sample_in_its_order() -> None:
    p = np.array([[0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]], np.float32)
    made = build_submission(["ID_b", "ID_a"], p, SHUFFLED)
    assert made.ids == SHUFFLED
    assert made.probabilities == pytest.approx(
        [0.6, 0.1, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.2, 0.3, 0.4, 0.5], abs=1e-7
    )


def test_certainty_is_clipped() -> None:
    made = build_submission(["ID_a"], np.array([[0, 1, 0, 1, 0.5, 1]]), [f"ID_a_{label}" for label in LABELS])
    assert submission_csv(made).splitlines() == [
        "ID,Label", "ID_a_epidural,1e-05", "ID_a_intraparenchymal,0.99999", "ID_a_intraventricular,1e-05",
        "ID_a_subarachnoid,0.99999", "ID_a_subdural,0.5", "ID_a_any,0.99999",
    ]  # fmt: skip


def test_read_gives_back_what_was_written(tmp_path: Path) -> None:
    p = np.random.default_rng(0).random((2, 6), np.float32)
    made = build_submission(["ID_a", "ID_b"], p, SHUFFLED)
    file = tmp_path / "s.csv"
    file.write_text(submission_csv(made))
    again = read_submission(file)
    assert again.ids == made.ids
    assert (again.probabilities.astype(np.float32) == made.probabilities.astype(np.float32)).all()


@pytest.mark.parametrize(
    ("ids", "says"),
    [
        (["ID_a"], "1 slices of the sample have no prediction: ID_b"),
        (["ID_a", "ID_b", "ID_c"], "1 are not in the sample: ID_c"),
        (["ID_a", "ID_c"], "no prediction: ID_b; 1 are not in the sample: ID_c"),
        (["ID_a", "ID_b", "ID_b"], "1 of 3 slice ids are repeated"),
    ],
)
def test_wrong_slices_are_named(ids: list[str], says: str) -> None:
    with pytest.raises(DataError, match=says):
        build_submission(ids, np.full((len(ids), 6), 0.5), SHUFFLED)


def test_many_missing_slices_are_counted() -> None:
    with pytest.raises(DataError, match=r"ID_0, ID_1, ID_2, ID_3, ID_4 … \(9 in all\)"):
        build_submission([], np.empty((0, 6)), [f"ID_{i}_any" for i in range(9)])


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1, float("inf")])
def test_values_that_are_no_probabilities_are_refused(wrong: float) -> None:
    p = np.full((2, 6), 0.5)
    p[1, 3] = wrong
    with pytest.raises(DataError, match="outside \\[0, 1\\] or not numbers: ID_b"):
        build_submission(["ID_a", "ID_b"], p, SHUFFLED)


def test_shape_is_checked() -> None:
    with pytest.raises(DataError, match=r"expected an array of \(2, 6\) \(slices, labels\), found \(2, 5\)"):
        build_submission(["ID_a", "ID_b"], np.full((2, 5), 0.5), SHUFFLED)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "expected the columns ID,Label, found ''"),
        ("id,label\n", "expected the columns ID,Label, found 'id,label'"),
        ("ID,Label\nID_a_any\n", "line 2: expected a probability in .*found 'no value'"),
        ("ID,Label\nID_a_any,x\n", "line 2: expected a probability in .*found 'x'"),
        ("ID,Label\nID_a_any,2\n", "line 2: expected a probability in .*found '2'"),
        ("ID,Label\nID_a_some,0.5\n", "expected ids <slice>_<label>.*found ID_a_some"),
        ("ID,Label\nany,0.5\n", "expected ids <slice>_<label>.*found any"),
        ("ID,Label\nID_a_any,0.5\nID_a_any,0.5\n", "1 ids are listed again: ID_a_any"),
    ],
)
def test_broken_files_are_refused(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "s.csv"
    file.write_text(text)
    with pytest.raises(DataError, match=says):
        read_submission(file)


def test_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a submission CSV"):
        read_submission(tmp_path / "none.csv")


def test_sample_of_the_challenge(data_dir: Path) -> None:
    sample = read_submission(data_dir / "rsna-2019-sample" / "stage_2_sample_submission.csv")
    slices = list(dict.fromkeys(i.rpartition("_")[0] for i in sample.ids))
    assert len(sample.ids) == 6 * len(slices)
    made = build_submission(slices, np.full((len(slices), 6), 0.5), sample.ids)
    assert made.ids == sample.ids


def test_weighted_log_loss_by_hand() -> None:
    """Two slices worked out on paper: any counts twice, the sum is divided by 7 and by the number of slices."""
    p = np.array([[0.1, 0.8, 0.25, 0.5, 0.5, 0.9], [0.0, 0.1, 0.1, 0.2, 0.4, 0.3]])
    y = np.array([[0, 1, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]], np.uint8)
    first = -(math.log(0.9) + math.log(0.8) + math.log(0.75) + 2 * math.log(0.5) + 2 * math.log(0.9))
    second = -(math.log(1 - 1e-5) + 2 * math.log(0.9) + math.log(0.8) + math.log(0.6) + 2 * math.log(0.7))
    assert weighted_log_loss(p, y) == pytest.approx((first + second) / 14, abs=1e-12)
    assert weighted_log_loss(p, y) == pytest.approx(0.2765180, abs=1e-6)


def test_a_wrong_certainty_costs_no_more_than_the_clip() -> None:
    y = np.array([[0, 0, 0, 0, 0, 1]], np.uint8)
    by_hand = (-2 * math.log(1e-5) - 5 * math.log(1 - 1e-5)) / 7
    assert weighted_log_loss(np.zeros((1, 6)), y) == pytest.approx(by_hand)
    assert weighted_log_loss(np.full((1, 6), 0.5), y) == pytest.approx(math.log(2))


def _predictions(path: Path, ids: list[str], leave_out: str = "") -> Path:
    pa = pytest.importorskip("pyarrow", reason="pyarrow comes with the extra `data`")
    pq = pytest.importorskip("pyarrow.parquet")
    columns = {"slice_id": ids} | {label: np.full(len(ids), 0.25, np.float32) for label in LABELS if label != leave_out}
    pq.write_table(pa.table(columns), path)
    return path


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = _predictions(tmp_path / "p.parquet", ["ID_a", "ID_b"])
    sample, out = _sample(tmp_path / "sample.csv"), tmp_path / "out.csv"
    assert main(["submit", str(table), "--sample", str(sample), "--out", str(out)]) == 0
    assert "12 rows for 2 slices" in capsys.readouterr().out
    made = read_submission(out)
    assert made.ids == SHUFFLED
    assert set(made.probabilities) == {0.25}


def _broken(path: Path) -> Path:
    path.write_bytes(b"no table")
    return path


def test_command_names_what_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample = str(_sample(tmp_path / "sample.csv"))
    out = tmp_path / "out.csv"
    for table, says in (
        (_predictions(tmp_path / "few.parquet", ["ID_a"]), "no prediction: ID_b"),
        (_predictions(tmp_path / "col.parquet", ["ID_a", "ID_b"], "any"), "any not found"),
        (tmp_path / "none.parquet", "no such file"),
        (tmp_path / "sample.csv", "slice_id, epidural, intraparenchymal"),
        (_broken(tmp_path / "broken.parquet"), "cannot be read as a table"),
    ):
        assert main(["submit", str(table), "--sample", sample, "--out", str(out)]) == DataError.exit_code
        assert says in capsys.readouterr().err
    assert not out.exists()
