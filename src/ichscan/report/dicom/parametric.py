"""The map of where the model sees hemorrhage, as a Parametric Map (PS3.3 A.75): numbers, not colours."""

from typing import Final

import cv2
import highdicom as hd
import numpy as np
from pydicom.dataset import Dataset

from ichscan.explain.heat import Bool, Heat, heat
from ichscan.labels import ANY, LABELS
from ichscan.report.dicom import codes
from ichscan.report.dicom.assemble import completed, evidence, identifiers, source_references
from ichscan.report.dicom.identity import derived_uid, result_uid
from ichscan.report.dicom.source import SourceSeries
from ichscan.report.findings import Findings
from ichscan.types import Float32, Float64, Prediction, Volume

CELLS: Final = (4, 2, 1)
"""Pixels of the source per cell of the map along each side: the largest that divides rows and columns. The network's
cells are coarser than 4 pixels, so nothing is lost."""
FLAT_MM: Final = 1.0
"""Slice thickness when slices are not known to be apart."""


def parametric_map(
    findings: Findings,
    source: SourceSeries,
    volume: Volume,
    prediction: Prediction,
    inside: Bool | None = None,
    label: int = ANY,
) -> Dataset | None:
    """A float map with a frame per slice, at its place in the patient (LPS).

    Values are those that `secondary_capture` colours, `ichscan.explain.heat.heat`: 0 on slices that the model calls
    clear, 1 at the strongest of the scan. The bare maps would light up healthy scans in viewers that choose their own
    window.

    Args:
        findings: the facts.
        source: of the same series.
        volume: the slices.
        prediction: with maps.
        inside: bool (slices, rows, cols), where heat may be, see `ichscan.explain.heat.inside_head`.
        label: index into `ichscan.labels.LABELS`.

    Returns:
        None without maps, or when positions, orientation or spacing are not recorded: a map needs a place.
    """
    if prediction.lesion_maps is None and prediction.class_maps is None:
        return None
    if volume.origins is None or volume.orientation is None or volume.spacing_mm is None:
        return None
    rows, columns = volume.hu.shape[1:]
    cell = next(size for size in CELLS if rows % size == 0 and columns % size == 0)
    values = _on_grid(heat(volume, prediction, label, inside), len(volume.hu), cell)
    origins = _origins(volume.origins, volume.orientation, volume.spacing_mm, cell)
    name = LABELS[label]
    result = hd.pm.ParametricMap(
        source_images=_stand_ins(source, volume),
        pixel_array=values,
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[_mapping(prediction, name)],
        voi_lut_transformations=[hd.VOILUTTransformation(window_center=0.5, window_width=1.0)],
        pixel_measures=hd.PixelMeasuresSequence(
            pixel_spacing=[cell * mm for mm in volume.spacing_mm], slice_thickness=_thickness(volume)
        ),
        plane_orientation=hd.PlaneOrientationSequence("PATIENT", volume.orientation),
        plane_positions=[hd.PlanePositionSequence("PATIENT", origin) for origin in origins],
        content_label=name.upper()[:16],
        content_description="Where the model sees hemorrhage",
        **identifiers(findings, source, "pm", f"AI map: {name} hemorrhage"),
    )
    _settle(result, findings)
    _refer(result, source, origins)
    return completed(result, source)


def _on_grid(hot: Heat, count: int, cell: int) -> Float32:
    """Float32 (slices, rows / cell, cols / cell): means of the heat in the pixels of the source."""
    size = (hot.shape[1] // cell, hot.shape[0] // cell)
    planes = [cv2.resize(hot.on(i), size, interpolation=cv2.INTER_AREA) for i in range(count)]
    return np.clip(np.stack(planes), 0, 1).astype(np.float32)


def _origins(origins: Float64, orientation: tuple[float, ...], spacing: tuple[float, float], cell: int) -> Float64:
    """Centre of the first cell of each frame, LPS mm: (cell - 1) / 2 pixels further than in the source."""
    along_row, along_column = np.array(orientation[:3]), np.array(orientation[3:])
    shift = (cell - 1) / 2 * (spacing[1] * along_row + spacing[0] * along_column)
    moved: Float64 = origins + shift
    return moved


def _thickness(volume: Volume) -> float:
    return float(np.median(np.diff(volume.positions_mm))) if len(volume.positions_mm) > 1 else FLAT_MM


def _mapping(prediction: Prediction, name: str) -> hd.pm.RealWorldValueMapping:
    """Stored values are the values themselves (C.7.6.16.2.11)."""
    quantity = codes.CLASS_ACTIVATION if prediction.lesion_maps is None else codes.SALIENCY
    return hd.pm.RealWorldValueMapping(
        lut_label=name.upper()[:16],
        lut_explanation=f"{name} hemorrhage, 1 = strongest of the scan",
        unit=codes.NO_UNITS,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=quantity,
    )


def _stand_ins(source: SourceSeries, volume: Volume) -> list[Dataset]:
    found = evidence(source, source.images[0])
    found.FrameOfReferenceUID = source.frame_of_reference or derived_uid("frame of reference", source.series_uid)
    found.ImagePositionPatient = [float(v) for v in volume.origins[0]] if volume.origins is not None else None
    found.ImageOrientationPatient = list(volume.orientation or ())
    found.PixelSpacing = list(volume.spacing_mm or ())
    found.SliceThickness = _thickness(volume)
    found.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"  # one plane each, whatever file they come from
    return [found]


def _settle(result: Dataset, findings: Findings) -> None:
    """The identifier of the dimensions (C.7.6.17) is random in highdicom."""
    uid = result_uid(findings, "pm", "dimensions")
    for item in (*result.DimensionOrganizationSequence, *result.DimensionIndexSequence):
        item.DimensionOrganizationUID = uid
    result.BodyPartExamined = "HEAD"


def _refer(result: Dataset, source: SourceSeries, origins: Float64) -> None:
    """Names the source image of each frame (Derivation Image macro, C.7.6.16.2.6) and all of them (C.7.6.1 note)."""
    purpose = hd.sr.CodedConcept.from_code(codes.SOURCE_IMAGE)
    method = hd.sr.CodedConcept.from_code(codes.ARTIFICIAL_INTELLIGENCE)
    for group in result.PerFrameFunctionalGroupsSequence:
        at = np.array(group.PlanePositionSequence[0].ImagePositionPatient, np.float64)
        index = int(np.argmin(np.linalg.norm(origins - at, axis=1)))
        derivation = Dataset()
        derivation.DerivationCodeSequence = [method]
        derivation.SourceImageSequence = source_references([source.images[index]], purpose)
        group.DerivationImageSequence = [derivation]
    series = Dataset()
    series.SeriesInstanceUID = source.series_uid
    series.ReferencedInstanceSequence = []
    for image in {one.sop_instance_uid: one for one in source.images}.values():
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = image.sop_class_uid, image.sop_instance_uid
        series.ReferencedInstanceSequence.append(item)
    result.ReferencedSeriesSequence = [series]
    if "SourceImageSequence" in result:
        del result.SourceImageSequence
    result.LossyImageCompression = "01" if source.lossy else "00"
