"""Decodes one frame to stored values. One explicit table says which decoder reads which transfer syntax."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.dicom.codestream import claimed_size
from ichscan.dicom.fragments import BIG_ENDIAN, NATIVE
from ichscan.dicom.header import Instance
from ichscan.errors import PixelError

RLE: Final = "1.2.840.10008.1.2.5"
Decoder = Callable[[bytes, Instance], NDArray[Any]]


def decode(frame: memoryview, instance: Instance) -> NDArray[Any]:
    """Stored values of one frame, integers (rows, cols), as the decoder gives them (see `hu.to_hu` for the bits).

    Raises:
        PixelError: corrupt, of another size than the header says, or in a transfer syntax without decoder.
    """
    pixels = instance.pixels
    shape = (pixels.rows, pixels.columns)
    if pixels.transfer_syntax in NATIVE:
        order = ">" if pixels.transfer_syntax == BIG_ENDIAN else "<"
        dtype = f"{order}{'i' if pixels.signed else 'u'}{pixels.bits_allocated // 8}"
        return np.frombuffer(frame, dtype=dtype, count=shape[0] * shape[1]).reshape(shape)
    decoder = DECODERS.get(pixels.transfer_syntax)
    if decoder is None:
        raise PixelError(
            f"{instance.source.name}: Transfer Syntax UID (0002,0010) {pixels.transfer_syntax[:64]} has no decoder; "
            "send the series uncompressed"
        )
    data = bytes(frame)
    claimed = claimed_size(data) if pixels.transfer_syntax != RLE else None
    if claimed is not None and claimed != shape:
        raise PixelError(
            f"{instance.source.name}: Pixel Data (7FE0,0010): expected {shape[0]} x {shape[1]} as the header says, "
            f"the compressed frame claims {claimed[0]} x {claimed[1]}; export the images again"
        )
    try:
        decoded = decoder(data, instance)
    except (RuntimeError, ValueError, TypeError, OSError, IndexError, MemoryError) as error:
        raise PixelError(
            f"{instance.source.name}: Pixel Data (7FE0,0010), frame {instance.frame + 1}: corrupt "
            f"({type(error).__name__}); copy or export the file again"
        ) from error
    if decoded.shape != shape or decoded.dtype.kind not in "iu":
        raise PixelError(
            f"{instance.source.name}: Pixel Data (7FE0,0010): expected {shape[0]} x {shape[1]} integers as the header "
            f"says, decoded {' x '.join(map(str, decoded.shape))} {decoded.dtype}"
        )
    return decoded


# imagecodecs is imported where it is used: uncompressed series, the most common, start 70 ms faster without it.


def _jpeg(frame: bytes, instance: Instance) -> NDArray[Any]:
    import imagecodecs

    # libjpeg fills what is missing with grey and says nothing.
    if not frame[-4096:].rstrip(b"\0").endswith(b"\xff\xd9"):
        raise ValueError("no end of image")
    return np.asarray(imagecodecs.jpeg_decode(frame))


def _jpeg_lossless(frame: bytes, instance: Instance) -> NDArray[Any]:
    import imagecodecs

    # Not libjpeg-turbo, though it is as fast: it returns truncated images without an error.
    return np.asarray(imagecodecs.ljpeg_decode(frame))


def _jpeg_ls(frame: bytes, instance: Instance) -> NDArray[Any]:
    import imagecodecs

    return np.asarray(imagecodecs.jpegls_decode(frame))


def _jpeg_2000(frame: bytes, instance: Instance) -> NDArray[Any]:
    import imagecodecs

    # HTJ2K too: OpenJPH takes half the time, but imagecodecs drops its errors and returns what memory holds.
    return np.asarray(imagecodecs.jpeg2k_decode(frame))


def _rle(frame: bytes, instance: Instance) -> NDArray[Any]:
    import imagecodecs

    pixels = instance.pixels
    dtype = np.dtype(f"<u{pixels.bits_allocated // 8}")
    values = np.frombuffer(imagecodecs.dicomrle_decode(frame, dtype), dtype)
    size = pixels.rows * pixels.columns
    if not size <= values.size <= size + 1:
        raise ValueError("run-length segments end early")
    return values[:size].reshape(pixels.rows, pixels.columns)


DECODERS: Final[Mapping[str, Decoder]] = {
    "1.2.840.10008.1.2.4.50": _jpeg,
    "1.2.840.10008.1.2.4.51": _jpeg,
    "1.2.840.10008.1.2.4.53": _jpeg,
    "1.2.840.10008.1.2.4.55": _jpeg,
    "1.2.840.10008.1.2.4.57": _jpeg_lossless,
    "1.2.840.10008.1.2.4.70": _jpeg_lossless,
    "1.2.840.10008.1.2.4.80": _jpeg_ls,
    "1.2.840.10008.1.2.4.81": _jpeg_ls,
    "1.2.840.10008.1.2.4.90": _jpeg_2000,
    "1.2.840.10008.1.2.4.91": _jpeg_2000,
    "1.2.840.10008.1.2.4.201": _jpeg_2000,
    "1.2.840.10008.1.2.4.202": _jpeg_2000,
    "1.2.840.10008.1.2.4.203": _jpeg_2000,
    RLE: _rle,
}
"""Decoder by Transfer Syntax UID (PS3.6 Annex A), compressed ones."""
