"""8-bit pictures of slices in one declared window, as CT-ICH 1.0.0 distributes them (doi 10.13026/w8q8-ky94)."""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from ichscan.dicom.choose import MIN_SLICES
from ichscan.dicom.order import ASSUMED_MM, gaps
from ichscan.dicom.refusal import MAX_SIDE, MIN_SIDE
from ichscan.dicom.series import Series, WindowedImages
from ichscan.dicom.source import Source
from ichscan.errors import NotAnalysableError, PixelError
from ichscan.types import Int16, Volume

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff")
MOST_MISSING: Final = 20
GREY_TOLERANCE: Final = 16


def is_picture(name: str) -> bool:
    """Whether the name is that of a picture file."""
    return name.lower().endswith(SUFFIXES)


def picture_series(sources: Sequence[Source], window: tuple[float, float]) -> list[Series]:
    """One series per folder, slices in the natural order of their names, which is all the order that there is."""
    folders: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        folders[source.folder].append(source)
    return [_series(folder, found, set(folders), window) for folder, found in sorted(folders.items())]


def _series(folder: str, sources: list[Source], folders: set[str], window: tuple[float, float]) -> Series:
    ordered = sorted(sources, key=lambda source: natural_key(source.name))
    center, width = window
    reason = None
    if len(ordered) < MIN_SLICES:
        slices = "1 slice" if len(ordered) == 1 else f"{len(ordered)} slices"
        reason = f"{slices}: fewer than the {MIN_SLICES} that a scan needs"
    elif _is_bone_folder(folder, folders):
        reason = "a folder named bone beside one named brain: the declared window is taken to be that of brain"
    notes = (
        f"8-bit pictures: values outside of {center - width / 2:g} to {center + width / 2:g} HU are cut off.",
        "No geometry is recorded: slices are ordered by the numbers in their file names, "
        f"assumed {ASSUMED_MM:g} mm apart.",
    )
    content = WindowedImages(tuple(ordered), _positions(ordered), window)
    description = f"8-bit pictures, window {center:g}/{width:g}"
    return Series("", "", description, len(ordered), reason, notes if reason is None else (), content)


def _is_bone_folder(folder: str, folders: set[str]) -> bool:
    path = PurePosixPath(folder.replace("\\", "/"))
    return path.name.lower() == "bone" and any(
        PurePosixPath(other.replace("\\", "/")).parent == path.parent and other.lower().endswith("brain")
        for other in folders
    )


def natural_key(name: str) -> tuple[tuple[int, str], ...]:
    """Sort key by which `2.jpg` comes before `10.jpg`."""
    stem = PurePosixPath(name.replace("\\", "/")).name
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", stem))


def _positions(sources: Sequence[Source]) -> tuple[float, ...]:
    """Positions from the last number of each name where these look like slice numbers: so missing slices stay gaps."""
    found = [re.findall(r"\d+", PurePosixPath(source.name.replace("\\", "/")).stem) for source in sources]
    numbers = [int(digits[-1]) for digits in found if digits]
    steps = np.diff(numbers) if len(numbers) == len(sources) else np.array([])
    if not (len(steps) and steps.min() >= 1 and steps.max() <= MOST_MISSING):
        numbers = list(range(len(sources)))
    return tuple(ASSUMED_MM * (number - numbers[0]) for number in numbers)


def load_images(series: Series, content: WindowedImages) -> Volume:
    """Reads the pictures; HU = centre - width/2 + grey/255 * width.

    Raises:
        PixelError: a picture is broken, coloured, or not 8 bit.
        NotAnalysableError: the pictures differ in size.
    """
    center, width = content.window
    table = np.rint(center - width / 2 + np.arange(256) / 255 * width).astype(np.int16)
    slices: list[Int16] = [table[_grey(source)] for source in content.sources]
    shapes = {one.shape for one in slices}
    if len(shapes) > 1:
        raise NotAnalysableError(f"{series.description}: pictures of {len(shapes)} different sizes; expected one size")
    positions = np.array(content.positions_mm, dtype=np.float64)
    missing = gaps(positions)
    notes = (f"Numbers are missing between the pictures at {len(missing)} places.",) if missing else ()
    names = tuple(source.name for source in content.sources)
    return Volume(
        np.stack(slices), positions, None, None, None, ("",) * len(names), names, "", "",
        gaps=missing, warnings=(*series.warnings, *notes),
    )  # fmt: skip


def _grey(source: Source) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    import cv2

    try:
        data = np.frombuffer(source.read(), dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_UNCHANGED) if data.size else None
    except (OSError, cv2.error) as error:
        raise PixelError(f"{source.name}: cannot be read ({error})") from error
    if image is None:
        raise PixelError(f"{source.name}: expected a picture, found {data.size:,} bytes that do not decode")
    if image.dtype != np.uint8:
        raise PixelError(f"{source.name}: expected 8 bits per pixel, found {image.dtype}")
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in image.shape[:2]):
        raise PixelError(
            f"{source.name}: {image.shape[1]} x {image.shape[0]} pixels, expected {MIN_SIDE} to {MAX_SIDE}"
        )
    if image.ndim == 3:
        colours = image[..., :3].astype(np.int16)
        if image.shape[2] < 3 or int((colours.max(axis=2) - colours.min(axis=2)).max()) > GREY_TOLERANCE:
            raise PixelError(f"{source.name}: a coloured picture, expected grey values")
        image = image[..., 1]
    return np.asarray(image, dtype=np.uint8)
