"""The identifiers of a data set as received, found without parsing the rest of it (PS3.5 section 7).

A decoder that builds objects would take longer than receiving does, and tell of odd values in the log.
"""

import re
import struct
import zlib
from dataclasses import dataclass
from typing import Final

from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ImplicitVRLittleEndian

from ichscan.errors import InputError

SOP_CLASS: Final = 0x00080016
SOP_INSTANCE: Final = 0x00080018
STUDY: Final = 0x0020000D
SERIES: Final = 0x0020000E
_NAMES: Final = {
    SOP_CLASS: "SOP Class",
    SOP_INSTANCE: "SOP Instance",
    STUDY: "Study Instance",
    SERIES: "Series Instance",
}
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_LONG: Final = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
"""Value representations whose length has 32 bits (PS3.5 section 7.1.2)."""
_UID: Final = re.compile(rb"[0-9]+(\.[0-9]+)*")
"""PS3.5 section 9.1, but for leading zeros, which real systems send."""
_LONGEST: Final = 64
MOST_ELEMENTS: Final = 100_000
"""Before Series Instance UID; a sender that sends more wants to keep the node busy."""
MOST_INFLATED: Final = 16 << 20
"""Of a deflated data set; the identifiers are at its start."""


@dataclass(frozen=True, slots=True)
class Identifiers:
    """UIDs of a data set: SOP Class (0008,0016), SOP Instance (0008,0018), Study (0020,000D), Series (0020,000E)."""

    sop_class: str
    sop_instance: str
    study: str
    series: str


def read_identifiers(data: bytes | memoryview, transfer_syntax: str) -> Identifiers:
    """Reads a data set (no preamble, no File Meta Information) up to its Series Instance UID.

    Raises:
        InputError: broken, or one of the four is absent or no UID.
    """
    if transfer_syntax == DeflatedExplicitVRLittleEndian:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, MOST_INFLATED)
        except zlib.error as error:
            raise InputError("data set: expected deflated bytes (PS3.5 annex A.5), found others") from error
    try:
        found = _Walk(data, transfer_syntax).run()
    except (struct.error, IndexError) as error:
        raise InputError("data set: it breaks off before Series Instance UID (0020,000E)") from error
    return Identifiers(*(_uid(found, tag) for tag in _NAMES))


class _Walk:
    """Goes over top-level elements; what is nested is stepped over."""

    def __init__(self, data: bytes | memoryview, transfer_syntax: str) -> None:
        order = ">" if transfer_syntax == ExplicitVRBigEndian else "<"
        self._tag = struct.Struct(f"{order}HH").unpack_from
        self._short = struct.Struct(f"{order}H").unpack_from
        self._long = struct.Struct(f"{order}I").unpack_from
        self._data = data
        self._at = 0
        self._read = 0
        self._implicit = transfer_syntax == ImplicitVRLittleEndian

    def run(self) -> dict[int, bytes]:
        found: dict[int, bytes] = {}
        end = len(self._data)
        while self._at < end:
            tag, length, implicit = self._element(self._implicit)
            if tag > SERIES:
                break
            if length == _UNDEFINED:
                self._over_nested(implicit)
                continue
            if self._at + length > end:
                raise IndexError(tag)
            if tag in _NAMES and length <= _LONGEST:
                found[tag] = bytes(self._data[self._at : self._at + length])
            self._at += length
        return found

    def _element(self, implicit: bool) -> tuple[int, int, bool]:
        """Tag and length of the element here, and whether what it holds is in implicit VR."""
        self._read += 1
        if self._read > MOST_ELEMENTS:
            raise InputError(f"data set: expected Series Instance UID (0020,000E) within {MOST_ELEMENTS} elements")
        at = self._at
        group, number = self._tag(self._data, at)
        tag: int = group << 16 | number
        kind = bytes(self._data[at + 4 : at + 6])
        # Delimiters have no VR; some devices write elements without one into explicit data sets.
        if implicit or group == 0xFFFE or not (kind.isalpha() and kind.isupper()):
            self._at = at + 8
            return tag, self._long(self._data, at + 4)[0], implicit
        if kind in _LONG:
            self._at = at + 12
            # PS3.5 section 6.2.2: UN of undefined length holds implicit VR.
            return tag, self._long(self._data, at + 8)[0], kind == b"UN"
        self._at = at + 8
        return tag, self._short(self._data, at + 6)[0], False

    def _over_nested(self, implicit: bool) -> None:
        """Steps over the rest of a sequence of undefined length (PS3.5 section 7.5)."""
        open_ones = [implicit]
        while open_ones:
            tag, length, inside = self._element(open_ones[-1])
            if tag in (_ITEM_END, _SEQUENCE_END):
                open_ones.pop()
            elif length == _UNDEFINED:
                open_ones.append(inside)
            else:
                self._at += length


def _uid(found: dict[int, bytes], tag: int) -> str:
    value = found.get(tag, b"").rstrip(b"\0 ")
    if not _UID.fullmatch(value):
        where = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        raise InputError(f"data set: expected digits and dots as {_NAMES[tag]} UID {where}, found none or others")
    return value.decode("ascii")
