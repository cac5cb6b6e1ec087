"""DICOM JSON Model (PS3.18 Annex F): data elements as JSON types."""

from typing import Any, Final

from pydicom.datadict import dictionary_VR, tag_for_keyword

Json = dict[str, Any]
GROUPS: Final = ("Alphabetic", "Ideographic", "Phonetic")


def element(keyword: str, *values: Any) -> Json:
    """One element as {"GGGGEEEE": {"vr": …, "Value": […]}}; without values, "" and None it is empty (Annex F.2.5).

    Raises:
        KeyError: no keyword of PS3.6.
    """
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    vr = dictionary_VR(tag)
    told = [value for value in values if value is not None and value != ""]
    if vr == "PN":
        told = [name for name in map(person_name, told) if name]
    return {f"{tag:08X}": {"vr": vr, "Value": told} if told else {"vr": vr}}


def person_name(text: str) -> dict[str, str]:
    """The component groups of a name (PS3.5 section 6.2.1) as an object (Annex F.2.2)."""
    return {key: part for key, part in zip(GROUPS, text.split("="), strict=False) if part}
