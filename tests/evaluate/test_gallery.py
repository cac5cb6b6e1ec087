"""The gallery shows the right slices, as pictures of the right pixels; the training part reads a run's journals."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.evaluate.evaluations import evaluation, labels_of

pytest.importorskip("pyarrow", reason="pyarrow comes with the extra `data`")

from tests.datasets.tiny_store import slice_row, write_store

from ichscan.datasets.arrow import write_parquet
from ichscan.datasets.schema import BOX, table_of
from ichscan.datasets.store import SliceStore, open_store
from ichscan.errors import DataError
from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.part import Options
from ichscan.evaluate.parts import gallery, training
from ichscan.evaluate.slice_picture import BOX_COLOR, SIZE, slice_picture, slice_rows
from ichscan.evaluate.wrong import decided, shortened_id, spread_over_patients
from ichscan.pages.section import Lines

HOSTILE = "<img src=x onerror=alert(1)>"


def _evaluation() -> Evaluation:
    """Three scans of four slices; the first misses two slices and itself, the second is a false alarm."""
    words = ["-", "ep", "ep,sd", "-"] + ["-"] * 4 + ["sa"] * 4
    top = np.array([0.1, 0.2, 0.05, 0.1, 0.9, 0.1, 0.7, 0.1, 0.9, 0.9, 0.9, 0.9])
    return evaluation(np.repeat(top[:, None], 6, axis=1), labels_of(words), np.repeat(np.arange(3), 4))


@pytest.fixture
def store(tmp_path: Path) -> SliceStore:
    rows = [slice_row(str(s), i) for s in range(3) for i in range(4)]
    folder = write_store(tmp_path / "store", rows)
    boxes = [{"slice_id": "0/2", "kind": "subdural", "x0": 8.0, "y0": 9.0, "x1": 20.0, "y1": 22.0}]
    write_parquet(table_of(boxes, BOX), folder / "boxes.parquet")
    return open_store(folder)


def test_errors_are_ranked_by_confidence() -> None:
    found = decided(_evaluation().slices)
    assert {kind: rows.tolist() for kind, rows in found.items()} == {
        "missed": [2, 1], "false alarm": [4, 6], "found": [8, 9, 10, 11], "rightly negative": [0, 3, 5, 7],
    }  # fmt: skip
    assert sum(map(len, found.values())) == 12


def test_one_patient_does_not_fill_the_gallery() -> None:
    slices = _evaluation().slices
    assert spread_over_patients(slices, np.array([8, 9, 10, 11, 4, 0]), most=3, each=1) == [8, 4, 0]
    assert spread_over_patients(slices, np.array([8, 9, 10, 11, 4, 0]), most=3, each=2) == [8, 9, 4]


def test_gallery_with_images(tmp_path: Path, store: SliceStore) -> None:
    part = gallery.part(_evaluation(), Options(tmp_path, store=store))
    missed, alarms, scans = part.sections
    assert [p.title for p in missed.pictures] == [
        "0/2: 0.050; truth: epidural, subdural", "0/1: 0.200; truth: epidural",
    ]  # fmt: skip
    assert [p.title for p in alarms.pictures] == [
        "1/0: 0.900; truth: no hemorrhage",
        "1/2: 0.700; truth: no hemorrhage",
    ]
    assert [p.title for p in scans.pictures] == ["0/1: 0.200; truth: epidural"], "the most suspicious true slice"
    assert part.facts["missed"]["slices"] == 2
    assert part.facts["missed scans"] == [{"id": "series-0", "probability": 0.2, "truth": "epidural, subdural"}]
    assert missed.grids == ()


def test_pictures_show_the_slice_and_its_boxes(store: SliceStore) -> None:
    rows = slice_rows(store, ["0/2", "nowhere", "1/0"])
    assert rows == [2, None, 4]
    boxed, plain = (
        cv2.imdecode(np.frombuffer(slice_picture(store, row), np.uint8), cv2.IMREAD_COLOR) for row in (2, 4)
    )
    assert boxed.shape == plain.shape == (SIZE, SIZE, 3)
    orange = (boxed == np.array(BOX_COLOR)).all(axis=2)
    assert orange.any()
    assert not (plain == np.array(BOX_COLOR)).all(axis=2).any()
    assert not orange[0].any()
    assert len(np.unique(plain)) > 2


def test_gallery_without_images(tmp_path: Path) -> None:
    missed, _, scans = gallery.part(_evaluation(), Options(tmp_path)).sections
    assert "Without pictures: no images were given." in missed.notes
    assert [row[0] for row in missed.grids[0].rows] == ["0/2", "0/1"]
    assert scans.grids[0].rows[0][0] == "series-0"


def test_images_of_other_data(tmp_path: Path) -> None:
    folder = write_store(tmp_path / "other", [slice_row("other", 0)])
    missed, *_ = gallery.part(_evaluation(), Options(tmp_path, store=open_store(folder))).sections
    assert "Without pictures: the images given do not hold these slices." in missed.notes


def test_nothing_wrong_is_said(tmp_path: Path) -> None:
    p = np.full((2, 6), 0.1)
    for section in gallery.part(evaluation(p, labels_of(["-", "-"]), [0, 1]), Options(tmp_path)).sections:
        assert section.notes == ("None.",)


def test_damaged_slice_is_an_error(tmp_path: Path, store: SliceStore) -> None:
    (store.path / "slices" / "000000.pack").write_bytes(b"")
    with pytest.raises(DataError, match="expected"):
        gallery.part(_evaluation(), Options(tmp_path, store=store))


def test_hostile_id_is_shown_as_text(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib comes with the extra `data`")
    from ichscan.evaluate.parts import along_scan
    from ichscan.pages.page import to_html

    whole = _evaluation()
    ids = whole.slices.ids.astype("U40")
    ids[[2, 4]] = HOSTILE, "</section>"
    scans = whole.scans.ids.astype("U40")
    scans[0] = "<b>0"
    hostile = replace(whole, slices=replace(whole.slices, ids=ids), scans=replace(whole.scans, ids=scans))
    sections = [s for p in (gallery, along_scan) for s in p.part(hostile, Options(tmp_path)).sections]
    text = to_html("t", "s", {}, sections)
    assert "<img" not in text
    assert "<b>0" not in text
    assert "&lt;b&gt;0" in text
    assert text.count("</section>") == len(sections)


def test_long_ids_keep_their_end() -> None:
    assert shortened_id("123456789012") == "123456789012"
    assert shortened_id("1.2.840.10008.1.2.345") == "…8.1.2.345"[:1] + "1.2.840.10008.1.2.345"[-12:]


def _journal(folder: Path, rows: str) -> None:
    folder.mkdir(parents=True)
    (folder / "metrics.csv").write_text("epoch,train_loss,seconds,validation_loss,validation_auc_any\n" + rows)


def test_learning_curves_are_the_mean_of_the_fits(tmp_path: Path) -> None:
    _journal(tmp_path / "slices/fold_0/seed_0", "1,0.8,9,0.7,0.6\n2,0.4,9,0.5,0.8\n")
    _journal(tmp_path / "slices/fold_1/seed_0", "1,0.6,9,,0.7\n")
    (tmp_path / "figures").mkdir()
    _, png = cv2.imencode(".png", np.zeros((5, 9), np.uint8))
    (tmp_path / "figures/tsne.png").write_bytes(bytes(png))
    part = training.part(_evaluation(), Options(tmp_path / "out", run=tmp_path))
    assert part.facts == {"slices": {"fits": 2, "epochs": [2, 1]}, "t-SNE": True}
    loss, scores = (figure.chart for figure in part.sections[0].figures)
    assert isinstance(loss, Lines)
    assert loss.x == (1.0, 2.0)
    assert loss.curves["train loss"] == pytest.approx((0.7, 0.4))
    assert loss.curves["validation loss"] == pytest.approx((0.7, 0.5))
    assert isinstance(scores, Lines)
    assert scores.curves["validation auc any"] == pytest.approx((0.65, 0.8))
    assert part.sections[0].pictures[0].png == bytes(png)


def test_other_sources_have_no_training(tmp_path: Path) -> None:
    assert training.part(_evaluation(), Options(tmp_path)).sections == ()
    note = training.part(_evaluation(), Options(tmp_path, run=tmp_path)).sections[0].notes
    assert note == ("The run kept no journals: no learning curves can be drawn.",)


@pytest.mark.parametrize("rows", ["x,1,1,1,1\n", "1,low,1,1,1\n"])
def test_damaged_journal_is_an_error(tmp_path: Path, rows: str) -> None:
    _journal(tmp_path / "slices/fold_0/seed_0", rows)
    with pytest.raises(DataError, match=r"metrics\.csv: expected a journal"):
        training.part(_evaluation(), Options(tmp_path, run=tmp_path))
