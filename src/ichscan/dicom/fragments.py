"""The Pixel Data element: native bytes, or encapsulated fragments (PS3.5 section 8 and Annex A.4)."""

import struct
from io import BytesIO
from typing import Final

import pydicom
from pydicom.encaps import generate_frames

from ichscan.dicom.header import DEFLATED, IMPLICIT_LITTLE, PARSE_ERRORS, Instance
from ichscan.errors import PixelError, UnreadableFileError

BIG_ENDIAN: Final = "1.2.840.10008.1.2.2"
NATIVE: Final = {IMPLICIT_LITTLE, "1.2.840.10008.1.2.1", BIG_ENDIAN, DEFLATED}
UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = 0xE000FFFE
_END: Final = 0xE0DDFFFE


def read_frames(instance: Instance) -> list[memoryview]:
    """The bytes of each frame of the file that holds `instance`, still compressed where they are.

    Raises:
        UnreadableFileError: the file cannot be read any more.
        PixelError: pixel data absent, shorter than the header says, or broken fragments.
    """
    source, pixels = instance.source, instance.pixels
    if pixels.offset is None:
        raise PixelError(f"{source.name}: Pixel Data (7FE0,0010) is absent; export the images again")
    try:
        data = memoryview(_inflated(instance) if pixels.transfer_syntax == DEFLATED else source.read(pixels.offset))
    except OSError as error:
        raise UnreadableFileError(f"{source.name}: cannot be read ({error.strerror or error})") from error
    if pixels.transfer_syntax == DEFLATED:
        return _native(data, instance)
    start, length = _element(data, instance)
    if length != UNDEFINED or pixels.transfer_syntax in NATIVE:
        # Undefined length is for compressed syntaxes only; the length check then says what is there.
        return _native(data[start : start + length], instance)
    return _encapsulated(data[start:], instance)


def _inflated(instance: Instance) -> bytes:
    try:
        dataset = pydicom.dcmread(BytesIO(instance.source.read()), force=True)
        return bytes(dataset.PixelData)
    except (*PARSE_ERRORS, OSError) as error:
        raise PixelError(f"{instance.source.name}: Pixel Data (7FE0,0010) cannot be inflated ({error})") from error


def _element(data: memoryview, instance: Instance) -> tuple[int, int]:
    """Start and length of the value, from the element's tag, VR and length (PS3.5 section 7.1)."""
    syntax, name = instance.pixels.transfer_syntax, instance.source.name
    if len(data) < 12:
        raise PixelError(f"{name}: Pixel Data (7FE0,0010) breaks off after {len(data)} bytes")
    order = ">" if syntax == BIG_ENDIAN else "<"
    explicit = bytes(data[4:6]) in (b"OW", b"OB", b"UN")
    length = struct.unpack(order + "I", data[8:12] if explicit else data[4:8])[0]
    return (12 if explicit else 8), int(length)


def _native(data: memoryview, instance: Instance) -> list[memoryview]:
    pixels = instance.pixels
    if pixels.transfer_syntax not in NATIVE:
        raise PixelError(
            f"{instance.source.name}: transfer syntax {pixels.transfer_syntax[:64]} is compressed, but Pixel Data "
            "(7FE0,0010) is not in fragments; export the images again"
        )
    size = pixels.rows * pixels.columns * (pixels.bits_allocated // 8)
    if len(data) < size * pixels.frames:
        raise PixelError(
            f"{instance.source.name}: Pixel Data (7FE0,0010): expected {size * pixels.frames:,} bytes for "
            f"{pixels.frames} x {pixels.rows} x {pixels.columns}, found {len(data):,}; copy or export the file again"
        )
    return [data[start : start + size] for start in range(0, size * pixels.frames, size)]


def _encapsulated(data: memoryview, instance: Instance) -> list[memoryview]:
    pieces = _fragments(data, instance.source.name)
    frames = instance.pixels.frames
    if frames == 1:
        return [pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))]
    if len(pieces) == frames:
        return pieces
    try:
        return [memoryview(frame) for frame in generate_frames(BytesIO(data), number_of_frames=frames)]
    except PARSE_ERRORS as error:
        raise PixelError(
            f"{instance.source.name}: Pixel Data (7FE0,0010): {len(pieces)} fragments cannot be told apart into "
            f"{frames} frames ({error})"
        ) from error


def _fragments(data: memoryview, name: str) -> list[memoryview]:
    """The fragments without the Basic Offset Table."""
    pieces: list[memoryview] = []
    at = 0
    while at + 8 <= len(data):
        tag, length = struct.unpack("<II", data[at : at + 8])
        if tag == _END:
            break
        if tag != _ITEM or at + 8 + length > len(data):
            raise PixelError(
                f"{name}: Pixel Data (7FE0,0010): fragment {len(pieces)} claims {length:,} bytes, "
                f"found {max(len(data) - at - 8, 0):,}; copy or export the file again"
            )
        pieces.append(data[at + 8 : at + 8 + length])
        at += 8 + length
    if len(pieces) < 2:
        raise PixelError(f"{name}: Pixel Data (7FE0,0010) holds no fragment with pixels")
    return pieces[1:]
