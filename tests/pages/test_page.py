"""A page stands alone, shows whatever it is given as text, and holds its pictures."""

import base64
import json
import re
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

pytest.importorskip("matplotlib", reason="matplotlib comes with the extra `data`")

from ichscan.pages.document import finite, to_json
from ichscan.pages.draw import DRAWN, svg
from ichscan.pages.ink import INK
from ichscan.pages.page import to_html
from ichscan.pages.section import (
    Bars,
    Box,
    Boxen,
    Chart,
    Confusion,
    Curve,
    Curves,
    Estimate,
    Figure,
    Forest,
    Grid,
    Histogram,
    Lines,
    Matrix,
    Overlaid,
    Picture,
    Reliability,
    Section,
    Shares,
    Track,
)

HOSTILE = '<script>alert("x")</script>&\'$ä'
UNIT = (0.0, 0.5, 1.0)
CHARTS: tuple[Chart, ...] = (
    Bars((HOSTILE, "b"), (1, 2), HOSTILE),
    Shares((HOSTILE, "b"), (1, 2)),
    Histogram(UNIT, (3, 4), HOSTILE, HOSTILE),
    Box(0, 1, 2, 3, 4, (9.0,), HOSTILE),
    Boxen(2, (1.0, 0.0), (3.0, 4.0), (9.0,), HOSTILE),
    Matrix((HOSTILE, "b"), ((1, 2), (2, 3))),
    Lines(UNIT, {HOSTILE: UNIT, "b": (None, 0.5, 1.0)}, HOSTILE, HOSTILE),
    Curves({HOSTILE: Curve(UNIT, UNIT, UNIT, UNIT, UNIT), "b": Curve(UNIT, (None, 0.2, 0.3))}, HOSTILE, HOSTILE,
           {HOSTILE: (0.5, 0.5)}, diagonal=True, level=0.2, place=0.3),
    Reliability((0.1, 0.9), (0.2, 0.8), (0.0, 0.5), (0.4, 1.0), (5, 5), UNIT, (5, 5)),
    Confusion(5, 0, 0, 0),
    Overlaid(UNIT, {HOSTILE: (0, 0), "b": (1, 2)}, HOSTILE, 0.5),
    Forest({HOSTILE: (Estimate(HOSTILE, 0.5, 0.4, 0.6, "x"), Estimate("b", None, None, None, HOSTILE))}, "a", 0.5),
    Forest({}, "nothing"),
    Track((1.0,), {HOSTILE: (0.5,), "b": (None,)}, {HOSTILE: ((0.5, 1.5),), "b": ((0.5, 1.5),)}, HOSTILE, HOSTILE, 0.5),
)  # fmt: skip


def _png(width: int, height: int) -> bytes:
    _, data = cv2.imencode(".png", np.zeros((height, width), np.uint8))
    return bytes(data)


class _Tags(HTMLParser):
    """Names and attributes of everything on the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def section() -> Section:
    figures = tuple(Figure(f"f{k}", HOSTILE, chart) for k, chart in enumerate(CHARTS))
    grid = Grid("g", HOSTILE, (HOSTILE, "share"), ((HOSTILE, 0.5), ("b", None)))
    pictures = (
        Picture("p0", HOSTILE, _png(40, 30), HOSTILE),
        Picture("p1", "wide", _png(900, 30), "wide"),
        Picture("p2", "widest", _png(1100, 30), "widest"),
    )
    folded = (Figure("s0", "small", CHARTS[9], small=True), Figure("s1", "small", CHARTS[9], small=True, fold=HOSTILE))
    return Section("s", HOSTILE, HOSTILE, (HOSTILE,), (grid,), figures + folded, pictures)


@pytest.fixture(scope="module")
def tags(section: Section) -> _Tags:
    parser = _Tags()
    parser.feed(to_html(HOSTILE, HOSTILE, {HOSTILE: 1}, [section], HOSTILE))
    parser.close()
    return parser


def test_every_chart_is_tried() -> None:
    assert {type(chart) for chart in CHARTS} == set(DRAWN)


def test_hostile_words_are_text(tags: _Tags) -> None:
    assert "script" not in {name for name, _ in tags.found}
    assert sum(HOSTILE in words for words in tags.words) > 20


def test_the_page_stands_alone(tags: _Tags) -> None:
    for name, attributes in tags.found:
        assert name not in {"script", "link", "iframe", "object", "embed", "base", "form"}
        assert not [key for key in attributes if key.startswith("on")]
        for key in ("src", "href", "xlink:href", "action", "srcset"):
            value = attributes.get(key) or "#"
            assert value.startswith(("#", "data:image/png;base64,")), f"{name} fetches {value[:60]}"


def test_styles_fetch_nothing(section: Section) -> None:
    text = to_html("t", "s", {}, [section])
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_ids_are_unique_and_contents_lead_somewhere(tags: _Tags) -> None:
    ids = [attributes["id"] for _, attributes in tags.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    inside = {a["href"] for name, a in tags.found if name == "a"}
    assert inside == {"#s"}
    used = {(a.get("xlink:href") or "").lstrip("#") for name, a in tags.found if name == "use"}
    assert used <= set(ids)


def test_pictures_are_embedded_with_size_and_words(tags: _Tags) -> None:
    images = [attributes for name, attributes in tags.found if name == "img"]
    assert [(a["width"], a["height"]) for a in images] == [("40", "30"), ("900", "30"), ("1100", "30")]
    assert images[0]["alt"] == HOSTILE
    assert images[0]["loading"] == "lazy"
    data = base64.b64decode((images[0]["src"] or "").split(",")[1])
    assert data == _png(40, 30)
    assert [a.get("class") for _, a in tags.found if (a.get("class") or "").startswith("pictures")] == [
        "pictures", "pictures wide", "pictures widest",
    ]  # fmt: skip


def test_folded_figures_are_below_their_words(tags: _Tags) -> None:
    assert [name for name, _ in tags.found].count("details") == 1
    assert [a.get("class") for _, a in tags.found].count("figures small") == 2


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: type(chart).__name__)
def test_charts_take_the_colour_of_the_page(chart: Chart) -> None:
    drawn = svg(Figure("k", "title", chart))
    assert INK not in drawn
    assert "currentColor" in drawn
    assert drawn == svg(Figure("k", "title", chart)), "the same figure gives the same bytes"


def test_json_has_numbers_but_no_pictures(section: Section) -> None:
    text = to_json("schema/1", {"n": float("nan")}, [section])
    document = json.loads(text)
    assert document["schema"] == "schema/1"
    assert document["n"] is None
    found = document["sections"]["s"]
    assert found["pictures"]["p0"] == {"title": HOSTILE, "alt": HOSTILE}
    assert found["figures"]["f9"] == {"title": HOSTILE, "kind": "confusion", "tn": 5, "fp": 0, "fn": 0, "tp": 0}
    assert found["tables"]["g"]["rows"] == [[HOSTILE, 0.5], ["b", None]]
    assert base64.b64encode(_png(40, 30)).decode()[:40] not in text


def test_infinite_is_null() -> None:
    assert finite({"a": (1.0, float("inf")), "b": [float("-inf"), 2, "x", None]}) == {
        "a": [1.0, None], "b": [None, 2, "x", None],
    }  # fmt: skip
