"""Text from files is shown as text: no markup, no control character and no book gets through as such."""

import base64
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from tests import samples

from ichscan.report.fhir import bundle
from ichscan.report.fhir import to_json as fhir_json
from ichscan.report.find import find
from ichscan.report.findings import Findings
from ichscan.report.result import one_to_json, result
from ichscan.report.stored import from_result, rounded, stored
from ichscan.report.text import draft
from ichscan.types import Report

HOSTILE = {
    "script": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "quotes": "\"' onload='alert(1)' ]]> --> {{7*7}} ${7*7} %s {0}",
    "entities": "&lt;b&gt; &#x3c;script&#x3e; &amp;",
    "control": "a\x00b\x07c\x1b]0;title\x07d\x1b[31me\r\nImpression: none\tf\x85g\u2028h\u2029i",
    "direction": "right \u202e left \u2066 over \ufeff",
    "surrogate": "half \ud83d, byte \udce9",
    "long": "CT " + "x" * 10_000,
}
MOST = 1100
"""Characters that a text may hold after it was cut, with the words around it."""


def cases() -> list[Any]:
    found = []
    for name, text in HOSTILE.items():
        refused = Report("not_analysable", text, text, text, text, 1, files=(text,), warnings=(text,))
        plain = samples.report()
        analysed = replace(plain, description=text, warnings=(text,), files=(text,) * 4, series_instance_uid=text)
        found.append(pytest.param(refused, id=f"{name}, refused"))
        found.append(pytest.param(analysed, id=f"{name}, analysed"))
    return found


def findings_of(report: Report) -> Findings:
    return rounded(find(report, samples.volume() if report.prediction is not None else None))


@pytest.mark.parametrize("report", cases())
def test_text(report: Report) -> None:
    text = draft(findings_of(report))
    text.encode("utf-8")
    # nothing that steers a terminal or starts a line of its own
    assert all(character.isprintable() or character == "\n" for character in text)
    assert "Impression: none" not in text.splitlines()
    assert max(map(len, text.splitlines())) < MOST
    assert text == draft(findings_of(report))


@pytest.mark.parametrize("report", cases())
def test_fhir(report: Report) -> None:
    found = bundle(findings_of(report))
    fhir_json(findings_of(report)).encode("utf-8")
    for text in _texts(found):
        assert all(character.isprintable() for character in text)
        if not text.startswith("<div "):
            assert len(text) < 5 * MOST
    for entry in found["entry"]:
        narrative = entry["resource"].get("text")
        if narrative is not None:
            root = ElementTree.fromstring(narrative["div"])
            names = {one.tag.rpartition("}")[2] for one in root.iter()}
            assert names <= {"div", "p"}
            assert not any(one.attrib for one in root.iter())
    (attached,) = found["entry"][0]["resource"]["presentedForm"]
    assert base64.b64decode(attached["data"]).decode("utf-8") == draft(findings_of(report))


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if key != "data":
                yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize("report", cases())
def test_result_json_keeps_what_was_read(report: Report) -> None:
    text = one_to_json(result(report, stored(find(report))))
    text.encode("utf-8")
    assert "\x1b" not in text
    assert "\x00" not in text
    found = json.loads(text)
    assert from_result(found) == rounded(find(report))
    original = report.warnings[0]
    assert found["warnings"] == [original.encode("utf-8", "backslashreplace").decode("utf-8")]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_fhir_of_hostile_text_is_valid(text: str) -> None:
    fhir = pytest.importorskip("fhir.resources.R4B", reason="fhir.resources validates the bundle")
    refused = Report("not_analysable", text, text, text, text, 1)
    found = bundle(findings_of(refused))
    fhir.get_fhir_model_class("Bundle").model_validate_json(json.dumps(found))
