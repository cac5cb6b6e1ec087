"""`ichscan evaluate` from one end to the other: files, schema, the same bytes twice."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pyarrow")
pytest.importorskip("matplotlib")
pytest.importorskip("sklearn")
pytest.importorskip("onnx", reason="the tiny bundle is made with onnx")
jsonschema = pytest.importorskip("jsonschema")
from tests.evaluate.stores import PATIENTS, SLICES, make_store, predictions, rows, write_table
from tests.fake_bundle import write_fake_bundle

import ichscan.evaluate
from ichscan.cli import main
from ichscan.evaluate.run import CHOSEN_HERE
from ichscan.labels import ANY, LABELS
from ichscan.model.spec import load_spec

SCHEMA = json.loads((Path(ichscan.evaluate.__file__).parent / "evaluation.schema.json").read_text(encoding="utf-8"))
Columns = dict[str, list[Any]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("run") / "store")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    return write_table(tmp_path / "p.parquet", predictions(rows()))


@pytest.fixture
def few_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Charts take seconds; these tests are about something else."""
    monkeypatch.setattr("ichscan.evaluate.run.PARTS", ("inputs", "comparison"))


def evaluate(*arguments: str | Path) -> int:
    return main(["evaluate", *(str(a) for a in arguments), "--draws", "20"])


def document(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, SCHEMA)
    return found


def files(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def test_a_table_with_everything(store: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert evaluate(table, "--data", store, "--out", out, "--choose", "youden", "--compare", table) == 0
    told = capsys.readouterr()
    assert str(out / "report.html") in told.out
    assert "measures" in told.err
    found = document(out)
    assert (found["data"]["slices"], found["data"]["patients"]) == (PATIENTS * SLICES, PATIENTS)
    assert found["parts"]["inputs"]["counts"]["slices"]["any"]["positive"] == PATIENTS // 2
    assert found["thresholds"]["points"]["slices"]["any"]["rule"] == "youden"
    assert found["thresholds"]["slices"]["intraparenchymal"] is None
    same = found["parts"]["comparison"]["slices"]["any"]
    assert same["auc"]["difference"] == 0
    assert same["mcnemar"]["first_only"] == 0
    assert found["parts"]["comparison"]["slices"]["intraventricular"]["auc"] == "not estimable"
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "What was evaluated" in page
    assert "NaN" not in page
    with (out / "tables" / "inputs-counts.csv").open(newline="") as file:
        counts = list(csv.DictReader(file))
    assert [row["positive"] for row in counts if (row["level"], row["label"]) == ("patients", "any")] == ["6"]


def test_the_same_input_gives_the_same_bytes(store: Path, table: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert evaluate(table, "--data", store, "--out", tmp_path / name) == 0
    assert files(tmp_path / "one") == files(tmp_path / "two")
    wanted = [grid for one in document(tmp_path / "one")["sections"].values() for grid in one["tables"]]
    written = [p.stem for p in sorted((tmp_path / "one" / "tables").iterdir())]
    assert len(written) == len(wanted)  # no file is written over by another table
    assert all(any(name.endswith(grid) for name in written) for grid in wanted)


@pytest.mark.usefixtures("few_parts")
def test_labels_without_images(tmp_path: Path, table: Path) -> None:
    made = rows()
    labels: Columns = {name: [row[name] for row in made] for name in ("slice_id", "patient_id", "series_uid", *LABELS)}
    labels["part"] = ["test" if row["patient_id"] > "007" else "train" for row in made]
    path = write_table(tmp_path / "labels.csv", labels)
    assert evaluate(table, "--labels", path, "--out", tmp_path / "out") == 0
    found = document(tmp_path / "out")
    assert (found["data"]["kind"], found["data"]["scans"]) == ("table", PATIENTS)


@pytest.mark.usefixtures("few_parts")
def test_a_part_of_the_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = [row | {"part": "test" if row["patient_id"] > "007" else "train"} for row in rows()]
    store = make_store(tmp_path / "store", made)
    table = write_table(tmp_path / "p.csv", predictions(made))  # of all parts: the others do not count
    assert evaluate(table, "--data", store, "--out", tmp_path / "out", "--part", "test") == 0
    found = document(tmp_path / "out")
    assert (found["data"]["part"], found["data"]["patients"]) == ("test", 4)
    capsys.readouterr()
    assert evaluate(table, "--data", store, "--out", tmp_path / "o", "--part", "test", "--choose", "youden") == 2
    assert "this is the test part" in capsys.readouterr().err
    tested = write_table(tmp_path / "t.csv", predictions(made[40:]))
    assert evaluate(tested, "--data", store, "--out", tmp_path / "o", "--allow-missing", "--choose", "youden") == 2
    assert "this is the test part" in capsys.readouterr().err
    assert evaluate(table, "--data", store, "--out", tmp_path / "o", "--part", "other") == 2
    assert "its parts: test, train" in capsys.readouterr().err


@pytest.mark.usefixtures("few_parts")
def test_a_bundle_with_thresholds_for_elsewhere(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle, new = write_fake_bundle(tmp_path / "bundle"), tmp_path / "new"
    arguments = ("--data", store, "--choose", "sensitivity=0.9")
    assert evaluate(bundle, "--out", tmp_path / "one", *arguments, "--write-bundle", new) == 0
    assert "warning: The bundle does not say what it was trained on" in capsys.readouterr().err
    first = document(tmp_path / "one")
    assert first["warnings"][0] in (tmp_path / "one" / "report.html").read_text(encoding="utf-8")
    for level, key in (("slices", "slice"), ("scans", "scan")):
        assert load_spec(new).thresholds[key].value[ANY] == first["thresholds"][level]["any"]
    assert evaluate(new, "--data", store, "--out", tmp_path / "two") == 0
    again = document(tmp_path / "two")
    assert again["thresholds"]["scans"]["any"] == first["thresholds"]["scans"]["any"]
    taken = ("--thresholds", tmp_path / "one" / "evaluation.json")
    assert evaluate(bundle, "--data", store, "--out", tmp_path / "three", *taken) == 0
    third = document(tmp_path / "three")
    assert third["thresholds"]["patients"] == first["thresholds"]["patients"]
    assert third["thresholds"]["chosen_on"].startswith("sensitivity=0.9 (evaluation of fake on own")
    for found in (again, third):  # taken from elsewhere, but chosen on these very rows
        assert CHOSEN_HERE in found["warnings"]
    assert evaluate(bundle, "--data", store, "--out", tmp_path / "four", "--thresholds", new / "spec.json") == 0
    assert CHOSEN_HERE in document(tmp_path / "four")["warnings"]


@pytest.mark.usefixtures("few_parts")
@pytest.mark.parametrize("name", ["test", "stage_2_test", "external test"])
def test_nothing_is_chosen_where_rows_are_of_a_test_part(
    tmp_path: Path, table: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    made = rows()
    labels: Columns = {key: [row[key] for row in made] for key in ("slice_id", "patient_id", *LABELS)}
    labels["part"] = [name if row["patient_id"] > "007" else "train" for row in made]
    path = write_table(tmp_path / "labels.csv", labels)
    arguments = (table, "--labels", path, "--out", tmp_path / "out", "--choose", "youden")
    assert evaluate(*arguments, "--part", name) == 2
    assert "this is the test part" in capsys.readouterr().err
    assert evaluate(*arguments) == 2
    assert f"the test part is among these rows ({', '.join(sorted((name, 'train')))})" in capsys.readouterr().err
    assert evaluate(*arguments, "--part", "train") == 0
    chosen = ("--thresholds", tmp_path / "out" / "evaluation.json")
    assert evaluate(table, "--labels", path, "--out", tmp_path / "o", "--part", name, *chosen) == 0
    assert CHOSEN_HERE not in document(tmp_path / "o")["warnings"]
    assert evaluate(table, "--labels", path, "--out", tmp_path / "o", "--part", "train", *chosen) == 0
    assert CHOSEN_HERE in document(tmp_path / "o")["warnings"]


def test_a_difference_of_one_patient_has_no_p_value(tmp_path: Path) -> None:
    made = rows()
    labels: Columns = {name: [row[name] for row in made] for name in ("slice_id", "patient_id")}
    labels["any"] = [1] + [0] * (len(made) - 1)
    path = write_table(tmp_path / "labels.csv", labels)
    one, other = (write_table(tmp_path / f"{seed}.csv", predictions(made, seed)) for seed in (0, 1))
    arguments = ("--labels", path, "--compare", other, "--worklist", "replications=2", "--prevalence", "0.3")
    assert evaluate(one, *arguments, "--out", tmp_path / "out") == 0
    found = document(tmp_path / "out")
    ranking = found["sections"]["comparison"]["tables"]["ranking"]
    p_value = ranking["columns"].index("p (DeLong)")
    assert [row[p_value] for row in ranking["rows"] if row[:2] == ["slices", "any"]] == ["not estimable"]
    assert "nan" not in re.findall(r"[a-z]+", (tmp_path / "out" / "report.html").read_text(encoding="utf-8").lower())
    assert found["parts"]["triage"]["worklist"]["prevalence"] == 0.3  # also beside other settings of the room


def test_one_class_only_is_told(tmp_path: Path) -> None:
    healthy = [row for row in rows() if int(row["patient_id"]) % 2 == 0]
    store = make_store(tmp_path / "store", healthy)
    table = write_table(tmp_path / "p.csv", predictions(healthy))
    assert evaluate(table, "--data", store, "--out", tmp_path / "out") == 0
    assert "not estimable" in json.dumps(document(tmp_path / "out")["parts"])
    assert "not estimable" in (tmp_path / "out" / "report.html").read_text(encoding="utf-8").lower()


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ((), 2, "--data with a store, or --labels"),
        (("--data", "STORE", "--choose", "best"), 2, "expected a rule of f1"),
        (("--data", "STORE", "--write-bundle", "b"), 2, "only together with --choose"),
        (("--data", "STORE", "--choose", "f1", "--thresholds", "x.json"), 2, "not both"),
        (("--data", "STORE", "--choose", "f1", "--write-bundle", "b"), 2, "neither a bundle nor a run"),
        (("--data", "STORE", "--thresholds", "absent.json"), 5, "expected evaluation.json"),
        (("--data", "STORE", "--prevalence", "2"), 2, "between 0 and 1"),
        (("--data", "STORE", "--scans", "absent.csv"), 5, "no such file"),
        (("--data", "absent"), 5, "expected the manifest of a store"),
    ],
)
def test_wrong_use(
    store: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...], code: int, told: str,
) -> None:  # fmt: skip
    given = [str(store) if word == "STORE" else word for word in arguments]
    assert evaluate(table, "--out", tmp_path / "out", *given) == code
    assert told in capsys.readouterr().err
