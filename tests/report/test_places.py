"""A bleed at a known place comes back at that place through every export, however the patient lay and was scanned."""

import base64
import json
import re
import tempfile
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

pytest.importorskip("highdicom", reason="the extra `report` is not installed")
import highdicom as hd
import pydicom
from pydicom.dataset import Dataset
from tests.dicom_builders import STUDY
from tests.report.patient import (
    COLUMNS,
    POSITIONS,
    RADIUS_MM,
    ROWS,
    SLICES,
    Acquisition,
    Float64,
    files,
    one_file,
    pixel_at,
)
from tests.report.truth import Truth, centre_of, in_source

from ichscan.explain.overlay import LEGEND
from ichscan.labels import ANY
from ichscan.pipeline import examine
from ichscan.report.dicom import read_source, structured_report
from ichscan.report.dicom.codes import FINDINGS
from ichscan.report.exports import KINDS
from ichscan.report.files import SeriesWriter
from ichscan.report.stored import from_result
from ichscan.report.viewer_pixels import HEAT_SIDE, LOWEST
from ichscan.types import Report

SIDE_CODES = {"left": "7771000", "right": "24028007"}

positions = st.sampled_from(sorted(POSITIONS))
acquisitions = st.builds(
    Acquisition,
    position=positions,
    tilt=st.floats(-25, 25),
    turned=st.floats(-12, 12),
    gantry=st.booleans(),
    flips=st.tuples(st.booleans(), st.booleans()),
    from_top=st.booleans(),
    frame_of_reference=st.booleans(),
    centre=st.tuples(st.floats(-40, 40), st.floats(-40, 40), st.floats(-300, 300)),
    lesion=st.tuples(st.sampled_from([-1.0, 1.0]), st.floats(25, 40), st.floats(-35, 35), st.floats(-15, 15)).map(
        lambda at: (at[0] * at[1], at[2], at[3])
    ),
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.fake_bundle import write_blood_bundle

    return write_blood_bundle(tmp_path_factory.mktemp("bundle") / "blood")


@pytest.mark.slow
@settings(max_examples=20, deadline=None, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # no shrinking: slow
@given(how=acquisitions, frames=st.booleans())
def test_every_export_shows_the_bleed_where_it_is(bundle: Path, how: Acquisition, frames: bool) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        source, out = Path(scratch) / "in", Path(scratch) / "out"
        source.mkdir()
        for number, data in enumerate([one_file(how)] if frames else files(how)):
            (source / f"{number}.dcm").write_bytes(data)
        truth = Truth(how, source)
        ((report, volume),) = examine([source], bundle, class_maps=True, fine_maps=True)
        assert report.prediction is not None
        assert volume is not None
        written = SeriesWriter(out, KINDS).write(report, volume)
        assert not written.problems
        stem = out / volume.series_instance_uid
        _class_map(report, truth)
        _result(written.result, truth)
        _text(Path(f"{stem}.txt").read_text(), truth)
        _fhir(json.loads(Path(f"{stem}.fhir.json").read_text()), truth)
        _page(Path(f"{stem}.html").read_text(), truth)
        objects = [pydicom.dcmread(path) for path in sorted(Path(f"{stem}-dicom").iterdir())]
        captures, key_objects, maps, reports = (
            [one for one in objects if one.SOPClassUID == f"1.2.840.10008.5.1.4.1.1.{last}"]
            for last in ("7", "88.59", "30", "88.34")
        )
        _structured_report(hd.sr.Comprehensive3DSR.from_dataset(reports[0]), truth, in_space=how.frame_of_reference)
        enhanced = structured_report(from_result(written.result), read_source(volume.files, volume), enhanced=True)
        _structured_report(hd.sr.EnhancedSR.from_dataset(enhanced), truth, in_space=False)
        _key_objects(key_objects[0], truth)
        _parametric_map(maps[0], truth)
        _captures(captures, truth)
        _pictures(out, captures)


def _class_map(report: Report, truth: Truth) -> None:
    """The prediction's own map, on the slice that its position tells."""
    prediction = report.prediction
    assert prediction is not None
    assert prediction.class_maps is not None
    maps = np.maximum(prediction.class_maps[:, ANY], 0)
    index = int(maps.max(axis=(1, 2)).argmax())
    image = truth.at_position(report.positions_mm[index])
    truth.is_nearest(image)
    row, column = centre_of(maps[index])
    top, left, side = (int(v) for v in prediction.boxes[index])
    cell = side / maps.shape[-1]
    truth.is_here(image.at(top + (row + 0.5) * cell - 0.5, left + (column + 0.5) * cell - 0.5))


def _result(result: dict[str, Any], truth: Truth) -> None:
    found = result["findings"]["labels"]["any"]
    place = found["place"]
    assert found["side"] == truth.side
    truth.is_here(place["lps_mm"])
    one = result["slices"][place["slice_index"]]
    image = truth.at_position(one["position_mm"])
    assert one["sop_instance_uid"] == image.uid
    truth.is_nearest(image)
    truth.is_here(image.at(place["row"], place["column"]))


def _text(text: str, truth: Truth) -> None:
    line = next(line for line in text.splitlines() if line.startswith("Intracranial hemorrhage of any type: "))
    found = re.search(r"suspected, (\w+)\. .* at x (\S+), y (\S+), z (\S+) mm \(LPS\)", line)
    assert found is not None
    assert found[1] == truth.side
    truth.is_here([float(v) for v in found.groups()[1:]])


def _fhir(bundle: dict[str, Any], truth: Truth) -> None:
    resources = [entry["resource"] for entry in bundle["entry"]]
    observation = [one for one in resources if one["resourceType"] == "Observation"][ANY]
    told = {one["code"]["text"]: one for one in observation["component"]}
    assert told["Laterality"]["valueCodeableConcept"]["coding"][0]["code"] == SIDE_CODES[truth.side]
    truth.is_here([float(v) for v in told["Strongest evidence, mm, LPS"]["valueString"].split(",")])
    uid = told["SOP Instance UID of the slice with the highest probability"]["valueString"]
    assert uid in {one.uid for one in truth.images}
    if truth.images[0].frame is None:
        truth.is_nearest(truth.image(uid))


def _page(html: str, truth: Truth) -> None:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert found is not None
    data = json.loads(found[1])
    edges = dict(re.findall(r'class="edge at-(\w+)">(\w)<', html))
    assert {edges["left"], edges["right"]} in ({"R", "L"}, {"A", "P"})
    shown = (edges["right"], edges["bottom"])
    place = data["places"]["any"]
    one = data["slices"][place["number"] - 1]
    assert one["number"] == place["number"]
    image = truth.at_position(one["position"])
    truth.is_nearest(image)
    truth.is_here(in_source(image, shown, place["down"] * ROWS - 0.5, place["across"] * COLUMNS - 0.5))
    heat = np.frombuffer(_inflated(data["heat"]["any"][str(place["number"])]), np.uint8)
    row, column = centre_of(heat.reshape(HEAT_SIDE, HEAT_SIDE))
    down, across = (row + 0.5) / HEAT_SIDE, (column + 0.5) / HEAT_SIDE
    truth.is_here(in_source(image, shown, down * ROWS - 0.5, across * COLUMNS - 0.5))
    picture = _hounsfield(_inflated(one["pixels"]))
    truth.is_here(in_source(image, shown, *centre_of((picture > 50) & (picture < 100))))


def _inflated(text: str) -> bytes:
    return zlib.decompress(base64.b64decode(text))


def _hounsfield(packed: bytes) -> Float64:
    raw = np.frombuffer(packed, np.uint8).astype(np.int32)
    folded = (raw[: raw.size // 2] | (raw[raw.size // 2 :] << 8)).reshape(ROWS, COLUMNS)
    return np.asarray(LOWEST + ((folded >> 1) ^ -(folded & 1)).cumsum(axis=1), float)


def _structured_report(report: Any, truth: Truth, *, in_space: bool) -> None:
    (group,) = (
        one
        for one in report.content.get_image_measurement_groups()
        if one.finding_type.meaning == FINDINGS["any"].meaning
    )
    assert group.finding_sites[0].laterality.value == SIDE_CODES[truth.side]
    probability = group.get_measurements()[0]
    (image,) = probability.referenced_images
    truth.is_nearest(truth.referenced(image.ReferencedSOPSequence[0]))
    (point,) = probability.referenced_coordinates
    assert point.ValueType == ("SCOORD3D" if in_space else "SCOORD")
    if in_space:
        assert point.ReferencedFrameOfReferenceUID == f"{STUDY}.9"
        truth.is_here(point.GraphicData)
    else:  # counted from the corner of the first pixel (PS3.3 C.18.6.1.1)
        of = truth.referenced(point.ContentSequence[0].ReferencedSOPSequence[0])
        column, row = point.GraphicData
        truth.is_nearest(of)
        truth.is_here(of.at(row - 0.5, column - 0.5))


def _key_objects(dataset: Dataset, truth: Truth) -> None:
    shown = [
        truth.referenced(item.ReferencedSOPSequence[0]) for item in dataset.ContentSequence if item.ValueType == "IMAGE"
    ]
    away = [abs(float((one.origin - truth.at) @ truth.normal)) for one in shown]
    truth.is_nearest(shown[int(np.argmin(away))])
    assert max(away) < RADIUS_MM  # slices without blood are not among them


def _parametric_map(dataset: Dataset, truth: Truth) -> None:
    shared = dataset.SharedFunctionalGroupsSequence[0]
    cosines = np.array(shared.PlaneOrientationSequence[0].ImageOrientationPatient, float).reshape(2, 3)
    row_mm, column_mm = (float(v) for v in shared.PixelMeasuresSequence[0].PixelSpacing)
    values = dataset.pixel_array
    index = int(values.max(axis=(1, 2)).argmax())
    group = dataset.PerFrameFunctionalGroupsSequence[index]
    origin = np.array(group.PlanePositionSequence[0].ImagePositionPatient, float)
    truth.is_here(pixel_at(origin, cosines, (row_mm, column_mm), *centre_of(values[index])))
    truth.is_nearest(truth.referenced(group.DerivationImageSequence[0].SourceImageSequence[0]))


def _captures(datasets: list[Dataset], truth: Truth) -> None:
    """The most coloured picture: its source, and where its colour is."""
    assert len(datasets) == SLICES
    heat = {one.SOPInstanceUID: _redness(one.pixel_array) for one in datasets}
    one = max(datasets, key=lambda one: heat[one.SOPInstanceUID].max())
    image = truth.referenced(one.SourceImageSequence[0])
    truth.is_nearest(image)
    across, down = one.PatientOrientation
    truth.is_here(in_source(image, (across, down), *centre_of(heat[one.SOPInstanceUID])))


def _redness(picture: Any) -> Float64:
    """How much heat is laid over a picture, RGB, without what stands below it."""
    left = (picture.shape[1] - COLUMNS) // 2
    part = picture[: picture.shape[0] - LEGEND, left : left + COLUMNS].astype(float)
    assert part.shape[:2] == (ROWS, COLUMNS)
    return np.asarray(part[..., 0] - part[..., 2])


def _pictures(folder: Path, captures: list[Dataset]) -> None:
    """The PNG pictures are the captures of positive slices."""
    paths = sorted(folder.glob("*-slice-*.png"))
    assert paths
    for path in paths:
        picture = cv2.imread(str(path))
        assert picture is not None
        number = int(path.stem.rpartition("-")[2])
        (capture,) = (one for one in captures if one.InstanceNumber == number)
        np.testing.assert_array_equal(picture[..., ::-1], capture.pixel_array)
