"""The heat map as colour pictures that every viewer shows: Secondary Capture images (PS3.3 A.8.1), RGB."""

import copy
from collections.abc import Iterator
from typing import Final

import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset

from ichscan.explain.draw import UInt8
from ichscan.explain.heat import Bool, heat
from ichscan.explain.overlay import LETTERS, NOTICE, Legend, edge_letters, shown_axes, slice_picture, with_legend
from ichscan.labels import ANY, LABELS
from ichscan.report.contact_sheet import tiles_shown
from ichscan.report.dicom import codes
from ichscan.report.dicom.assemble import completed, identifiers, source_references
from ichscan.report.dicom.identity import result_uid
from ichscan.report.dicom.source import SourceSeries
from ichscan.report.findings import Findings
from ichscan.types import Float64, Prediction, Volume

DIFFERENT: Final = ("SOPInstanceUID", "InstanceNumber", "PixelData")
"""Attributes of the template that no other picture has."""


def secondary_capture(
    findings: Findings,
    source: SourceSeries,
    volume: Volume,
    prediction: Prediction,
    inside: Bool | None = None,
    label: int = ANY,
) -> Iterator[Dataset]:
    """A picture per slice, one at a time: brain window, heat, legend, and what it is not.

    Of very many slices the most suspicious of each few neighbours, as on the contact sheet: a thin series would fill
    the archive with a megabyte per slice.

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
    template: Dataset | None = None
    for i in tiles_shown(prediction)[0]:
        place = f"slice {i + 1} of {len(volume.hu)}"
        legend = Legend(LABELS[label], float(prediction.slices[i, label]), threshold, place, edge_letters(volume))
        picture = with_legend(slice_picture(volume, i, hot.on(i)), legend)[..., ::-1]
        if template is None:
            template = _template(findings, source, volume, np.ascontiguousarray(picture), LABELS[label])
        yield _image(template, findings, source, i, picture.tobytes())


def _template(findings: Findings, source: SourceSeries, volume: Volume, picture: UInt8, name: str) -> Dataset:
    """The first picture, uint8 (rows, cols, 3) RGB: what its series shares."""
    result = hd.sc.SCImage(
        pixel_array=picture,
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=source.study_uid,
        patient_orientation=("L", "P"),
        pixel_spacing=volume.spacing_mm,
        **identifiers(findings, source, "sc", f"AI heat map: {name} hemorrhage"),
    )
    result.PatientOrientation = _shown_orientation(volume)
    result.ConversionType = "WSD"
    result.BodyPartExamined = "HEAD"
    result.BurnedInAnnotation = "NO"  # the legend names no patient
    result.ImageComments = NOTICE
    result.DerivationDescription = "Brain window with the heat of an AI model"
    result.LossyImageCompression = "01" if source.lossy else "00"
    return completed(result, source)


def _image(template: Dataset, findings: Findings, source: SourceSeries, index: int, pixels: bytes) -> Dataset:
    """One picture; building each from nothing takes highdicom three times as long as drawing it."""
    result = Dataset()
    # Elements are shared between the pictures, so those that differ must be new ones.
    result.update({element.tag: element for element in template if element.keyword not in DIFFERENT})
    result.preamble = bytes(128)
    result.file_meta = copy.deepcopy(template.file_meta)
    uid = result_uid(findings, "sc", index + 1)
    result.file_meta.MediaStorageSOPInstanceUID = uid
    result.SOPInstanceUID, result.InstanceNumber = uid, index + 1
    purpose = hd.sr.CodedConcept.from_code(codes.SOURCE_IMAGE)
    result.SourceImageSequence = source_references([source.images[index]], purpose)
    result.PixelData = pixels if len(pixels) % 2 == 0 else pixels + b"\0"
    return result


def _shown_orientation(volume: Volume) -> list[str]:
    """Patient Orientation (0020,0020) of the picture's rows and columns, after its axes were turned for display.

    Empty when not recorded.
    """
    axes = shown_axes(volume)
    return [] if axes is None else [_letters(axis) for axis in axes]


def _letters(direction: Float64) -> str:
    """Letters of a direction in LPS, the main one first; parts of less than 5 % (3 degrees) are left out."""
    order = np.argsort(-np.abs(direction), kind="stable")
    return "".join(LETTERS[axis][int(direction[axis] > 0)] for axis in order if abs(direction[axis]) > 0.05)
