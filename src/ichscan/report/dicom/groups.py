"""One measurement group (TID 1501) per label: presence, probability, side, slices, place."""

import numpy as np
from highdicom.sr import (
    AlgorithmIdentification,
    CoordinatesForMeasurement,
    CoordinatesForMeasurement3D,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurement,
    SourceImageForMeasurementGroup,
    SourceImageForRegion,
    TrackingIdentifier,
)

from ichscan.report.dicom import codes
from ichscan.report.dicom.attributes import fitting
from ichscan.report.dicom.identity import result_uid
from ichscan.report.dicom.source import ImageReference, SourceSeries
from ichscan.report.findings import Finding, Findings


def finding_group(
    finding: Finding, findings: Findings, source: SourceSeries, *, in_space: bool
) -> MeasurementsAndQualitativeEvaluations:
    """The group of one label.

    Args:
        finding: of the label.
        findings: that it is part of.
        source: of the same series.
        in_space: give the place in the patient's frame (SCOORD3D, LPS mm) where the source records that frame;
            otherwise as a point of the source image (SCOORD).
    """
    shown = finding.slices or (finding.strongest,)
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(
            uid=result_uid(findings, "tracking", finding.label), identifier=f"ichscan {finding.label}"
        ),
        finding_type=codes.FINDINGS[finding.label],
        algorithm_id=_algorithm(findings),
        finding_sites=[FindingSite(codes.SITES[finding.label], laterality=codes.SIDES.get(finding.side))],
        measurements=_measurements(finding, source, in_space),
        qualitative_evaluations=[QualitativeEvaluation(codes.PRESENCE, codes.STATES[finding.state])],
        source_images=[
            SourceImageForMeasurementGroup(image.sop_class_uid, image.sop_instance_uid, _frames(image))
            for image in (source.images[i] for i in shown)
        ],
    )


def _algorithm(findings: Findings) -> AlgorithmIdentification:
    """TID 4019."""
    model = findings.model
    if model is None:
        raise ValueError("_algorithm: expected the findings of an analysed series, found no model")
    return AlgorithmIdentification(
        name=fitting(model.name, None) or "unnamed",
        version=fitting(model.version, None) or "unnumbered",
        parameters=[f"sha256={model.sha256}"],
        family=codes.ARTIFICIAL_INTELLIGENCE,
        manufacturer="ichscan developers",
    )


def _measurements(finding: Finding, source: SourceSeries, in_space: bool) -> list[Measurement]:
    strongest = source.images[finding.strongest]
    image = SourceImageForMeasurement(strongest.sop_class_uid, strongest.sop_instance_uid, _frames(strongest))
    probability = Measurement(
        codes.PROBABILITY,
        round(finding.probability, 6),
        codes.NO_UNITS,
        referenced_images=[image],
        referenced_coordinates=_place(finding, source, in_space),
    )
    return [
        probability,
        Measurement(codes.THRESHOLD, round(finding.threshold, 6), codes.NO_UNITS),
        Measurement(codes.SLICES, len(finding.slices), codes.SLICES_UNIT),
    ]


def _place(
    finding: Finding, source: SourceSeries, in_space: bool
) -> list[CoordinatesForMeasurement | CoordinatesForMeasurement3D] | None:
    place = finding.place
    if place is None:
        return None
    if in_space and place.lps_mm is not None and source.frame_of_reference:
        at = np.array([place.lps_mm], np.float64)
        return [CoordinatesForMeasurement3D("POINT", at, source.frame_of_reference)]
    image = source.images[place.slice_index]
    # SCOORD counts (column, row) from the corner of the image, not from the centre of its first pixel: C.18.6.1.1.
    at = np.array([[place.column + 0.5, place.row + 0.5]], np.float64)
    region = SourceImageForRegion(image.sop_class_uid, image.sop_instance_uid, _frames(image))
    return [CoordinatesForMeasurement("POINT", at, region)]


def _frames(image: ImageReference) -> list[int] | None:
    return None if image.frame is None else [image.frame]
