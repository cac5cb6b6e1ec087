"""Size that a compressed frame itself claims, read before it is decoded.

A decoder allocates what the codestream claims; a corrupt one of a few bytes may claim gigabytes.
"""

import struct
from typing import Final

_NO_FRAME: Final = (0xC4, 0xC8, 0xCC)
_JPEG_LS: Final = 0xF7
_STANDALONE: Final = (0x01, *range(0xD0, 0xD9))
_J2K_START: Final = b"\xff\x4f\xff\x51"


def claimed_size(data: bytes) -> tuple[int, int] | None:
    """(rows, columns) of a JPEG, JPEG-LS, JPEG 2000 or HTJ2K codestream; None when it holds no such claim.

    Markers: ISO/IEC 10918-1 B.2.2 (SOFn), 14495-1 C.2.2 (SOF55), 15444-1 A.5.1 (SIZ).
    """
    at = data.find(_J2K_START, 0, 1024)
    if at >= 0 and len(data) >= at + 24:
        width, height, left, top = struct.unpack(">4I", data[at + 8 : at + 24])
        return height - top, width - left
    return _jpeg_size(data)


def _jpeg_size(data: bytes) -> tuple[int, int] | None:
    at = 2
    while data[:2] == b"\xff\xd8" and at + 9 <= len(data):
        if data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:
            at += 1
        elif marker in _STANDALONE:
            at += 2
        elif marker == _JPEG_LS or (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME):
            rows, columns = struct.unpack(">HH", data[at + 5 : at + 9])
            return rows, columns
        else:
            at += 2 + struct.unpack(">H", data[at + 2 : at + 4])[0]
    return None
