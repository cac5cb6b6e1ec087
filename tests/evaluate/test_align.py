"""Predictions and labels side by side: what does not match is refused, counted or named."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow")
from tests.evaluate.stores import PATIENTS, SLICES, labels_of, make_store, predictions, rows, write_table

from ichscan.datasets.store import open_store
from ichscan.errors import DataError
from ichscan.evaluate.align import LARGEST, OWN, align
from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.groups import cross_groups
from ichscan.evaluate.sources.open import open_table
from ichscan.evaluate.truth import Truth, relabelled, truth_of_store, truth_of_table
from ichscan.labels import ANY, LABELS

Columns = dict[str, list[Any]]


@pytest.fixture(scope="module")
def truth(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return truth_of_store(open_store(make_store(tmp_path_factory.mktemp("align") / "store")))


def aligned(truth: Truth, columns: Columns, folder: Path, allow: bool = False, name: str = "p.parquet") -> Evaluation:
    return align(truth, open_table(write_table(folder / name, columns), None), allow)


def test_rows_meet_their_labels_in_any_order(truth: Truth, tmp_path: Path) -> None:
    columns = predictions(rows())
    order = np.random.default_rng(1).permutation(PATIENTS * SLICES)
    shuffled = {name: [values[i] for i in order] for name, values in columns.items()}
    found = aligned(truth, shuffled, tmp_path)
    for i, name in enumerate(found.slices.ids.tolist()):
        place = columns["slice_id"].index(name)
        np.testing.assert_allclose(found.slices.p[i], [columns[label][place] for label in LABELS])
        patient, index = name.split("/")
        assert tuple(found.slices.y[i]) == labels_of(int(patient), int(index))
    assert (len(found.slices), len(found.scans), len(found.patients)) == (PATIENTS * SLICES, PATIENTS, PATIENTS)


def test_csv_keeps_ids_as_text(truth: Truth, tmp_path: Path) -> None:
    assert len(aligned(truth, predictions(rows()), tmp_path, name="p.csv").slices) == PATIENTS * SLICES


def test_scans_and_patients_are_the_highest_of_their_slices(truth: Truth, tmp_path: Path) -> None:
    found = aligned(truth, predictions(rows()), tmp_path)
    by_scan = found.slices.p.reshape(PATIENTS, SLICES, 6)
    np.testing.assert_array_equal(found.scans.p, by_scan.max(axis=1))
    np.testing.assert_array_equal(found.patients.p, found.scans.p)
    assert found.data["scan_probability"] == LARGEST
    np.testing.assert_array_equal(found.scans.y[:, ANY], [p % 2 for p in range(PATIENTS)])


def test_own_scan_predictions(truth: Truth, tmp_path: Path) -> None:
    scans: Columns = {"series_uid": [f"series-{p:03d}" for p in range(PATIENTS)]}
    scans |= {label: [p / 100 + c / 10 for p in range(PATIENTS)] for c, label in enumerate(LABELS)}
    slices = write_table(tmp_path / "p.parquet", predictions(rows()))
    found = align(truth, open_table(slices, write_table(tmp_path / "s.csv", scans)))
    assert found.data["scan_probability"] == OWN
    np.testing.assert_allclose(found.scans.p[3], [0.03 + c / 10 for c in range(6)])


def test_two_scans_of_a_patient(tmp_path: Path) -> None:
    second = [row | {"slice_id": f"b{row['slice_id']}", "series_uid": f"t{row['series_uid']}"} for row in rows()[5:10]]
    made = [*rows()[:10], *second, *rows()[10:]]
    truth = truth_of_store(open_store(make_store(tmp_path / "store", made)))
    found = aligned(truth, predictions(made), tmp_path)
    assert len(found.scans) == PATIENTS + 1
    assert len(found.patients) == PATIENTS
    np.testing.assert_array_equal(found.patients.p[1], found.scans.p[1:3].max(axis=0))
    assert found.patient_of_scan.tolist()[:4] == [0, 1, 1, 2]


def without(columns: Columns, count: int) -> Columns:
    return {name: values[count:] for name, values in columns.items()}


def test_missing_predictions_are_refused_or_counted(truth: Truth, tmp_path: Path) -> None:
    fewer = without(predictions(rows()), 12)
    with pytest.raises(DataError, match=r"12 of 60 labels have no prediction: 000/0, 000/1.*…; .*--allow-missing"):
        aligned(truth, fewer, tmp_path)
    found = aligned(truth, fewer, tmp_path, allow=True)
    assert found.data["labels_without_predictions"] == 12
    assert len(found.data["missing"]) == 10
    assert (len(found.slices), len(found.scans), len(found.patients)) == (48, PATIENTS - 2, PATIENTS - 2)
    assert found.scans.ids[0] == "series-002"
    assert found.slices.facts["position"][0] == pytest.approx(0.5)


def test_predictions_without_labels(truth: Truth, tmp_path: Path) -> None:
    columns = predictions(rows())
    more = {name: [*values, values[0]] for name, values in columns.items()}
    more["slice_id"][-1] = "other/1"
    with pytest.raises(DataError, match="1 of 61 predictions have no label: other/1"):
        aligned(truth, more, tmp_path)
    found = aligned(truth, more, tmp_path, allow=True)
    assert (found.data["predictions_without_labels"], found.data["extra"]) == (1, ["other/1"])


def test_misaligned_ids_show_both_sides(truth: Truth, tmp_path: Path) -> None:
    columns = predictions(rows())
    columns["slice_id"] = [name.replace("/", "-") for name in columns["slice_id"]]
    with pytest.raises(DataError, match=r"no prediction belongs to a label: .*'000-0', .*'000/0'"):
        aligned(truth, columns, tmp_path, allow=True)


def test_ids_listed_twice(truth: Truth, tmp_path: Path) -> None:
    columns = predictions(rows())
    columns["slice_id"][1] = "000/0"
    with pytest.raises(DataError, match=r"1 ids .* more than once: 000/0"):
        aligned(truth, columns, tmp_path)


def test_scans_listed_twice(truth: Truth, tmp_path: Path) -> None:
    scans: Columns = {"series_uid": ["series-000"] * PATIENTS} | {label: [0.5] * PATIENTS for label in LABELS}
    slices = write_table(tmp_path / "p.parquet", predictions(rows()))
    with pytest.raises(DataError, match="more than once: series-000"):
        align(truth, open_table(slices, write_table(tmp_path / "s.csv", scans)))


def _logit(columns: Columns) -> None:
    columns["any"][4] = -2.5


def _percent(columns: Columns) -> None:
    columns["subdural"] = [100 * p for p in columns["subdural"]]


def _nan(columns: Columns) -> None:
    columns["any"][4] = float("nan")


def _null(columns: Columns) -> None:
    columns["any"][4] = None


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (_logit, r"column any: .* found -2.5 in row 5 and 1 such"),
        (_percent, r"column subdural: .* not logits or percent"),
        (_nan, "found nan in row 5"),
        (_null, "found nan in row 5"),
    ],
)
def test_values_that_are_no_probabilities(
    truth: Truth, tmp_path: Path, spoil: Callable[[Columns], None], told: str
) -> None:
    columns = predictions(rows())
    spoil(columns)
    with pytest.raises(DataError, match=told):
        aligned(truth, columns, tmp_path)


def test_missing_labels_are_not_predicted(truth: Truth, tmp_path: Path) -> None:
    columns = predictions(rows())
    del columns["epidural"]
    found = aligned(truth, columns, tmp_path)
    assert found.data["not_predicted"] == ["epidural"]
    assert len(found.slices.label(0).y) == 0
    assert len(found.slices.label(ANY).y) == PATIENTS * SLICES


def test_no_label_column_at_all(truth: Truth, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected a column of probabilities"):
        aligned(truth, {"slice_id": predictions(rows())["slice_id"]}, tmp_path)


def test_one_class_only_is_not_estimable(tmp_path: Path) -> None:
    healthy = rows()[:5]
    truth = truth_of_store(open_store(make_store(tmp_path / "store", healthy)))
    found = aligned(truth, predictions(healthy), tmp_path)
    assert not any(found.slices.label(c).estimable for c in range(6))


def test_nothing_labelled(tmp_path: Path) -> None:
    unknown = [slice_row | dict.fromkeys(LABELS) for slice_row in rows()]
    truth = truth_of_store(open_store(make_store(tmp_path / "store", unknown)))
    with pytest.raises(DataError, match="none of the predicted slices or scans has a label"):
        aligned(truth, predictions(unknown), tmp_path)


def test_labels_of_scans_alone(truth: Truth, tmp_path: Path) -> None:
    read = replace(truth, slice_y=np.full_like(truth.slice_y, 255))
    found = aligned(read, predictions(rows()), tmp_path)
    assert len(found.slices.label(ANY).y) == 0
    assert found.scans.label(ANY).positives == found.patients.label(ANY).positives == PATIENTS // 2


def test_other_labels_for_a_store(truth: Truth, tmp_path: Path) -> None:
    made = rows()[5:]
    labels: Columns = {"slice_id": [row["slice_id"] for row in made], "any": [1] * len(made)}
    other = relabelled(truth, write_table(tmp_path / "labels.csv", labels))
    found = aligned(other, predictions(rows()), tmp_path)
    assert found.slices.y[:, ANY].tolist() == [255] * 5 + [1] * 55
    assert found.patients.y[:, ANY].tolist() == [255] + [1] * 11
    assert found.data["digest"] != truth.about["digest"]
    assert set(found.slices.facts["manufacturer"]) == {"Maker"}
    with pytest.raises(DataError, match="labels are of slices such as 'x'"):
        relabelled(truth, write_table(tmp_path / "x.csv", {"slice_id": ["x"], "any": [1]}))


def test_the_same_scan_under_two_patients(tmp_path: Path) -> None:
    made = rows()
    images = [np.full((32, 32), i % 5, np.int16) for i in range(10)] + [
        np.full((32, 32), 50 + i, np.int16) for i in range(len(made) - 10)
    ]
    from tests.datasets.tiny_store import write_store

    truth = truth_of_store(open_store(write_store(tmp_path / "store", made, images)))
    found = aligned(truth, predictions(made), tmp_path)
    assert [
        w for w in found.data["warnings"] if "1 scans hold exactly the images" in w and "series-000 = series-001" in w
    ]


def test_the_same_predictions_under_two_patients(truth: Truth, tmp_path: Path) -> None:
    columns = predictions(rows())
    for label in LABELS:
        columns[label][5:10] = columns[label][0:5]
    (warning,) = aligned(truth, columns, tmp_path).data["warnings"]
    assert "series-000 = series-001" in warning


def test_other_labels_in_the_table_are_told(truth: Truth, tmp_path: Path) -> None:
    columns = predictions(rows()) | {"true_any": [0] * (PATIENTS * SLICES)}
    (warning,) = aligned(truth, columns, tmp_path).data["warnings"]
    assert warning.startswith("6 slices have other labels")


def test_labels_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    made = rows()
    labels: Columns = {name: [row[name] for row in made] for name in ("slice_id", "patient_id", *LABELS)}
    labels["any"] = [0] * len(made)
    truth = truth_of_table(write_table(tmp_path / "labels.csv", labels))
    (warning,) = aligned(truth, predictions(made), tmp_path).data["warnings"]
    assert warning.startswith("6 slices have a type but no hemorrhage")


def test_folds_that_share_patients_are_told_and_not_used(truth: Truth, tmp_path: Path) -> None:
    by_patient = [i // SLICES % 3 for i in range(PATIENTS * SLICES)]
    found = aligned(truth, predictions(rows()) | {"fold": by_patient}, tmp_path)
    assert found.data["warnings"] == []
    assert cross_groups(found.slices.label(ANY)).tolist() == by_patient
    by_slice = [i % 3 for i in range(PATIENTS * SLICES)]
    found = aligned(truth, predictions(rows()) | {"fold": by_slice}, tmp_path)
    assert found.data["warnings"][0].startswith(f"{PATIENTS} patients have slices in more than one fold")
    groups = cross_groups(found.slices.label(ANY)).reshape(PATIENTS, SLICES)
    assert (groups == groups[:, :1]).all()


def test_a_table_by_place_without_folds_is_not_out_of_fold(tmp_path: Path) -> None:
    columns = predictions(rows())
    named = [name.split("/") for name in columns.pop("slice_id")]
    columns |= {"patient": [p for p, _ in named], "slice": [int(i) for _, i in named]}
    path = write_table(tmp_path / "p.csv", columns)
    assert not open_table(path, None).about["out_of_fold"]
    assert open_table(write_table(path, columns | {"fold": [0] * len(named)}), None).about["out_of_fold"]


def test_a_table_without_rows(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("slice_id,any\n")
    with pytest.raises(DataError, match="one row per prediction, found none"):
        open_table(tmp_path / "p.csv", None)


def test_labels_from_a_table(tmp_path: Path) -> None:
    made = rows()
    labels: Columns = {
        name: [row[name] for row in made] for name in ("slice_id", "patient_id", "series_uid", *LABELS[:5])
    }
    labels["manufacturer"] = ["A" if row["patient_id"] < "006" else "B" for row in made]
    truth = truth_of_table(write_table(tmp_path / "labels.csv", labels))
    found = aligned(truth, predictions(made), tmp_path)
    assert (len(found.scans), len(found.patients)) == (PATIENTS, PATIENTS)
    np.testing.assert_array_equal(found.patients.y[:, ANY], [p % 2 for p in range(PATIENTS)])
    assert found.patients.facts["manufacturer"].tolist() == ["A"] * 6 + ["B"] * 6
    assert found.scans.facts["kind"].tolist()[:4] == ["none", "subdural", "none", "several"]


@pytest.mark.parametrize(
    ("change", "told"),
    [({"any": [2] * 60}, "expected labels 0, 1 or nothing, found 2"), ({"slice_id": ["a"] * 60}, "more than once: a")],
)
def test_wrong_labels_in_a_table(tmp_path: Path, change: Columns, told: str) -> None:
    made = rows()
    labels: Columns = {name: [row[name] for row in made] for name in ("slice_id", "patient_id", "any")}
    with pytest.raises(DataError, match=told):
        truth_of_table(write_table(tmp_path / "labels.parquet", labels | change))


def test_slices_without_patients_are_told(tmp_path: Path) -> None:
    made = rows()
    labels: Columns = {name: [row[name] for row in made] for name in ("slice_id", "any")}
    found = aligned(truth_of_table(write_table(tmp_path / "labels.csv", labels)), predictions(made), tmp_path)
    assert len(found.patients) == len(made)
    assert [w for w in found.data["warnings"] if w.startswith("labels.csv: without a column patient_id")]


def test_a_table_without_labels(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected labels in columns"):
        truth_of_table(write_table(tmp_path / "labels.parquet", {"slice_id": ["a", "b"]}))
