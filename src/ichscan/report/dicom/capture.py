"""The heat map as colour pictures that every viewer shows: Secondary Capture images (PS3.3 A.8.1), RGB."""

from collections.abc import Iterator
from typing import Final

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset

from ichscan.explain.heat import Bool, heat
from ichscan.explain.overlay import NOTICE, Legend, flipped_axes, slice_picture, with_legend
from ichscan.labels import ANY, LABELS
from ichscan.report.dicom import codes
from ichscan.report.dicom.assemble import completed, identifiers, source_references
from ichscan.report.dicom.source import SourceSeries
from ichscan.report.findings import Findings
from ichscan.types import Prediction, Volume

LETTERS: Final = (("R", "L"), ("A", "P"), ("F", "H"))
"""Directions (negative, positive) of the axes of LPS."""


def secondary_capture(
    findings: Findings,
    source: SourceSeries,
    volume: Volume,
    prediction: Prediction,
    inside: Bool | None = None,
    label: int = ANY,
) -> Iterator[Dataset]:
    """A picture per slice, one at a time: brain window, heat, legend, and what it is not.

    Args:
        findings: the facts.
        source: of the same series.
        volume: the slices.
        prediction: with maps, if heat is to be shown.
        inside: bool (slices, rows, cols), where heat may be, see `ichscan.explain.heat.inside_head`.
        label: index into `ichscan.labels.LABELS`.
    """
    hot = heat(volume, prediction, label, inside)
    threshold = float(prediction.slice_thresholds[label])
    for i in range(len(volume.hu)):
        place = f"slice {i + 1} of {len(volume.hu)}"
        legend = Legend(LABELS[label], float(prediction.slices[i, label]), threshold, place)
        picture = with_legend(slice_picture(volume, i, hot.on(i)), legend)
        yield _image(findings, source, volume, i, np.ascontiguousarray(picture[..., ::-1]), LABELS[label])


def _image(
    findings: Findings, source: SourceSeries, volume: Volume, index: int, picture: np.ndarray, name: str
) -> Dataset:
    """One picture, uint8 (rows, cols, 3) RGB."""
    result = hd.sc.SCImage(
        pixel_array=picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=source.study_uid,
        patient_orientation=("L", "P"),
        pixel_spacing=volume.spacing_mm,
        **identifiers(findings, source, "sc", f"AI heat map: {name}", index + 1),
    )
    result.PatientOrientation = _shown_orientation(volume)
    result.ConversionType = "WSD"
    result.BodyPartExamined = "HEAD"
    result.BurnedInAnnotation = "NO"  # the legend names no patient
    result.ImageComments = NOTICE
    result.DerivationDescription = "Brain window with the heat of an AI model"
    result.LossyImageCompression = "01" if source.lossy else "00"
    purpose = hd.sr.CodedConcept.from_code(codes.SOURCE_IMAGE)
    result.SourceImageSequence = source_references([source.images[index]], purpose)
    return completed(result, source)


def _shown_orientation(volume: Volume) -> list[str]:
    """Patient Orientation (0020,0020) of the picture's rows and columns, after its axes were turned for display.

    Empty when not recorded.
    """
    if volume.orientation is None:
        return []
    flipped = flipped_axes(volume)
    row = np.array(volume.orientation[:3]) * (-1 if 1 in flipped else 1)
    column = np.array(volume.orientation[3:]) * (-1 if 0 in flipped else 1)
    return [_letters(row), _letters(column)]


def _letters(direction: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> str:
    """Letters of a direction in LPS, the main one first; parts of less than 5 % (3 degrees) are left out."""
    order = np.argsort(-np.abs(direction), kind="stable")
    return "".join(LETTERS[axis][int(direction[axis] > 0)] for axis in order if abs(direction[axis]) > 0.05)
