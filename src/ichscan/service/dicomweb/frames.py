"""Frames of an instance: as they are stored, or as plain values in little endian (PS3.18 section 8.7.3.3)."""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.dicom.fragments import BIG_ENDIAN, NATIVE
from ichscan.dicom.pixels import DECODERS, decode
from ichscan.errors import InputError, PixelError
from ichscan.service.dicomweb.media import OCTETS, with_syntax
from ichscan.service.dicomweb.opened import FLOATS, Opened, read_range

EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
MEDIA_TYPES: Final = {
    "1.2.840.10008.1.2.4.50": "image/jpeg",
    "1.2.840.10008.1.2.4.51": "image/jpeg",
    "1.2.840.10008.1.2.4.57": "image/jpeg",
    "1.2.840.10008.1.2.4.70": "image/jpeg",
    "1.2.840.10008.1.2.4.80": "image/jls",
    "1.2.840.10008.1.2.4.81": "image/jls",
    "1.2.840.10008.1.2.4.90": "image/jp2",
    "1.2.840.10008.1.2.4.91": "image/jp2",
    "1.2.840.10008.1.2.4.201": "image/jphc",
    "1.2.840.10008.1.2.4.202": "image/jphc",
    "1.2.840.10008.1.2.4.203": "image/jphc",
    "1.2.840.10008.1.2.5": "image/dicom-rle",
}
"""Of frames by Transfer Syntax UID (PS3.18 Table 8.7.3-5); others are octets."""


MOST: Final = 32 << 20
"""Bytes of a frame that is decoded, enough for 4096 x 4096 of 16 bits: a few compressed bytes may claim any size."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame with its media type and Transfer Syntax UID."""

    data: bytes = field(repr=False)
    media_type: str
    syntax: str

    @property
    def content_type(self) -> str:
        """Content-Type of the part."""
        return with_syntax(self.media_type, self.syntax)


def stored_syntax(opened: Opened) -> str:
    """Transfer syntax of a frame as stored; native frames are always given in little endian."""
    return EXPLICIT_LITTLE if opened.syntax in NATIVE else opened.syntax


def can_be_plain(opened: Opened) -> bool:
    """Whether `plain_frame` can decode: native pixel data, or one sample in a known syntax."""
    if opened.syntax in NATIVE:
        return True
    return opened.syntax in DECODERS and opened.slice.pixels.samples == 1 and frame_size(opened) <= MOST


def frame_size(opened: Opened) -> int:
    """Bytes of one frame when it is decoded."""
    pixels = opened.slice.pixels
    return pixels.rows * pixels.columns * pixels.samples * pixels.bits_allocated // 8


def stored_frame(opened: Opened, number: int) -> bytes:
    """Frame `number`, from 1 on, as it is stored.

    Raises:
        InputError: no pixel data, or it is short or broken.
    """
    _check(opened)
    if opened.pixels is not None and opened.pixels.length is not None:
        return _native_frame(opened, number)
    if number > len(opened.frames):
        raise PixelError("the pixel data holds fewer frames than the header says")
    return bytes(opened.frames[number - 1])


def plain_frame(opened: Opened, number: int) -> bytes:
    """Frame `number`, from 1 on, as Explicit VR Little Endian holds it.

    Raises:
        InputError: no pixel data, broken, or compressed in a way that cannot be decoded here.
    """
    if opened.syntax in NATIVE:
        return stored_frame(opened, number)
    pixels = opened.slice.pixels
    values = decoded(opened, number)
    return values.astype(f"<{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}").tobytes()


def decoded(opened: Opened, number: int) -> NDArray[Any]:
    """Stored values of frame `number`, integers (rows, cols), of an image with one sample per pixel.

    Raises:
        InputError: as `plain_frame`.
    """
    if opened.slice.pixels.samples != 1:
        raise PixelError("coloured pixel data is not decoded here; ask for it as it is stored")
    if frame_size(opened) > MOST:
        raise PixelError(f"expected frames of at most {MOST >> 20} MiB, found larger ones; ask for them as stored")
    try:
        frame = memoryview(stored_frame(opened, number))
        one = replace(opened.slice, frame=number - 1)
        if opened.syntax in NATIVE:
            one = replace(one, pixels=replace(one.pixels, transfer_syntax=EXPLICIT_LITTLE))
        return decode(frame, one)
    except (InputError, ValueError, TypeError) as error:
        raise PixelError("the frame cannot be decoded: it is corrupt, or its transfer syntax is unknown") from error


def _check(opened: Opened) -> None:
    pixels = opened.slice.pixels
    if not opened.has_pixels:
        raise PixelError("the instance holds no pixel data")
    if min(pixels.rows, pixels.columns, pixels.samples) < 1 or pixels.bits_allocated not in (1, 8, 16, 32, 64):
        raise PixelError("the header does not say how the pixel data lies")


def _native_frame(opened: Opened, number: int) -> bytes:
    pixels, where = opened.slice.pixels, opened.pixels
    bits = pixels.rows * pixels.columns * pixels.samples * pixels.bits_allocated
    if where is None or bits % 8:
        raise PixelError("frames of single bits that do not end at a byte are not given; ask for the bulk data")
    size = bits // 8
    data = b"".join(read_range(opened.held, where.start + (number - 1) * size, size))
    if len(data) < size or (where.length is not None and number * size > where.length):
        raise PixelError("the pixel data is shorter than the header says")
    width = FLOATS.get(where.tag, pixels.bits_allocated // 8)
    return little_endian(data, width) if opened.syntax == BIG_ENDIAN else data


def little_endian(data: bytes, width: int) -> bytes:
    """Values of `width` bytes from big to little endian."""
    if width < 2 or len(data) % width:
        return data
    return np.frombuffer(data, f">u{width}").astype(f"<u{width}").tobytes()


def frame_of(opened: Opened, number: int, *, plain: bool, media_type: str = OCTETS) -> Frame:
    """A frame for the answer; with `plain` decoded, which always makes octets."""
    if plain:
        return Frame(plain_frame(opened, number), OCTETS, EXPLICIT_LITTLE)
    return Frame(stored_frame(opened, number), media_type, stored_syntax(opened))
