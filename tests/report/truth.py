"""Where a bleed is, known from the files of its acquisition alone; and how places in results are held against that."""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from tests.report.patient import APART_MM, COLUMN_MM, COLUMNS, ROW_MM, ROWS, Acquisition, Float64, pixel_at

IN_PLANE_MM = 3.5
TIE_MM = 1.0
"""Two slices may be about as near to the bleed."""
DIRECTIONS = {"R": (-1, 0, 0), "L": (1, 0, 0), "A": (0, -1, 0), "P": (0, 1, 0), "F": (0, 0, -1), "H": (0, 0, 1)}


class Image(NamedTuple):
    """An image of the source, as its file tells."""

    uid: str
    frame: int | None
    origin: Float64
    cosines: Float64
    hu: Float64

    def at(self, row: float, column: float) -> Float64:
        return pixel_at(self.origin, self.cosines, (ROW_MM, COLUMN_MM), row, column)


class Truth:
    """What is known of an acquisition from its files and the place of the bleed alone."""

    def __init__(self, how: Acquisition, folder: Path) -> None:
        self.at, self.side = how.at, "left" if how.lesion[0] > 0 else "right"
        self.images = _images(folder)
        row, column = self.images[0].cosines
        self.normal = np.cross(row, column)
        self.frame_of_reference = how.frame_of_reference

    def image(self, uid: str, frame: Any = None) -> Image:
        (found,) = (one for one in self.images if (one.uid, one.frame) == (uid, None if frame is None else int(frame)))
        return found

    def at_position(self, mm: float) -> Image:
        """By its position along the normal that points to the head."""
        up = self.normal * np.sign(self.normal[2])
        (found,) = (one for one in self.images if abs(float(one.origin @ up) - mm) < 0.01)
        return found

    def referenced(self, item: Dataset) -> Image:
        """Of an item of a sequence that refers to an image."""
        return self.image(item.ReferencedSOPInstanceUID, item.get("ReferencedFrameNumber"))

    def is_nearest(self, image: Image) -> None:
        away = [abs(float((one.origin - self.at) @ self.normal)) for one in self.images]
        assert abs(float((image.origin - self.at) @ self.normal)) <= min(away) + TIE_MM

    def is_here(self, point: Any) -> None:
        """A point in LPS mm is the centre of the bleed, in a slice that is next to it."""
        off = np.asarray(point, float) - self.at
        through = float(off @ self.normal)
        assert abs(through) <= APART_MM / 2 + TIE_MM
        assert np.linalg.norm(off - through * self.normal) < IN_PLANE_MM


def _images(folder: Path) -> list[Image]:
    found = []
    for path in folder.iterdir():
        one = pydicom.dcmread(path)
        hu = one.pixel_array.astype(float) - 1024
        if "NumberOfFrames" not in one:
            cosines = np.array(one.ImageOrientationPatient, float).reshape(2, 3)
            found.append(Image(one.SOPInstanceUID, None, np.array(one.ImagePositionPatient, float), cosines, hu))
            continue
        shared = one.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence[0]
        cosines = np.array(shared.ImageOrientationPatient, float).reshape(2, 3)
        for number, group in enumerate(one.PerFrameFunctionalGroupsSequence, 1):
            origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
            found.append(Image(one.SOPInstanceUID, number, origin, cosines, hu[number - 1]))
    return found


def centre_of(values: Any) -> tuple[float, float]:
    """Row and column of the middle of what is at least half as strong as the strongest."""
    weights = np.asarray(values, float)
    weights = np.where(weights >= weights.max() / 2, weights, 0)
    row, column = np.indices(weights.shape)
    return float((row * weights).sum() / weights.sum()), float((column * weights).sum() / weights.sum())


def in_source(image: Image, shown: tuple[str, str], row: float, column: float) -> Float64:
    """A pixel of a picture in LPS mm; `shown` = where the picture says that its rows and columns run to."""
    across, down = (np.array(DIRECTIONS[letters[0]]) for letters in shown)
    column = column if across @ image.cosines[0] > 0 else COLUMNS - 1 - column
    row = row if down @ image.cosines[1] > 0 else ROWS - 1 - row
    return image.at(row, column)
