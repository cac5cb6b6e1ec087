"""The frozen records that flow through ichscan. Pure data: no I/O, no logic beyond checks.

paths -> Series (chosen, or with the reason why not) -> Volume -> Prediction -> result JSON and pictures
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Int16 = NDArray[np.int16]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Volume:
    """A stack of axial CT slices as acquired: never resampled.

    Attributes:
        hu: int16 (slices, rows, cols), Hounsfield units; slices from inferior to superior along the slice normal.
        positions_mm: float64 (slices,), projection of ImagePositionPatient on the slice normal, ascending.
        spacing_mm: (row spacing, column spacing) = PixelSpacing (0028,0030), or None when not recorded.
        orientation: ImageOrientationPatient (0020,0037), LPS direction cosines of a row and a column, or None.
        origins: float64 (slices, 3), ImagePositionPatient (0020,0032) of each slice in LPS mm, or None.
        sop_instance_uids: one per slice ("" when the source has none).
        files: where each slice came from, for people to find it (a zip member is `archive.zip!/member`).
        tilt_deg: angle between the slice normal and the patient's long axis, degrees (gantry tilt).
        gaps: indices i where the distance from slice i to i+1 exceeds 1.5 times the median.
        warnings: one sentence each; shown to the reader.
    """

    hu: Int16
    positions_mm: Float64
    spacing_mm: tuple[float, float] | None
    orientation: tuple[float, float, float, float, float, float] | None
    origins: Float64 | None
    sop_instance_uids: tuple[str, ...]
    files: tuple[str, ...]
    study_instance_uid: str
    series_instance_uid: str
    tilt_deg: float = 0.0
    gaps: tuple[int, ...] = ()
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = self.hu.shape[0]
        if self.hu.ndim != 3 or self.hu.dtype != np.int16:
            raise ValueError(f"hu: expected int16 (slices, rows, cols), found {self.hu.dtype} {self.hu.shape}")
        if not (len(self.positions_mm) == len(self.sop_instance_uids) == len(self.files) == n):
            raise ValueError(f"per-slice fields differ in length from {n} slices")


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which model made a prediction; `sha256` is over the bundle's weights, in the order of its spec."""

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """Calibrated probabilities of the six labels (order of `ichscan.labels.LABELS`).

    Attributes:
        slices: float32 (slices, 6) in [0, 1].
        scan: float32 (6,) in [0, 1].
        slice_thresholds, scan_thresholds: float32 (6,); positive means probability >= threshold.
        class_maps: float32 (slices, 6, map rows, map cols), class activation before ReLU, or None when not asked for.
        boxes: int32 (slices, 3): top row, left column, side length in pixels of the square that the map covers
            (may reach beyond the image).
        lesion_maps: float32 (slices, 6, map rows, map cols), logit that a cell holds the label, or None when the
            network has no such maps or they were not asked for. Not of the size of `class_maps` where made finer.
        timing_s: seconds by stage (preprocess, infer).
    """

    slices: Float32
    scan: Float32
    slice_thresholds: Float32
    scan_thresholds: Float32
    model: ModelIdentity
    class_maps: Float32 | None
    boxes: NDArray[np.int32]
    warnings: tuple[str, ...] = ()
    timing_s: Mapping[str, float] = field(default_factory=dict)
    lesion_maps: Float32 | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What is told about one series, or about one file that could not be read. Holds no pixels.

    Attributes:
        status: "analysed" or "not_analysable".
        reason: None when analysed, otherwise one sentence saying why not.
        study_instance_uid, series_instance_uid: "" when unknown.
        description: for people; not patient data.
        slices: images in the series (0 for a file that could not be read).
        positions_mm, sop_instance_uids, files: per analysed slice, inferior to superior; see `Volume`. Of a series that
            was not analysed, files are all that belong to it.
        prediction: None when not analysed.
        warnings: of the series, the volume and the prediction, in this order.
        timing_s: seconds by stage (read, preprocess, infer, total). Preprocessing and inference overlap.
    """

    status: str
    reason: str | None
    study_instance_uid: str
    series_instance_uid: str
    description: str
    slices: int
    positions_mm: tuple[float, ...] = ()
    sop_instance_uids: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    prediction: Prediction | None = None
    warnings: tuple[str, ...] = ()
    timing_s: Mapping[str, float] = field(default_factory=dict)
