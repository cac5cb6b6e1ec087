"""Attributes of patient and study, copied from the source so that every PACS files the result beside it.

Text is kept in the source's character set. Values that break the rules of their representation (PS3.5 section 6.2) are
cut to its length, freed of control characters, or left empty; nothing is guessed.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from pydicom.charset import python_encoding
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from ichscan.dicom.header import PARSE_ERRORS

REQUIRED: Final = (
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
    "AccessionNumber", "ReferringPhysicianName",
)  # fmt: skip
"""Type 2 in the Patient and General Study modules (PS3.3 C.7.1.1 and C.7.2.1): empty when the source has none."""
OPTIONAL: Final = (
    "IssuerOfPatientID", "PatientAge", "PatientSize", "PatientWeight", "StudyDescription", "TimezoneOffsetFromUTC",
)  # fmt: skip
LENGTHS: Final = {"LO": 64, "SH": 16}
GROUP: Final = 64
"""Characters of each of the three groups of a person's name: alphabetic, ideographic, phonetic."""
PATTERNS: Final = {
    "AS": re.compile(r"\d{3}[DWMY]"),
    "CS": re.compile(r"[MFO]"),  # the only coded string among these is Patient's Sex (0010,0040)
    "DA": re.compile(r"\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])"),
    "DS": re.compile(r" ?[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)? ?"),
    "TM": re.compile(r"([01]\d|2[0-3])([0-5]\d([0-5]\d(\.\d{1,6})?)?)?"),
}
OFFSET: Final = re.compile(r"[+-](0\d|1[0-4])[0-5]\d")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
UTF8: Final = "ISO_IR 192"
LATIN1: Final = "ISO_IR 100"


def patient_and_study(header: Dataset) -> Dataset:
    """What a result takes over from a header of its source, ready to be put into it.

    Patient (C.7.1.1), General Study (C.7.2.1) and Patient Study (C.7.2.2) modules without Study Instance UID, and
    Specific Character Set (0008,0005).
    """
    found = Dataset()
    for keyword in (*REQUIRED, *OPTIONAL):
        value = clean(header, keyword)
        if value or keyword in REQUIRED:
            setattr(found, keyword, value)
    _copy_deidentification(header, found)
    character_set = _character_set(header, (str(element.value or "") for element in found))
    if character_set:
        found.SpecificCharacterSet = character_set
    return found


def clean(header: Dataset, keyword: str) -> str:
    """One value as text that its value representation allows, "" when absent or beyond repair."""
    try:
        element = header[keyword]
        value = "" if element.value is None else _one_line(element.value)
    except PARSE_ERRORS:
        return ""  # absent, or does not decode, which is as good as none: type 2 attributes may be empty
    if keyword == "TimezoneOffsetFromUTC":
        return value if OFFSET.fullmatch(value) else ""
    pattern = PATTERNS.get(element.VR)
    if pattern is not None:
        return value if pattern.fullmatch(value) and len(value) <= 16 else ""
    if element.VR == "PN":
        return "=".join(_name_group(group) for group in value.split("=")[:3])
    return value[: LENGTHS.get(element.VR, GROUP)]


def _name_group(group: str) -> str:
    """One of the groups of a name: at most five components (PS3.5 section 6.2.1) and 64 characters."""
    *components, last = group.split("^", 4)
    return "^".join((*components, last.replace("^", " ")))[:GROUP]


def fitting(words: str, character_set: str | list[str] | None, longest: int | None = None) -> str:
    """Our own words for a result: without control characters, `?` for what its character set cannot hold."""
    line = CONTROL.sub(" ", words).replace("\\", "/").strip()
    terms = [character_set] if isinstance(character_set, str) else list(character_set or ["ISO_IR 6"])
    if UTF8 not in terms:
        line = "".join(c if c.isascii() or _holds(c, terms) else "?" for c in line)
    return line if longest is None else line[:longest].rstrip()


def _holds(character: str, terms: list[str]) -> bool:
    for term in terms:
        try:
            character.encode(python_encoding[term])
        except (UnicodeEncodeError, KeyError):
            continue
        return term not in ("", "ISO_IR 6", "ISO 2022 IR 6")  # Python's name for these holds more than ASCII
    return False


def _one_line(value: Any) -> str:
    if isinstance(value, MultiValue | list):
        value = value[0] if value else ""
    return CONTROL.sub(" ", str(value)).replace("\\", "/").strip()


def _copy_deidentification(header: Dataset, found: Dataset) -> None:
    """Patient Identity Removed (0012,0062) is only valid with the method that did it (C.7.1.1)."""
    method = clean(header, "DeidentificationMethod")
    removed = str(header.get("PatientIdentityRemoved", "") or "").strip()
    if removed in ("YES", "NO") and (removed == "NO" or method):
        found.PatientIdentityRemoved = removed
        if method:
            found.DeidentificationMethod = method


def _character_set(header: Dataset, texts: Iterable[str]) -> str | list[str]:
    """The source's, where it is one; undeclared bytes beyond ASCII were read as Latin-1, so that is declared."""
    declared = header.get("SpecificCharacterSet")
    terms = [str(declared)] if isinstance(declared, str) else [str(term) for term in declared or ()]
    if any(terms):
        if all(term in python_encoding for term in terms):
            return terms if len(terms) > 1 else terms[0]
        return UTF8
    return "" if all(text.isascii() for text in texts) else LATIN1
