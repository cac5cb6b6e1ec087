"""Sizes that compressed frames claim."""

from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pytest

from ichscan.dicom.codestream import claimed_size

IMAGE = np.arange(40 * 72, dtype=np.uint16).reshape(40, 72)


@pytest.mark.parametrize(
    "encode",
    [
        lambda a: imagecodecs.jpeg_encode((a >> 4).astype(np.uint8)),
        lambda a: imagecodecs.jpeg_encode(a, bitspersample=12),
        lambda a: imagecodecs.ljpeg_encode(a, bitspersample=16),
        imagecodecs.jpegls_encode,
        lambda a: imagecodecs.jpeg2k_encode(a, codecformat="j2k"),
        lambda a: imagecodecs.jpeg2k_encode(a, codecformat="jp2"),
        imagecodecs.htj2k_encode,
    ],
)
def test_claimed_size(encode: Callable[[Any], bytes]) -> None:
    assert claimed_size(encode(IMAGE)) == (40, 72)


@pytest.mark.parametrize("length", range(0, 40, 3))
def test_anything_else_claims_nothing(length: int) -> None:
    assert claimed_size(b"\xff\xd8\xff\xe0\x00\x10"[:length]) is None
    assert claimed_size(bytes(length)) is None
