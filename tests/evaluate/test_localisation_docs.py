"""docs/explain.md holds the figures of localisation.json, which follow from the table beside it."""

import json
import math
from pathlib import Path
from typing import Any

import pytest

from ichscan.evaluate.localisation_summary import read_rows, summarise, summarise_boxes

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "results" / "default"
PAGE = (ROOT / "docs" / "explain.md").read_text(encoding="utf-8")


def facts() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "localisation.json").read_text(encoding="utf-8"))
    return found


def text(values: list[float]) -> str:
    return f"{values[0]:.2f} ({values[1]:.2f}-{values[2]:.2f})"


def test_the_page_shows_what_was_measured() -> None:
    found = facts()
    shown = [s for s in found["summary"] if s["label"] == "any" or not s["maps"].startswith("random")]
    assert len(shown) >= 30
    for s in shown:
        name = s["label"] if s["size"] == "all" else s["size"]
        start = f"| {s['maps']} | {name} | {s['slices']} | {s['patients']} | {text(s['hit'])} | {text(s['hit_15px'])} |"
        assert start in PAGE
    for b in found["boxes"]:
        if b["label"] == "any":
            assert f"| {b['maps']} | any | {b['size']} | {b['boxes']} | {text(b['marked'])} |" in PAGE


def test_the_summary_follows_from_the_table() -> None:
    found, rows = facts(), read_rows(FOLDER / "localisation.csv")
    for again, stored in (
        (summarise(rows, draws=2), found["summary"]),
        (summarise_boxes(rows), found["boxes"]),
    ):
        assert len(again) == len(stored)
        for a, b in zip(again, stored, strict=True):
            assert a.keys() == b.keys()
            for name, value in b.items():
                if isinstance(value, list):
                    assert (
                        math.isnan(a[name][0]) if value[0] is None else a[name][0] == pytest.approx(value[0], abs=2e-4)
                    )
                    if name.startswith(("hit", "marked", "found")) and value[0] is not None:
                        assert a[name][1:] == pytest.approx(value[1:], abs=2e-3)
                else:
                    assert a[name] == value
