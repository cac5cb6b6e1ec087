"""Multi-frame images to one `Instance` per frame (Enhanced CT: PS3.3 A.38, functional groups C.7.6.16)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from pydicom.dataset import Dataset, FileDataset

from ichscan.dicom.header import (
    PARSE_ERRORS,
    Instance,
    acquisition_time,
    check_geometry,
    image_type,
    number,
    numbers,
    text,
)
from ichscan.dicom.refusal import MAX_FRAMES

GROUPS = {
    "position": "PlanePositionSequence",
    "orientation": "PlaneOrientationSequence",
    "measures": "PixelMeasuresSequence",
    "rescale": "PixelValueTransformationSequence",
    "kind": "CTImageFrameTypeSequence",
    "reconstruction": "CTReconstructionSequence",
    "anatomy": "FrameAnatomySequence",
    "content": "FrameContentSequence",
    "window": "FrameVOILUTSequence",
}


def frames_of(dataset: FileDataset, whole: Instance) -> Iterator[Instance]:
    """One record per frame; facts of a frame override the shared ones, which override those of the image.

    Args:
        dataset: header of the multi-frame image.
        whole: the record of the image as a whole.
    """
    shared = _first(dataset, "SharedFunctionalGroupsSequence")
    per_frame = _items(dataset, "PerFrameFunctionalGroupsSequence")
    # A frame count that cannot be true must not make as many records; the series is refused for it.
    count = whole.pixels.frames if whole.pixels.frames <= MAX_FRAMES else 1
    for index in range(count):
        own = per_frame[index] if index < len(per_frame) else Dataset()
        yield _frame({name: _first(own, tag) or _first(shared, tag) for name, tag in GROUPS.items()}, whole, index)


def _frame(group: dict[str, Dataset], whole: Instance, index: int) -> Instance:
    spacing = numbers(group["measures"], "PixelSpacing", 2)
    geometry = check_geometry(
        numbers(group["position"], "ImagePositionPatient", 3),
        numbers(group["orientation"], "ImageOrientationPatient", 6) or whole.orientation,
        spacing or whole.spacing,
    )
    anatomy = _first(group["anatomy"], "AnatomicRegionSequence")
    slope, intercept = number(group["rescale"], "RescaleSlope"), number(group["rescale"], "RescaleIntercept")
    return replace(
        whole,
        frame=index,
        instance_number=index + 1,
        position=geometry.position,
        orientation=geometry.orientation,
        spacing=geometry.spacing,
        geometry_fault=whole.geometry_fault or geometry.fault,
        slope=whole.slope if slope is None else slope,
        intercept=whole.intercept if intercept is None else intercept,
        tokens=tuple(dict.fromkeys(whole.tokens + _frame_type(group["kind"]))),
        kernel=text(group["reconstruction"], "ConvolutionKernel") or whole.kernel,
        window_width=number(group["window"], "WindowWidth") or whole.window_width,
        thickness_mm=number(group["measures"], "SliceThickness") or whole.thickness_mm,
        body_part=text(anatomy, "CodeMeaning").upper() or whole.body_part,
        acquired=acquisition_time(group["content"]) or text(group["content"], "FrameAcquisitionDateTime"),
    )


def _frame_type(kind: Dataset) -> tuple[str, ...]:
    return image_type(kind, "FrameType")


def _items(dataset: Dataset, keyword: str) -> list[Any]:
    try:
        return list(dataset.get(keyword) or ())
    except (*PARSE_ERRORS, OSError):
        # A group that does not parse is a group that is absent: its facts are then missing and reported as such.
        return []


def _first(dataset: Dataset, keyword: str) -> Dataset:
    items = _items(dataset, keyword)
    return items[0] if items else Dataset()
