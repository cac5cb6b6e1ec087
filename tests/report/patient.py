"""A patient with one bleed at a known place, acquired in any position, as DICOM files."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from tests import dicom_builders as build

Float64 = NDArray[np.float64]

ROWS, COLUMNS, SLICES = 88, 104, 12
ROW_MM, COLUMN_MM, APART_MM = 2.4, 2.2, 6.0
"""Neither square images nor square pixels: what is swapped does not fit."""
RADIUS_MM = 14.0
POSITIONS = {
    "HFS": (1, 0, 0, 0, 1, 0),
    "HFP": (-1, 0, 0, 0, -1, 0),
    "FFS": (-1, 0, 0, 0, 1, 0),
    "FFP": (1, 0, 0, 0, -1, 0),
    "HFDR": (0, -1, 0, 1, 0, 0),
    "HFDL": (0, 1, 0, -1, 0, 0),
    "FFDR": (0, -1, 0, -1, 0, 0),
    "FFDL": (0, 1, 0, 1, 0, 0),
}
"""Patient Position (0018,5100): head or feet first, supine, prone or on a side; and what a row and a column of the
scanner's image then run along, LPS (PS3.3 C.7.3.1.1.2). Feet first, that mirrors the image."""


@dataclass(frozen=True)
class Acquisition:
    """How the patient lay and was scanned.

    Attributes:
        position: of `POSITIONS`.
        tilt, turned: degrees about the patient's x and z axes.
        gantry: the tilt is the gantry's: the table moves along the patient, not along the normal.
        flips: rows, columns: the image was turned over afterwards, and its geometry with it.
        from_top: the first image is the uppermost.
        frame_of_reference: whether it is recorded.
        centre: of the image, LPS mm.
        lesion: centre of the bleed, mm from the centre: to the left, backwards, upwards.
    """

    position: str
    tilt: float
    turned: float
    gantry: bool
    flips: tuple[bool, bool]
    from_top: bool
    frame_of_reference: bool
    centre: tuple[float, float, float]
    lesion: tuple[float, float, float]

    @property
    def at(self) -> Float64:
        """Centre of the bleed, LPS mm."""
        return np.array(self.centre) + np.array(self.lesion)

    def cosines(self) -> Float64:
        """Direction of a row and a column, (2, 3)."""
        a, b = np.deg2rad(self.tilt), np.deg2rad(self.turned)
        about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
        about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
        axes = np.asarray(POSITIONS[self.position], float).reshape(2, 3) @ (about_x @ about_z).T
        # As short as a decimal string (PS3.5 section 6.2) may be.
        return np.round(axes * [[-1 if flip else 1] for flip in self.flips[::-1]], 9)

    def origins(self) -> Float64:
        """Centre of the first pixel of each image, (SLICES, 3), in the order of the images."""
        row, column = self.cosines()
        normal = np.cross(row, column)
        up = normal * np.sign(normal[2])
        step = np.array([0, 0, 1]) * APART_MM / up[2] if self.gantry else up * APART_MM
        corner = (COLUMNS - 1) / 2 * COLUMN_MM * row + (ROWS - 1) / 2 * ROW_MM * column
        along = np.arange(SLICES)[:: -1 if self.from_top else 1] - (SLICES - 1) / 2
        return np.round(np.array(self.centre) + along[:, None] * step - corner, 6)


def pixel_at(origin: Float64, cosines: Float64, spacing: tuple[float, float], row: float, column: float) -> Float64:
    """A pixel in the patient's frame, LPS mm (PS3.3 C.7.6.2.1.1, equation 1)."""
    at: Float64 = origin + column * spacing[1] * cosines[0] + row * spacing[0] * cosines[1]
    return at


def files(how: Acquisition) -> list[bytes]:
    """One file per image."""
    cosines = how.cosines()
    return [
        build.to_bytes(
            build.slice_dataset(
                i,
                _drawn(how, origin, cosines),
                ImagePositionPatient=origin.tolist(),
                ImageOrientationPatient=cosines.ravel().tolist(),
                PixelSpacing=[ROW_MM, COLUMN_MM],
                SliceThickness=APART_MM,
                PatientPosition=how.position,
                FrameOfReferenceUID=f"{build.STUDY}.9" if how.frame_of_reference else None,
            )
        )
        for i, origin in enumerate(how.origins())
    ]


def one_file(how: Acquisition) -> bytes:
    """All images as frames of an Enhanced CT."""
    cosines, origins = how.cosines(), how.origins()
    images = [_drawn(how, origin, cosines) for origin in origins]
    whole = build.slice_dataset(
        0, images[0], SOPClassUID=build.ENHANCED_CT, NumberOfFrames=SLICES, ImagePositionPatient=None,
        ImageOrientationPatient=None, PixelSpacing=None, RescaleSlope=None, RescaleIntercept=None,
        FrameOfReferenceUID=f"{build.STUDY}.9" if how.frame_of_reference else None,
    )  # fmt: skip
    shared = Dataset()
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=cosines.ravel().tolist())
    shared.PixelMeasuresSequence = _item(PixelSpacing=[ROW_MM, COLUMN_MM], SliceThickness=APART_MM)
    shared.PixelValueTransformationSequence = _item(RescaleSlope=1, RescaleIntercept=-1024)
    whole.SharedFunctionalGroupsSequence = Sequence([shared])
    frames = []
    for origin in origins:
        frame = Dataset()
        frame.PlanePositionSequence = _item(ImagePositionPatient=origin.tolist())
        frames.append(frame)
    whole.PerFrameFunctionalGroupsSequence = Sequence(frames)
    whole.PixelData = b"".join((image.astype(np.int32) + 1024).astype("<u2").tobytes() for image in images)
    return build.to_bytes(whole)


def _item(**tags: object) -> Sequence:
    item = Dataset()
    for keyword, value in tags.items():
        setattr(item, keyword, value)
    return Sequence([item])


def _drawn(how: Acquisition, origin: Float64, cosines: Float64) -> NDArray[np.int16]:
    """HU of an image: a skull, brain, and a bleed that is brightest at its centre."""
    row, column = np.mgrid[:ROWS, :COLUMNS][:, :, :, None]
    points = origin + column * COLUMN_MM * cosines[0] + row * ROW_MM * cosines[1]
    x, y, z = np.moveaxis(points - np.array(how.centre), -1, 0)
    inner = (x / 68) ** 2 + (y / 86) ** 2 + (z / 90) ** 2
    outer = (x / 76) ** 2 + (y / 94) ** 2 + (z / 98) ** 2
    hu = np.where(inner < 1, 30, np.where(outer < 1, 900, -1000))
    away = np.linalg.norm(points - how.at, axis=-1) / RADIUS_MM
    return np.where(away < 1, 85 - 40 * away, hu).astype(np.int16)
