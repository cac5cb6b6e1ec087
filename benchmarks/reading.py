"""Reading a series to HU, ms per slice and transfer syntax: ichscan, pydicom one by one, and the decoder alone.

"Decoder alone" decodes the fragments, already in memory, with imagecodecs in two threads (nothing but a copy for
uncompressed pixels): no reader that uses it can be faster.
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pydicom
from pydicom.encaps import generate_frames

from ichscan.dicom import load_volume, open_series
from ichscan.types import Volume
from measure import Summary, alternate_functions
from series import OFFSET, every_syntax, head

DECODERS: dict[str, Callable[[bytes], Any]] = {
    "JPEG lossless": imagecodecs.ljpeg_decode,
    "JPEG-LS": imagecodecs.jpegls_decode,
    "JPEG 2000": imagecodecs.jpeg2k_decode,
    "HTJ2K": imagecodecs.htj2k_decode,
    "RLE": lambda frame: imagecodecs.dicomrle_decode(frame, np.dtype("<u2")),
}


def with_ichscan(folder: Path) -> np.ndarray:
    (series,) = open_series([folder]).series
    return load_volume(series, force=True).hu


def with_pydicom(folder: Path) -> np.ndarray:
    slices = []
    for path in sorted(folder.iterdir()):
        dataset = pydicom.dcmread(path)
        hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        row, column = np.split(np.array(dataset.ImageOrientationPatient, np.float64), 2)
        slices.append((float(np.array(dataset.ImagePositionPatient, np.float64) @ np.cross(row, column)), hu))
    slices.sort(key=lambda one: one[0])
    return np.stack([hu for _, hu in slices]).astype(np.int16)


def decoder_alone(syntax: str, folder: Path) -> Callable[[], object]:
    datasets = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    decode = DECODERS.get(syntax)
    if decode is None:
        native = [dataset.PixelData for dataset in datasets]
        return lambda: [np.frombuffer(frame, "<u2").copy() for frame in native]
    frames = [next(generate_frames(dataset.PixelData, number_of_frames=1)) for dataset in datasets]
    pool = ThreadPoolExecutor(2)
    return lambda: list(pool.map(decode, frames))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("head", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    volume = head(arguments.head)
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for syntax, place in every_syntax(volume, Path(folder)):
            rows[syntax] = _measure(syntax, place, volume, arguments.repeats)
    print(json.dumps(rows))


def _measure(syntax: str, place: Path, volume: Volume, repeats: int) -> dict[str, Any]:
    identical = bool(np.array_equal(with_ichscan(place), np.clip(volume.hu, -OFFSET, 4095 - OFFSET)))
    functions: dict[str, Callable[[], object]] = {"ichscan": lambda: with_ichscan(place)}
    missing = None
    try:
        with_pydicom(place)
        functions["pydicom"] = lambda: with_pydicom(place)
    except (RuntimeError, NotImplementedError, AttributeError) as error:  # pydicom: no plugin for this syntax
        missing = str(error).splitlines()[0][:80]
    functions["decoder"] = decoder_alone(syntax, place)
    times = alternate_functions(functions, repeats)
    result: dict[str, Any] = {name: _per_slice(value, len(volume.hu)) for name, value in times.items()}
    return {"ms_per_slice": result, "identical_hu": identical, "pydicom_lacks": missing}


def _per_slice(summary: Summary, slices: int) -> dict[str, float]:
    return {key: round(getattr(summary, key) * 1000 / slices, 3) for key in ("median", "low", "high")}


if __name__ == "__main__":
    main()
