"""File Meta Information in front of a data set as received (PS3.10 section 7.1): its bytes are not changed."""

import struct
from functools import cache
from typing import Final

from ichscan import __version__

IMPLEMENTATION_CLASS_UID: Final = "2.25.122395437983329153254532899030218029214"
"""Of ichscan (PS3.7 annex D.3.3.2), as in its results; written out, as what makes it needs more than the node does."""
IMPLEMENTATION_VERSION_NAME: Final = f"ICHSCAN {__version__}"[:16]
_PREAMBLE: Final = bytes(128) + b"DICM"


@cache
def _fixed() -> bytes:
    return _element(0x0012, b"UI", IMPLEMENTATION_CLASS_UID) + _element(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME)


def file_head(sop_class: str, sop_instance: str, transfer_syntax: str, sender: str) -> bytes:
    """Preamble and File Meta Information; followed by the data set it is a DICOM file.

    Args:
        sop_class: Media Storage SOP Class UID (0002,0002).
        sop_instance: Media Storage SOP Instance UID (0002,0003).
        transfer_syntax: of the data set (0002,0010).
        sender: Source Application Entity Title (0002,0016).
    """
    # (0002,0001) is OB, which has two reserved bytes and a length of 32 bits.
    version = struct.pack("<HH2sHI", 0x0002, 0x0001, b"OB", 0, 2) + b"\0\1"
    rest = b"".join(
        (
            version,
            _element(0x0002, b"UI", sop_class),
            _element(0x0003, b"UI", sop_instance),
            _element(0x0010, b"UI", transfer_syntax),
            _fixed(),
            _element(0x0016, b"AE", sender),
        )
    )
    return _PREAMBLE + struct.pack("<HH2sHI", 0x0002, 0x0000, b"UL", 4, len(rest)) + rest


def _element(number: int, kind: bytes, value: str) -> bytes:
    encoded = value.encode("ascii", "replace")
    if len(encoded) % 2:
        encoded += b"\0" if kind == b"UI" else b" "
    return struct.pack("<HH2sH", 0x0002, number, kind, len(encoded)) + encoded
