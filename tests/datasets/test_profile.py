"""The profile of small stores whose every number is known; of unlabelled, single and broken ones; of real data."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow comes with the extra `data`")
pytest.importorskip("matplotlib", reason="matplotlib comes with the extra `data`")

from tests.datasets.tiny_store import slice_row, write_store

from ichscan.datasets.profile import profile
from ichscan.datasets.profile.summary import boxen, summarise
from ichscan.errors import DataError, MissingExtraError, OutputError
from ichscan.labels import LABELS
from ichscan.pages.draw import svg
from ichscan.pages.ink import INK
from ichscan.pages.section import Bars, Figure, Shares

SDH = (0, 0, 0, 0, 1, 1)
SDH_SAH = (0, 0, 0, 1, 1, 1)


def _rows() -> list[dict[str, Any]]:
    """Patient Smith: 4 slices, the upper two bleed; patient Zoe: 3 slices 10 mm apart, one lies 155.25 mm off."""
    labels = ((0,) * 6, (0,) * 6, SDH, SDH_SAH)
    rows = [slice_row("Smith", i, labels[i]) for i in range(4)]
    for i, position in enumerate((0.0, 10.0, 165.25)):
        rows.append(
            slice_row(
                "Zoe", i, position_mm=position, z_mm=position, thickness_mm=None, bits_stored=16, high_bit=14,
                pixel_representation=1, window_center=None, window_width=None, part="test", flags=["wrapped_12_bit"],
            )
        )  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("profile")
    return profile(write_store(folder / "store", _rows()), folder / "out")


@pytest.fixture(scope="module")
def document(written: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written.with_name("profile.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the figures out: drawing takes most of the time and is looked at elsewhere."""
    monkeypatch.setattr("ichscan.pages.page.svg", lambda figure: "<svg></svg>")


def _table(document: dict[str, Any], section: str, table: str) -> dict[str, dict[str, Any]]:
    """Rows of a table by their first cell."""
    grid = document["sections"][section]["tables"][table]
    return {str(row[0]): dict(zip(grid["columns"], row, strict=True)) for row in grid["rows"]}


def test_head(document: dict[str, Any]) -> None:
    assert document["schema"] == "ichscan.profile/1"
    assert document["store"] == {"kind": "own", "digest": "0" * 64}
    assert list(document["counts"].values()) == [2, 2, 7, 7, 2]


def test_classes_are_counted(document: dict[str, Any]) -> None:
    classes = _table(document, "classes", "class_counts")
    assert list(classes)[:4] == ["normal", "any", "subdural", "subarachnoid"]
    assert [classes[k]["slices"] for k in ("normal", "any", "subdural", "subarachnoid", "epidural")] == [5, 2, 2, 1, 0]
    assert classes["subdural"]["normal slices per slice"] == 2.5
    assert classes["epidural"]["normal slices per slice"] is None
    shares = _table(document, "classes", "type_shares")
    assert shares["subdural"]["share"] == pytest.approx(2 / 3)
    assert shares["total"]["labels"] == 3
    levels = _table(document, "levels", "levels")
    assert levels["subdural"] == {
        "class": "subdural", "slices": 2, "of known slices": 7, "share of slices": 2 / 7, "series": 1,
        "of known series": 2, "share of series": 0.5, "patients": 1, "of known patients": 2, "share of patients": 0.5,
    }  # fmt: skip
    together = _table(document, "together", "together")
    assert together["subdural"]["subarachnoid"] == 1
    assert together["subdural"]["subdural"] == 2
    assert together["subdural"]["share alone"] == 0.5
    assert together["subarachnoid"]["share alone"] == 0.0


def test_geometry_is_summarised(document: dict[str, Any]) -> None:
    assert document["sections"]["dimensions"]["tables"]["dimensions"]["rows"] == [[32, 32, 7, 1.0]]
    slices = _table(document, "slices_per_volume", "slices")["slices per series"]
    assert (slices["minimum"], slices["median"], slices["maximum"]) == (3, 3.5, 4)
    thickness = _table(document, "thickness", "thickness")
    assert thickness["SliceThickness (0018,0050), mm"]["missing"] == 3
    assert thickness["distance to the next slice, mm"]["count"] == 5
    assert thickness["recorded, otherwise distance, mm"]["maximum"] == 155.25
    assert "Slices thicker than 15 mm, left out of the figure: 1." in document["sections"]["thickness"]["notes"][0]
    assert max(document["sections"]["thickness"]["figures"]["thickness_boxen"]["upper"]) <= 15
    assert "median): 1, in 1 series" in document["sections"]["positions"]["notes"][0]


def test_encoding_is_counted(document: dict[str, Any]) -> None:
    rows = document["sections"]["bit_depth"]["tables"]["bits"]["rows"]
    assert ["BitsStored (0028,0101)", 12, 4, 4 / 7] in rows
    assert ["PixelRepresentation (0028,0103)", "1 (signed)", 3, 3 / 7] in rows
    assert document["sections"]["bit_depth"]["tables"]["range"]["rows"][0] == [12, "unsigned", 0, 4095, 4]
    assert "Slices whose high bit is not bits stored - 1: 3" in document["sections"]["bit_depth"]["notes"][0]
    assert ["not recorded", "not recorded", 3, 3 / 7] in document["sections"]["windowing"]["tables"]["windows"]["rows"]
    assert _table(document, "missing", "missing")["WindowCenter (0028,1050)"]["missing"] == 3
    assert _table(document, "quality", "flags")["wrapped_12_bit"]["count"] == 3
    assert _table(document, "quality", "problems")["missing_slice"]["count"] == 2


def test_hierarchy_and_parts(document: dict[str, Any]) -> None:
    uids = document["sections"]["hierarchy"]["tables"]["uids"]["rows"]
    assert [row[1:] for row in uids] == [[7, 2], [7, 2], [7, 2], [7, 7]]
    parts = _table(document, "composition", "parts")
    assert parts["train"]["slices"] == 4
    assert parts["all"] == {
        "part": "all", "patients": 2, "studies": 2, "series": 2, "slices": 7, "labelled slices": 7,
    }  # fmt: skip


def test_position_of_hemorrhage(document: dict[str, Any]) -> None:
    rows = document["sections"]["slice_position"]["tables"]["by_number"]["rows"]
    assert [row[:3] for row in rows] == [[1, 2, 0], [2, 2, 0], [3, 2, 1], [4, 1, 1]]
    by_height = document["sections"]["slice_position"]["tables"]["by_height"]
    assert sum(row[1] for row in by_height["rows"]) == 7
    assert by_height["rows"][-1][2] == 1


def test_pixels_are_those_of_the_store(document: dict[str, Any]) -> None:
    hu = _table(document, "pixels", "hu_by_slice")
    assert hu["lowest HU of a slice"]["minimum"] == -1000
    tissues = document["sections"]["pixels"]["tables"]["tissues"]["rows"]
    assert sum(row[1] for row in tissues) == 7 * 32 * 32
    assert sum(document["sections"]["pixels"]["figures"]["hu"]["counts"]) == 7 * 32 * 32


def test_nobody_is_named(written: Path) -> None:
    for file in (written, written.with_name("profile.json")):
        text = file.read_text(encoding="utf-8")
        for secret in ("Smith", "Zoe", "study-", "series-", "uid-", ".dcm", "Head"):
            assert not re.search(rf"\b{re.escape(secret)}", text), f"{secret} in {file.name}"


class _Ids(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name in ("href", "xlink:href", "src"):
                self.links.append(value or "")


def test_page_stands_alone(written: Path, document: dict[str, Any]) -> None:
    text = written.read_text(encoding="utf-8")
    page = _Ids()
    page.feed(text)
    assert len(page.ids) == len(set(page.ids))
    assert {link for link in page.links if not link.startswith("#")} == set()
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert set(document["sections"]) <= set(page.ids)
    assert "script" not in page.tags
    assert page.tags.count("svg") == sum(len(s["figures"]) for s in document["sections"].values())
    assert INK not in text
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).split()


def test_same_store_same_bytes(written: Path, tmp_path: Path) -> None:
    again = profile(written.parents[1] / "store", tmp_path / "again")
    for name in ("profile.json", "profile.html"):
        assert again.with_name(name).read_bytes() == written.with_name(name).read_bytes()


def test_one_unlabelled_slice_that_records_nothing(tmp_path: Path) -> None:
    row = {k: v for k, v in slice_row("p", 0, None).items() if k.endswith(("_id", "uid")) or k in ("index", "part")}
    row |= {"position_mm": 0.0, "part": ""}
    page = profile(write_store(tmp_path / "store", [row]), tmp_path / "out")
    document = json.loads(page.with_name("profile.json").read_text(encoding="utf-8"))
    assert document["sections"]["classes"]["notes"] == ["No slice of this set is labelled."]
    assert document["sections"]["slice_position"]["figures"] == {}
    assert _table(document, "composition", "parts")["not divided"]["slices"] == 1
    assert _table(document, "thickness", "thickness")["recorded, otherwise distance, mm"]["count"] == 0


@pytest.mark.usefixtures("undrawn")
def test_labels_of_scans_only(tmp_path: Path) -> None:
    """A collection such as CQ500: readers label the scan, slices stay unknown."""
    import pyarrow as pa

    from ichscan.datasets.arrow import read_parquet, write_parquet

    store = write_store(tmp_path / "store", [slice_row("p", i, None) for i in range(3)])
    scans = read_parquet(store / "scans.parquet")
    for label, value in zip(LABELS, SDH, strict=True):
        scans = scans.set_column(scans.schema.get_field_index(label), label, pa.array([value], pa.uint8()))
    write_parquet(scans, store / "scans.parquet")
    page = profile(store, tmp_path / "out")
    document = json.loads(page.with_name("profile.json").read_text(encoding="utf-8"))
    levels = _table(document, "levels", "levels")
    assert (levels["subdural"]["of known slices"], levels["subdural"]["series"]) == (0, 1)
    assert levels["subdural"]["patients"] == 1


@pytest.mark.usefixtures("undrawn")
def test_damaged_slices_are_counted(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", _rows())
    pack = store / "slices" / "000000.pack"
    pack.write_bytes(pack.read_bytes()[:-5])
    page = profile(store, tmp_path / "out")
    document = json.loads(page.with_name("profile.json").read_text(encoding="utf-8"))
    assert "Further slices that could not be read: 1" in document["sections"]["pixels"]["notes"][1]


@pytest.mark.usefixtures("undrawn")
def test_hostile_text_is_escaped(tmp_path: Path) -> None:
    rows = [slice_row("p", 0, kernel="<script>alert(1)</script>")]
    text = profile(write_store(tmp_path / "store", rows), tmp_path / "out").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    drawn = svg(Figure("x", 'a "title" & <b>', Bars(("<script>", "$x^{", "y" * 60), (1, 2, 3), "slices")))
    assert "<script" not in drawn
    assert "$x^{" in drawn
    assert "<b>" not in drawn


def test_no_store_and_no_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected the manifest of a store"):
        profile(tmp_path, tmp_path / "out")
    store = write_store(tmp_path / "store", _rows()[:1])
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(OutputError, match="the profile cannot be written"):
        profile(store, blocked / "out")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ichscan\[data\]'"):
        svg(Figure("x", "x", Shares(("a",), (1,))))


def test_summary_by_hand() -> None:
    found = summarise(np.array([1, 2, 3, 4, 100, np.nan]))
    assert (found.count, found.missing, found.outliers) == (5, 1, 1)
    assert (found.minimum, found.q1, found.median, found.q3, found.maximum) == (1, 2, 3, 4, 100)
    assert found.mean == 22
    assert found.std == pytest.approx(43.6176, abs=1e-4)
    assert summarise(np.array([np.nan])).mean is None


def test_letter_values_hold_what_they_promise() -> None:
    found = boxen(np.arange(1025, dtype=np.float64), "mm")
    assert found is not None
    assert found.median == 512
    assert found.lower[:3] == (256, 128, 64)
    assert found.upper[:3] == (768, 896, 960)
    assert len(found.lower) == 7


def test_every_section_is_in_the_docs(document: dict[str, Any], project_root: Path) -> None:
    page = (project_root / "docs" / "profile.md").read_text(encoding="utf-8")
    for section, content in document["sections"].items():
        assert f"`{section}`" in page
        for key in (*content["tables"], *content["figures"]):
            assert f"`{key}`" in page, f"{key} of {section} is not in docs/profile.md"
