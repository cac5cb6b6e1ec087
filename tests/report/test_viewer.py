"""The HTML viewer as text: complete, closed, deterministic, and pixels that come back as they went in."""

import base64
import json
import re
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest
from tests.samples import prediction, report, volume

from ichscan.explain.heat import heat
from ichscan.labels import ANY
from ichscan.report.find import find
from ichscan.report.findings import Findings
from ichscan.report.viewer import viewer
from ichscan.report.viewer_pixels import (
    HEAT_SIDE,
    HIGHEST,
    LOWEST,
    packed_heat,
    packed_slice,
    shown_point,
    shown_shape,
    slices_shown,
)
from ichscan.report.viewer_style import STYLE
from ichscan.report.wording import ENGLISH
from ichscan.types import Int16, Volume


def page(findings: Findings | None = None, scan: Volume | None = None) -> str:
    scan = scan or volume()
    return viewer(findings or find(report(), scan), prediction(), scan)


def embedded(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    assert isinstance(data, dict)
    return data


def unpacked(text: str, shape: tuple[int, int]) -> Int16:
    raw = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8).astype(np.int32)
    half = raw.size // 2
    folded = (raw[:half] | (raw[half:] << 8)).reshape(shape)
    steps = (folded >> 1) ^ -(folded & 1)
    return np.asarray(LOWEST + steps.cumsum(axis=1), np.int16)


def test_pixels_come_back_within_what_windows_show() -> None:
    rng = np.random.default_rng(1)
    hu = rng.integers(-3000, 3000, (4, 64, 64)).astype(np.int16)
    scan = replace(volume(), hu=hu)
    np.testing.assert_array_equal(unpacked(packed_slice(scan, 2), (64, 64)), np.clip(hu[2], LOWEST, HIGHEST))
    turned = replace(scan, orientation=(-1.0, 0.0, 0.0, 0.0, -1.0, 0.0))
    np.testing.assert_array_equal(
        unpacked(packed_slice(turned, 2), (64, 64)), np.clip(hu[2, ::-1, ::-1], LOWEST, HIGHEST)
    )


def test_large_slices_become_smaller_in_proportion() -> None:
    large = replace(volume(1), hu=np.full((1, 1024, 768), 40, np.int16))
    assert shown_shape(large) == (512, 384)
    assert (unpacked(packed_slice(large, 0), (512, 384)) == 40).all()


def test_heat_and_places_are_flipped_with_the_picture() -> None:
    scan, hot = volume(), heat(volume(), prediction())
    turned = replace(scan, orientation=(-1.0, 0.0, 0.0, 0.0, 1.0, 0.0))
    plain, flipped = (
        np.frombuffer(zlib.decompress(base64.b64decode(packed_heat(hot, 2, v))), np.uint8).reshape(HEAT_SIDE, -1)
        for v in (scan, turned)
    )
    np.testing.assert_array_equal(plain[:, ::-1], flipped)
    row, column = np.unravel_index(plain.argmax(), plain.shape)
    assert (column > HEAT_SIDE / 2) == (shown_point(scan, 32, 40)[1] > 0.5)
    assert shown_point(scan, 32, 40)[1] == pytest.approx(1 - shown_point(turned, 32, 40)[1])
    assert packed_heat(hot, 0, scan) == ""
    assert 0 < row < HEAT_SIDE


def test_the_strongest_slices_are_always_there() -> None:
    count = 300
    long = prediction(count, positive=101)
    long.slices[5, 3] = 0.9  # in a group of neighbours with another most suspicious slice
    long.slices[4, ANY] = 0.3
    long.slices[5, ANY] = 0.1
    shown = slices_shown(long, find(replace(report(count, 101), prediction=long)))
    assert {5, 101} <= set(shown)
    assert len(shown) < 130
    assert shown == sorted(shown)


def test_the_same_facts_give_the_same_bytes() -> None:
    assert page() == page()


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(html)
    return parser.found


def test_nothing_is_fetched_and_one_script_may_run() -> None:
    html = page()
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", html)
    assert not [t for t, a in tags(html) if t in ("link", "iframe", "form", "img") or "src" in a or "href" in a]
    policy = next(a["content"] for t, a in tags(html) if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "sha256-" in policy
    assert "unsafe-eval" not in policy
    assert "script-src 'unsafe-inline'" not in policy


def test_every_control_has_a_name() -> None:
    found = tags(page())
    labelled = [a for t, a in found if t in ("svg", "input") and (a.get("aria-label") or a.get("title"))]
    assert len(labelled) == 3  # opacity, strip, slice; the overlay's label holds its box
    assert ENGLISH["warn"] in page()
    assert [a for t, a in found if t == "html"] == [{"lang": "en"}]


def luminance(colour: str) -> float:
    """Relative luminance of `#rgb` or `#rrggbb` (WCAG 2.1)."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * c for c in colour[1:])
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4))
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_words_stand_out_on_screen_and_paper() -> None:
    for rule in re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL):
        colours = dict(re.findall(r"--(\w+): (#\w+)", rule))
        for ground in ("back", "raised"):
            for ink in ("text", "dim", "alert", "unsure"):
                light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
                assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, ground)


HOSTILE = (
    '</script><script>window.hacked=1</script><img src=x onerror="window.hacked=2">\x00\u2028\u202e' + "A" * 10_000
)


def test_hostile_text_is_text() -> None:
    scan = replace(volume(), series_instance_uid=HOSTILE, files=(HOSTILE,) * 4)
    told = replace(
        report(), description=HOSTILE, warnings=(HOSTILE,), series_instance_uid=HOSTILE,
        sop_instance_uids=(HOSTILE,) * 4, files=(HOSTILE,) * 4,
    )  # fmt: skip
    html = page(find(told, scan), scan)
    assert sum(t == "script" for t, _ in tags(html)) == 2
    assert not [t for t, a in tags(html) if t == "img" or "onerror" in a]
    assert "\x00" not in html
    assert "\u202e" not in html
    assert len(html) < len(page()) + 10_000


def test_not_analysed_is_a_page_without_images() -> None:
    refused = replace(report(), prediction=None, status="not_analysable", reason="a localizer <scout>")
    html = viewer(find(refused))
    assert ENGLISH["not_analysed"] in html
    assert "a localizer &lt;scout&gt;" in html
    assert "canvas" not in [t for t, _ in tags(html)]
    assert ENGLISH["warn"] in html
    assert ENGLISH["no_images"] in viewer(find(report()))


def test_without_geometry_no_sides_are_named() -> None:
    scan = replace(volume(), orientation=None, spacing_mm=None)
    html = page(find(report(), scan), scan)
    assert 'class="edge' not in html
    assert 'class="edge' in page()
    assert embedded(html)["aspect"] == 1


def test_edges_name_the_patients_sides_also_of_one_who_lay_on_a_side() -> None:
    def edges(orientation: tuple[float, float, float, float, float, float]) -> str:
        scan = replace(volume(), orientation=orientation)
        found = dict(re.findall(r'class="edge at-(\w+)">(\w)<', page(find(report(), scan), scan)))
        return "".join(found[edge] for edge in ("left", "right", "top", "bottom"))

    assert edges((1, 0, 0, 0, 1, 0)) == "RLAP"
    assert edges((-1, 0, 0, 0, -0.9, 0.44)) == "RLAP"  # turned for display
    assert edges((0, 1, 0, -1, 0, 0)) == "APLR"
    assert edges((0, -1, 0, 1, 0, 0)) == "PARL"


def test_data_for_the_script() -> None:
    data = embedded(page())
    assert [s["number"] for s in data["slices"]] == [1, 2, 3, 4]
    assert data["start"] == 2
    assert [any(s["over"]) for s in data["slices"]] == [False, False, True, False]
    assert list(data["heat"]["any"]) == ["3"]
    assert data["places"]["any"]["number"] == 3
    assert [p["window"] for p in data["presets"]] == [[40, 80], [80, 200], [40, 380], [500, 2000]]
