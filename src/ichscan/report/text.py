"""The draft report in radiology's order. Each sentence names the facts it is made of; the same facts, same bytes."""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Final

from ichscan.labels import TYPES
from ichscan.report.findings import ABSENT, INCOMPLETE, PRESENT, UNCERTAIN, Finding, Findings
from ichscan.report.ranges import ranges
from ichscan.report.wording import ENGLISH, Wording

SECTIONS: Final = ("technique", "findings", "impression", "limits", "warnings")
ORDER: Final = ("any", *TYPES)
LONGEST: Final = 200
"""Characters of a text from DICOM that are shown: its fields for descriptions hold 64 (PS3.5 6.2, LO)."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence of the report.

    Attributes:
        section: one of `SECTIONS`.
        text: in plain text, one line.
        facts: paths of the facts it is made of: an attribute of `Findings`; `findings.<label>.<attribute>` of a
            finding; `model.<attribute>`; `warnings.<index>` and `not_assessed.<index>`.
    """

    section: str
    text: str
    facts: tuple[str, ...]


def draft(findings: Findings, words: Wording = ENGLISH) -> str:
    """The report as plain text, UTF-8: a line per finding or sentence, sections apart by empty lines."""
    lines = [words["title"]]
    for section, group in groupby(sentences(findings, words), lambda sentence: sentence.section):
        lines += ["", words[section].upper()]
        lines += [" ".join(sentence.text for sentence in told) for _, told in groupby(group, subject)]
    return "\n".join(lines) + "\n"


def sentences(findings: Findings, words: Wording = ENGLISH) -> tuple[Sentence, ...]:
    """All sentences, section by section."""
    if not findings.analysed:
        return _not_analysed(findings, words)
    told = list(_technique(findings, words))
    for label in ORDER:
        told += _finding(findings.of(label), len(findings.slice_probabilities), words)
    told += _impression(findings, words)
    told += _listed("limits", "not_assessed", findings.not_assessed)
    told += _listed("warnings", "warnings", findings.warnings)
    return tuple(told)


def subject(sentence: Sentence) -> str:
    """Sentences in a row with the same subject belong on one line: those of one finding."""
    first = sentence.facts[0] if sentence.facts else ""
    return first.rpartition(".")[0] if sentence.section == "findings" and first.count(".") == 2 else sentence.text


def one_line(text: str, longest: int = LONGEST) -> str:
    """Text from a file as one printable line: control characters become spaces, what is too long is cut."""
    plain = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * longest]).split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


def _not_analysed(findings: Findings, words: Wording) -> tuple[Sentence, ...]:
    return (
        Sentence("findings", words["not_analysed"], ("analysed",)),
        Sentence("findings", words["reason"].format(reason=one_line(findings.reason, 1000)), ("reason",)),
        Sentence("impression", words["look"], ("analysed",)),
        Sentence("impression", words["notice"], ()),
        *_listed("warnings", "warnings", findings.warnings),
    )


def _technique(findings: Findings, words: Wording) -> Iterable[Sentence]:
    count = len(findings.slice_probabilities)
    key = "one_slice" if count == 1 else "slices"
    yield Sentence("technique", words[key].format(count=count), ("slice_probabilities",))
    positions = findings.positions_mm
    if len(positions) > 1:
        apart = statistics.median(b - a for a, b in pairwise(positions))
        yield Sentence("technique", words["apart"].format(mm=f"{apart:.1f}"), ("positions_mm",))
    if findings.series_description:
        said = words["series"].format(description=one_line(findings.series_description))
        yield Sentence("technique", said, ("series_description",))
    model = findings.model
    if model is not None:
        said = words["model"].format(
            name=one_line(model.name), version=one_line(model.version), sha256=model.sha256[:12]
        )
        yield Sentence("technique", said, ("model.name", "model.version", "model.sha256"))


def _finding(finding: Finding, total: int, words: Wording) -> Iterable[Sentence]:
    label, state = _capital(words[finding.label]), words[finding.state]
    of = f"findings.{finding.label}."
    if finding.side:
        said = words["finding_side"].format(label=label, state=state, side=words[finding.side])
        yield Sentence("findings", said, (of + "state", of + "side"))
    else:
        yield Sentence("findings", words["finding"].format(label=label, state=state), (of + "state",))
    said = words["probability"].format(probability=f"{finding.probability:.3f}", threshold=f"{finding.threshold:.3f}")
    yield Sentence("findings", said, (of + "probability", of + "threshold"))
    if finding.state == ABSENT:
        return
    if finding.slices:
        said = words["in_slices"].format(slices=ranges(finding.slices), total=total)
        yield Sentence("findings", said, (of + "slices", "slice_probabilities"))
    else:
        yield Sentence("findings", words["in_no_slice"], (of + "slices",))
    place = finding.place
    if place is None or place.lps_mm is None:
        yield Sentence("findings", words["strongest"].format(slice=finding.strongest + 1), (of + "strongest",))
    else:
        x, y, z = (f"{v:.0f}" for v in place.lps_mm)
        said = words["strongest_at"].format(slice=finding.strongest + 1, x=x, y=y, z=z)
        yield Sentence("findings", said, (of + "strongest", of + "place"))


def _impression(findings: Findings, words: Wording) -> Iterable[Sentence]:
    overall = findings.of("any").state
    types = [findings.of(label) for label in TYPES]
    facts = tuple(f"findings.{label}.state" for label in ORDER)
    key = {PRESENT: "suspected", UNCERTAIN: "unsure", ABSENT: "disagree"}[overall]
    # the types as sure as the whole; all that are not absent where the whole is
    shown = [f for f in types if f.state == overall] if overall == PRESENT else [f for f in types if f.state != ABSENT]
    if shown:
        facts += tuple(f"findings.{f.label}.side" for f in shown if f.side)
        named = "; ".join(_named(f, words) for f in shown)
        yield Sentence("impression", words[key].format(types=named), facts)
    else:
        negative = "incomplete" if findings.verdict == INCOMPLETE else "negative"
        key = negative if overall == ABSENT else f"{key}_untyped"
        told = ("warnings",) if key == "incomplete" else ()
        yield Sentence("impression", words[key], facts + told)
    unsure = [f for f in types if f.state == UNCERTAIN]
    if overall == PRESENT and unsure:
        named = "; ".join(_named(f, words) for f in unsure)
        also = tuple(f"findings.{f.label}.{a}" for f in unsure for a in ("state", "side") if a == "state" or f.side)
        yield Sentence("impression", words["also_unsure"].format(types=named), also)
    yield Sentence("impression", words["notice"], ())


def _named(finding: Finding, words: Wording) -> str:
    return ", ".join(filter(None, (words[finding.label], words[finding.side] if finding.side else "")))


def _listed(section: str, attribute: str, texts: tuple[str, ...]) -> Iterable[Sentence]:
    return [Sentence(section, one_line(text, 1000), (f"{attribute}.{i}",)) for i, text in enumerate(texts)]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
