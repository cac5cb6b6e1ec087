"""A lesion at a known voxel comes back at that place and side, however the patient lay and the slices were stored."""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ichscan.labels import LABELS
from ichscan.report.find import find
from ichscan.report.findings import PRESENT, Findings
from ichscan.types import ModelIdentity, Prediction, Report, Volume

SIZE, PIXEL, SLICES, APART = 96, 2.4, 12, 6.0
LABEL = LABELS.index("subdural")
CELLS = 48
"""Cells of a lesion map along each side: as fine as `--heatmaps` makes them."""

# What a row and a column of the image run along, LPS. Head first supine, prone (turned by 180 degrees about the long
# axis), decubitus, and each of them mirrored, as scanners and converters write them.
ORIENTATIONS = [
    (1, 0, 0, 0, 1, 0),
    (-1, 0, 0, 0, 1, 0),
    (1, 0, 0, 0, -1, 0),
    (-1, 0, 0, 0, -1, 0),
    (0, 1, 0, -1, 0, 0),
    (0, -1, 0, 1, 0, 0),
    (0, 1, 0, 1, 0, 0),
]


class Scan(NamedTuple):
    """A head drawn in the patient's frame and seen by a scanner."""

    volume: Volume
    report: Report


class Site(NamedTuple):
    """A lesion, mm from the middle of the head: to the left, backwards and upwards (LPS)."""

    left: float
    back: float
    up: float


def rotated(orientation: tuple[int, ...], tilt: float, turned: float) -> NDArray[np.float64]:
    """Rows of float64 (2, 3): orientation cosines after a tilt about x and a turn about z, degrees."""
    a, b = np.deg2rad(tilt), np.deg2rad(turned)
    about_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    about_z = np.array([[np.cos(b), -np.sin(b), 0], [np.sin(b), np.cos(b), 0], [0, 0, 1]])
    return np.asarray(orientation, float).reshape(2, 3) @ (about_x @ about_z).T


def scan(orientation: tuple[int, ...], tilt: float, turned: float, shift: Site, site: Site, sheared: bool) -> Scan:
    """A skull with brain, seen along the axes; blood at `site`, in the maps only.

    Slices run along the normal that points to the head, as in `Volume`, also where the image is mirrored or taken feet
    first. With `sheared`, the tilt is the gantry's: positions move along the patient's axis, not along the normal.
    """
    axes = rotated(orientation, tilt, turned)
    normal = np.cross(axes[0], axes[1])
    normal = normal * np.sign(normal[2])
    middle = np.array(shift)
    step = np.array([0, 0, 1]) * APART / normal[2] if sheared else normal * APART
    half = (SIZE - 1) / 2 * PIXEL
    centres = np.array([middle + step * (i - (SLICES - 1) / 2) for i in range(SLICES)])
    origins = centres - half * axes[0] - half * axes[1]
    hu = np.stack([_drawn(origin, axes, middle) for origin in origins])
    uids = tuple(f"1.2.3.{i}" for i in range(SLICES))
    positions = origins @ normal
    volume = Volume(
        hu, positions, (PIXEL, PIXEL), tuple(axes.ravel().tolist()), origins, uids, uids, "1.2", "1.2.3",
    )  # fmt: skip
    prediction = _prediction(origins, axes, normal, middle + np.array(site))
    report = Report(
        "analysed", None, "1.2", "1.2.3", "CT", SLICES, tuple(positions.tolist()), uids, uids, prediction
    )  # fmt: skip
    return Scan(volume, report)


def _drawn(origin: NDArray[np.float64], axes: NDArray[np.float64], middle: NDArray[np.float64]) -> NDArray[np.int16]:
    row, column = np.mgrid[:SIZE, :SIZE][:, :, :, None] * PIXEL
    x, y, z = np.moveaxis(origin + column * axes[0] + row * axes[1] - middle, -1, 0)
    inner = (x / 68) ** 2 + (y / 86) ** 2 + (z / 90) ** 2
    outer = (x / 76) ** 2 + (y / 94) ** 2 + (z / 98) ** 2
    return np.where(inner < 1, 35, np.where(outer < 1, 900, -1000)).astype(np.int16)


def _prediction(
    origins: NDArray[np.float64], axes: NDArray[np.float64], normal: NDArray[np.float64], lesion: NDArray[np.float64]
) -> Prediction:
    """Lesion maps that know the place only by the axes of each slice: logits of a ball of 9 mm."""
    cell = SIZE / CELLS
    centres = (np.arange(CELLS) + 0.5) * cell - 0.5
    row, column = np.meshgrid(centres, centres, indexing="ij")
    maps = np.full((SLICES, 6, CELLS, CELLS), -9.0, np.float32)
    slices = np.full((SLICES, 6), 0.02, np.float32)
    for i, origin in enumerate(origins):
        points = origin + column[..., None] * PIXEL * axes[0] + row[..., None] * PIXEL * axes[1]
        away = np.linalg.norm(points - lesion, axis=-1)
        maps[i, LABEL] = 6 - 15 * np.clip(away / 9, 0, 1)
        slices[i, LABEL] = 0.02 + 0.9 * np.exp(-((((origin - lesion) @ normal) / 6) ** 2))
    scan_scores = np.array([0.1, 0.1, 0.1, 0.1, 0.95, 0.1], np.float32)
    half = np.full(6, 0.5, np.float32)
    model = ModelIdentity("fake", "0", "0" * 64)
    boxes = np.array([[0, 0, SIZE]] * SLICES, np.int32)
    return Prediction(slices, scan_scores, half, half, model, np.maximum(maps, 0), boxes, lesion_maps=maps)


def found_of(case: Scan) -> Findings:
    return find(case.report, case.volume)


SITES = st.builds(
    Site,
    left=st.sampled_from([-1, 1]).flatmap(lambda sign: st.floats(25, 42).map(lambda mm: sign * mm)),
    back=st.floats(-35, 35),
    up=st.floats(-18, 18),
)
SHIFTS = st.builds(Site, left=st.floats(-40, 40), back=st.floats(-40, 40), up=st.floats(-300, 300))


@settings(max_examples=60, deadline=None)
@given(
    orientation=st.sampled_from(ORIENTATIONS),
    tilt=st.floats(-25, 25),
    turned=st.floats(-12, 12),
    shift=SHIFTS,
    site=SITES,
    sheared=st.booleans(),
)
def test_place_and_side(
    orientation: tuple[int, ...], tilt: float, turned: float, shift: Site, site: Site, sheared: bool
) -> None:
    case = scan(orientation, tilt, turned, shift, site, sheared)
    finding = found_of(case).of("subdural")
    assert finding.state == PRESENT
    assert finding.place is not None
    assert finding.place.lps_mm is not None
    true = np.array(shift) + np.array(site)
    # half a slice distance along the patient's axis (wider where sheared), half a cell in the plane
    assert np.linalg.norm(np.array(finding.place.lps_mm) - true) < APART / np.cos(np.deg2rad(25)) / 2 + 2 * PIXEL
    assert finding.side == ("left" if site.left > 0 else "right")
    distance = np.abs((case.volume.origins - true) @ _normal(case.volume))
    assert finding.strongest == finding.place.slice_index
    assert distance[finding.strongest] < distance.min() + 0.5  # two slices may be as near


def _normal(volume: Volume) -> NDArray[np.float64]:
    assert volume.orientation is not None
    found: NDArray[np.float64] = np.cross(volume.orientation[:3], volume.orientation[3:])
    return found


@pytest.mark.parametrize("flip", ["rows", "columns", "slices"])
def test_turning_the_array_over_changes_pixels_but_no_place(flip: str) -> None:
    case = scan(ORIENTATIONS[0], 10, 0, Site(3, 4, 50), Site(-30, 20, 8), False)
    turned = mirrored(case, flip)
    before, after = found_of(case).of("subdural"), found_of(turned).of("subdural")
    assert before.side == after.side == "right"
    assert before.place is not None
    assert after.place is not None
    np.testing.assert_allclose(after.place.lps_mm, before.place.lps_mm, atol=0.2)
    moved = {"rows": "row", "columns": "column", "slices": "slice_index"}[flip]
    assert getattr(before.place, moved) != getattr(after.place, moved)


def mirrored(case: Scan, flip: str) -> Scan:
    """The same head, its array reversed along one axis and its geometry with it."""
    volume, prediction = case.volume, case.report.prediction
    assert prediction is not None
    assert prediction.lesion_maps is not None
    assert volume.orientation is not None
    assert volume.origins is not None
    axis = ["slices", "rows", "columns"].index(flip)
    row, column = np.array(volume.orientation[:3]), np.array(volume.orientation[3:])
    reach = (SIZE - 1) * PIXEL
    origins = volume.origins
    if flip == "slices":
        origins = origins[::-1].copy()
    elif flip == "rows":
        origins, column = origins + reach * column, -column
    else:
        origins, row = origins + reach * row, -row
    orientation = tuple(np.concatenate([row, column]).tolist())
    map_axis = [0, 2, 3][axis]
    maps = np.flip(prediction.lesion_maps, map_axis).copy()
    slices = np.flip(prediction.slices, 0).copy() if flip == "slices" else prediction.slices
    positions = volume.positions_mm  # reversed slices are no `Volume` that the reader makes; places must hold even so
    turned = Volume(
        np.flip(volume.hu, axis).copy(), positions, volume.spacing_mm, orientation, origins,
        volume.sop_instance_uids, volume.files, "1.2", "1.2.3",
    )  # fmt: skip
    other = Prediction(
        slices, prediction.scan, prediction.slice_thresholds, prediction.scan_thresholds, prediction.model,
        np.maximum(maps, 0), prediction.boxes, lesion_maps=maps,
    )  # fmt: skip
    report = Report(
        "analysed", None, "1.2", "1.2.3", "CT", SLICES, tuple(positions.tolist()),
        volume.sop_instance_uids, volume.files, other,
    )  # fmt: skip
    return Scan(turned, report)
