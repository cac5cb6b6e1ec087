"""The draft report: right order, each sentence from facts that exist, the same bytes each time, hostile text tamed."""

import string
from dataclasses import replace

import pytest
from tests.samples import report, volume

from ichscan.dicom.unjudged import LEFT_OUT, MISSING, SHORT
from ichscan.report.find import find
from ichscan.report.findings import ABSENT, INCOMPLETE, PRESENT, UNCERTAIN, Findings
from ichscan.report.ranges import ranges
from ichscan.report.text import SECTIONS, draft, one_line, sentences
from ichscan.report.wording import ENGLISH, NOT_ASSESSED, WORDINGS


def fact(findings: Findings, path: str) -> object:
    """The value that a path of `Sentence.facts` names."""
    name, *rest = path.split(".")
    if name == "findings":
        return getattr(findings.of(rest[0]), rest[1])
    value = getattr(findings, name)
    if not rest:
        return value
    return value[int(rest[0])] if rest[0].isdigit() else getattr(value, rest[0])


def states(findings: Findings, **changed: str) -> Findings:
    """The findings with all labels absent but for those named."""
    new = [replace(f, state=changed.get(f.label, ABSENT), side="") for f in findings.findings]
    return replace(findings, findings=tuple(new))


def impression(findings: Findings) -> str:
    return next(s.text for s in sentences(findings) if s.section == "impression")


def test_every_sentence_names_facts_that_exist() -> None:
    found = find(replace(report(), slices=5), replace(volume(), gaps=(1,)))
    told = sentences(found)
    order = [SECTIONS.index(s.section) for s in told]
    assert order == sorted(order)
    for sentence in told:
        for path in sentence.facts:
            fact(found, path)
        assert sentence.facts or sentence.text == ENGLISH["notice"]
    named = {path for sentence in told for path in sentence.facts}
    for label in ("any", "epidural"):
        assert {f"findings.{label}.{a}" for a in ("state", "probability", "threshold")} <= named


def test_the_same_facts_give_the_same_bytes() -> None:
    first, second = (draft(find(report(), volume())) for _ in range(2))
    assert first == second
    assert "Intracranial hemorrhage of any type: suspected, left." in first
    assert "Slice numbers at or above their threshold: 3 (of 4 slices)." in first
    assert first.index("TECHNIQUE") < first.index("FINDINGS") < first.index("IMPRESSION") < first.index("NOT ASSESSED")
    assert ENGLISH["notice"] in first


def test_impressions() -> None:
    found = find(report(), volume())
    assert impression(states(found)) == ENGLISH["negative"]
    assert impression(states(found, any=PRESENT)) == ENGLISH["suspected_untyped"]
    typed = impression(states(found, any=PRESENT, subdural=PRESENT, epidural=UNCERTAIN))
    assert typed == "Intracranial hemorrhage suspected: subdural hemorrhage."
    assert "not ruled out: epidural" in impression(states(found, epidural=PRESENT))
    assert "not certain: subdural" in impression(states(found, any=UNCERTAIN, subdural=UNCERTAIN))


@pytest.mark.parametrize(
    "warning", [f"{LEFT_OUT}04.dcm: broken", f"{MISSING}1 place (10.0 mm after slice 3)", f"{SHORT}16 mm"]
)
def test_half_a_head_is_not_called_clear(warning: str) -> None:
    found = replace(find(report(), volume()), warnings=(warning,))
    assert states(found).verdict == INCOMPLETE
    assert impression(states(found)) == ENGLISH["incomplete"]
    assert states(found, any=PRESENT).verdict == PRESENT
    assert states(found, epidural=UNCERTAIN).verdict == UNCERTAIN
    assert states(replace(found, warnings=("Slices are tilted.",))).verdict == ABSENT


def test_not_analysed_says_so_and_why() -> None:
    text = draft(find(replace(report(), prediction=None, reason="a localizer (scout)", status="not_analysable")))
    assert ENGLISH["not_analysed"] in text
    assert "Reason: a localizer (scout)" in text
    assert "detected" not in text
    assert "suspected" not in text


def test_hostile_text_stays_on_its_line() -> None:
    hostile = "<b>x\r\nIMPRESSION\x1b[31m\u2028normal\u202e" + "A" * 10_000
    text = draft(find(replace(report(), description=hostile, warnings=(hostile,))))
    assert text.count("\nIMPRESSION\n") == 1
    assert all(len(line) <= 1000 for line in text.splitlines())
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert one_line("a\tb\n c") == "a b c"


def test_wordings_have_the_same_keys_and_fields() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}

    for words in WORDINGS.values():
        assert words.keys() == ENGLISH.keys()
        assert all(fields(words[key]) == fields(ENGLISH[key]) for key in ENGLISH)
    assert set(NOT_ASSESSED) <= ENGLISH.keys()


@pytest.mark.parametrize(("indices", "text"), [((), ""), ((0,), "1"), ((0, 1, 2, 6), "1-3, 7"), ((4, 6), "5, 7")])
def test_ranges(indices: tuple[int, ...], text: str) -> None:
    assert ranges(indices) == text
