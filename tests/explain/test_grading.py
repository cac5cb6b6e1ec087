"""The grading sheet: whole, self-contained, and usable by keyboard in a real browser where there is one."""

import csv
import io
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest

from ichscan.explain.grading import GRADES, Graded, grading_sheet

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
PNG = bytes(cv2.imencode(".png", np.zeros((4, 4, 3), np.uint8))[1])


def sheet(extra: str = "") -> str:
    pictures = [
        Graded(f"s/{i}:any", f"scan <{i // 2}>", f'slice {i} & "more"', PNG, PNG if i else b"") for i in range(3)
    ]
    return grading_sheet(pictures, "Heat maps <to grade>", "Model & data.").replace("</body>", f"{extra}</body>")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_every_picture_has_its_choices_and_nothing_is_fetched() -> None:
    tags = Tags()
    tags.feed(sheet())
    cards = [a for tag, a in tags.found if tag == "article"]
    assert [a["data-key"] for a in cards] == ["s/0:any", "s/1:any", "s/2:any"]
    assert cards[0]["data-scan"] == "scan <0>"
    radios = [a for tag, a in tags.found if tag == "input" and a.get("type") == "radio"]
    assert len(radios) == 3 * len(GRADES)
    addresses = [v for tag, a in tags.found for k, v in a.items() if k in ("src", "href", "action", "data-plain")]
    assert len(addresses) == 5
    assert all(v is not None and v.startswith("data:image/png;base64,") for v in addresses)
    assert not [tag for tag, a in tags.found if tag in ("link", "iframe", "form")]
    assert "http://" not in sheet()
    assert "https://" not in sheet()


def test_keys_have_to_be_distinct() -> None:
    with pytest.raises(ValueError, match="once"):
        grading_sheet([Graded("a", "", "", PNG)] * 2, "t", "a")


def test_another_set_of_pictures_has_another_memory() -> None:
    ids = {re.search(r'data-sheet="(\w+)"', grading_sheet([Graded(k, "", "", PNG)], "t", "a"))[1] for k in "ab"}  # type: ignore[index]
    assert len(ids) == 2


SCRIPT = """<script>
const press = (key, target) => (target || document.activeElement).dispatchEvent(
  new KeyboardEvent("keydown", {key, bubbles: true}));
reader.value = "Dr. =A"; reader.dispatchEvent(new Event("input"));
cards[0].focus();
press("1"); press("3");
const text = remark(cards[2]); text.focus(); text.value = 'said "no", twice'; text.dispatchEvent(new Event("input"));
press("2", text);
const pre = document.createElement("pre"); pre.id = "csv"; pre.textContent = csv(); document.body.append(pre);
const kept = document.createElement("pre"); kept.id = "kept";
kept.textContent = String(localStorage.getItem(store) !== null) + " " + document.activeElement.name;
document.body.append(kept);
</script>"""


@pytest.mark.skipif(BROWSER is None, reason="no chromium")
def test_keyboard_progress_and_export_in_a_browser(tmp_path: Path) -> None:
    path = tmp_path / "grading.html"
    path.write_text(sheet(SCRIPT), encoding="utf-8")
    done = subprocess.run(
        [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
         "--virtual-time-budget=2000", "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode != 0 or "<html" not in done.stdout:
        pytest.skip(f"this browser does not run here: {done.stderr[-200:]}")
    assert "2 of 3 graded" in done.stdout
    assert done.stdout.count('class="graded"') == 2
    rows = list(csv.DictReader(io.StringIO(_pre(done.stdout, "csv"))))
    assert [(r["picture"], r["grade"]) for r in rows] == [
        ("s/0:any", "correct"), ("s/1:any", "incorrect"), ("s/2:any", ""),
    ]  # fmt: skip
    assert rows[0]["reader"] == "Dr. =A"
    assert rows[2]["remark"] == 'said "no", twice'
    assert _pre(done.stdout, "kept") == "true r3"


def _pre(page: str, name: str) -> str:
    import html

    found = re.search(rf'<pre id="{name}">(.*?)</pre>', page, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])
