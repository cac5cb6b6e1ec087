"""Every transfer syntax decodes to the same values; broken pixel data is an error that says what is wrong."""

import contextlib
from collections.abc import Callable
from typing import Any

import imagecodecs
import numpy as np
import pytest
from pydicom.encaps import encapsulate
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series
from ichscan.errors import IchscanError, NotAnalysableError, PixelError

LOSSLESS: dict[str, Callable[[Any], bytes]] = {
    "1.2.840.10008.1.2.4.57": lambda a: imagecodecs.ljpeg_encode(a, bitspersample=16),
    "1.2.840.10008.1.2.4.70": lambda a: imagecodecs.ljpeg_encode(a, bitspersample=16),
    "1.2.840.10008.1.2.4.80": lambda a: imagecodecs.jpegls_encode(a),
    "1.2.840.10008.1.2.4.90": lambda a: imagecodecs.jpeg2k_encode(a, level=0, codecformat="j2k", reversible=True),
    "1.2.840.10008.1.2.4.201": lambda a: imagecodecs.htj2k_encode(a),
    "1.2.840.10008.1.2.4.202": lambda a: imagecodecs.htj2k_encode(a),
}


def _files(syntax: str, count: int = 4, fragments: int = 1) -> list[bytes]:
    return [build.compressed(i, syntax, LOSSLESS[syntax], fragments) for i in range(count)]


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("syntax", LOSSLESS)
def test_lossless_syntaxes_decode_to_identical_hu(syntax: str, fragments: int) -> None:
    volume = load_volume(open_series(_files(syntax, fragments=fragments)).chosen[0])
    for index in range(4):
        np.testing.assert_array_equal(volume.hu[index], build.head_hu(index))


@pytest.mark.parametrize("make", [build.deflated, build.implicit])
def test_native_variants_decode_to_identical_hu(make: Callable[[int], bytes]) -> None:
    volume = load_volume(open_series([make(i) for i in range(4)]).chosen[0])
    for index in range(4):
        np.testing.assert_array_equal(volume.hu[index], build.head_hu(index))


def test_run_length_encoding() -> None:
    files = []
    for index in range(3):
        ds = build.slice_dataset(index)
        ds.compress("1.2.840.10008.1.2.5", encoding_plugin="pydicom", generate_instance_uid=False)
        files.append(build.to_bytes(ds))
    np.testing.assert_array_equal(load_volume(open_series(files).chosen[0]).hu[1], build.head_hu(1))


def test_non_square_matrix() -> None:
    hus = [build.head_hu(i, 80, 112) for i in range(4)]
    volume = load_volume(
        open_series([build.to_bytes(build.slice_dataset(i, hu)) for i, hu in enumerate(hus)]).chosen[0]
    )
    np.testing.assert_array_equal(volume.hu, np.stack(hus))


def test_pixel_data_shorter_than_the_header_says() -> None:
    files = [build.to_bytes(build.slice_dataset(i, PixelData=bytes(5000))) for i in range(4)]
    with pytest.raises(PixelError, match=r"4 of 4 slices.*expected 8,192 bytes.*found 5,000"):
        load_volume(open_series(files).chosen[0])


def test_one_truncated_slice_is_left_out_with_a_warning() -> None:
    files = build.head_series(6)
    files[2] = files[2][:-3000]
    volume = load_volume(open_series(files).chosen[0])
    assert volume.hu.shape[0] == 5
    assert any(w.startswith("Left out: bytes 3") and "expected 8,192 bytes" in w for w in volume.warnings)
    assert volume.gaps == (1,)


def test_more_than_a_third_corrupt_is_an_error() -> None:
    files = build.head_series(6)
    files[1:4] = [data[:-3000] for data in files[1:4]]
    with pytest.raises(PixelError, match="3 of 6 slices cannot be read"):
        load_volume(open_series(files).chosen[0])


@pytest.mark.parametrize("syntax", LOSSLESS)
def test_corrupt_fragment(syntax: str) -> None:
    def spoilt(values: Any) -> bytes:
        data = LOSSLESS[syntax](values)
        return b"\x00" * 40 + data[40:200]

    files = [build.compressed(i, syntax, spoilt) for i in range(3)]
    with pytest.raises(PixelError, match="corrupt"):
        load_volume(open_series(files).chosen[0])


@pytest.mark.parametrize("syntax", [*LOSSLESS, "1.2.840.10008.1.2.4.51"])
def test_truncated_frame_is_never_filled_up_in_silence(syntax: str) -> None:
    def cut(values: Any) -> bytes:
        if syntax in LOSSLESS:
            data = LOSSLESS[syntax](values)
        else:
            data = imagecodecs.jpeg_encode(values, bitspersample=12, level=95)
        return data[: len(data) * 9 // 10]

    files = [build.compressed(i, syntax, cut) for i in range(3)]
    with pytest.raises(PixelError, match="corrupt"):
        load_volume(open_series(files).chosen[0])


def test_fragment_that_claims_more_than_there_is() -> None:
    files = [data[:-500] for data in _files("1.2.840.10008.1.2.4.80", 3)]
    with pytest.raises(PixelError, match="claims"):
        load_volume(open_series(files).chosen[0])


def test_decoded_size_that_contradicts_the_header() -> None:
    encode = LOSSLESS["1.2.840.10008.1.2.4.80"]
    files = [build.compressed(i, "1.2.840.10008.1.2.4.80", lambda a: encode(a[:32])) for i in range(3)]
    with pytest.raises(PixelError, match="expected 64 x 64 as the header says, the compressed frame claims 32 x 64"):
        load_volume(open_series(files).chosen[0])


def test_a_frame_that_claims_gigabytes_is_refused_before_decoding() -> None:
    def boast(values: Any) -> bytes:
        data = bytearray(LOSSLESS["1.2.840.10008.1.2.4.90"](values))
        at = data.find(b"\xff\x4f\xff\x51") + 8
        data[at : at + 8] = b"\x00\x01\x00\x00" * 2
        return bytes(data)

    files = [build.compressed(i, "1.2.840.10008.1.2.4.90", boast) for i in range(3)]
    with pytest.raises(PixelError, match="claims 65536 x 65536"):
        load_volume(open_series(files).chosen[0])


def test_unknown_transfer_syntax() -> None:
    files = [build.compressed(i, "1.2.840.10008.1.2.4.102", lambda a: a.tobytes()) for i in range(3)]
    with pytest.raises(PixelError, match="no decoder"):
        load_volume(open_series(files).chosen[0])


def test_compressed_syntax_with_native_pixels() -> None:
    ds = [build.slice_dataset(i) for i in range(3)]
    files = []
    for one in ds:
        one.PixelData = encapsulate([b"\x00" * 64])
        one.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.90"
        one["PixelData"].VR = "OB"
        files.append(build.to_bytes(one).replace(b"OB\x00\x00\xff\xff\xff\xff", b"OB\x00\x00\x40\x00\x00\x00"))
    with pytest.raises(PixelError):
        load_volume(open_series(files).chosen[0])


def test_refused_series_are_loaded_only_when_forced() -> None:
    series = open_series(build.head_series(1)).series[0]
    with pytest.raises(NotAnalysableError, match="1 slice"):
        load_volume(series)
    assert load_volume(series, force=True).hu.shape == (1, 64, 64)


@pytest.mark.parametrize("seed", range(60))
def test_random_damage_never_gives_a_traceback(seed: int) -> None:
    rng = np.random.default_rng(seed)
    files = build.head_series(3) if seed % 2 else _files("1.2.840.10008.1.2.4.80", 3)
    damaged = []
    for data in files:
        noisy = bytearray(data)
        for at in rng.integers(128, len(noisy), 12):
            noisy[at] = rng.integers(256)
        damaged.append(bytes(noisy))
    for series in open_series(damaged).series:
        with contextlib.suppress(IchscanError):
            load_volume(series, force=True)
