"""Bleeds simulated in a real head come back where they were put, through the shipped model, however the head lies."""

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from tests.samples import report

from ichscan.dicom import load_volume, open_series
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.model.predict import predict
from ichscan.report.find import find
from ichscan.report.findings import PRESENT, Finding
from ichscan.report.place import lps_mm
from ichscan.simulate import apply, draw, prepare
from ichscan.types import Volume

NEAR_MM = 6.0


@pytest.fixture(scope="module")
def head() -> Volume:
    (series,) = open_series([Path(str(files("ichscan") / "demo_data"))]).series
    return load_volume(series)


@pytest.fixture(scope="module")
def shipped() -> Bundle:
    return load_bundle(threads=1)


def bleeding(head: Volume, kind: str, seed: int) -> tuple[Volume, np.ndarray]:
    """The head with a bleed, and where its pixels lie, float64 (points, 3) LPS mm."""
    if head.spacing_mm is None:
        raise ValueError("the demonstration head has a pixel spacing")
    prepared = prepare(head.hu, head.spacing_mm, head.positions_mm)
    scan = replace(head, hu=apply(prepared, draw(prepared, kind, np.random.default_rng(seed))).hu)
    changed = np.argwhere(scan.hu.astype(int) - head.hu > 8)
    points = [lps_mm(scan, int(i), changed[changed[:, 0] == i, 1:].astype(float)) for i in np.unique(changed[:, 0])]
    return scan, np.concatenate([p for p in points if p is not None])


def as_acquired(scan: Volume) -> Volume:
    return scan


def turned_by_180(scan: Volume) -> Volume:
    """The same head in the same place, images saved upside down: rows and columns run the other way."""
    if scan.orientation is None or scan.spacing_mm is None or scan.origins is None:
        raise ValueError("the demonstration head has its geometry")
    rows, columns = scan.hu.shape[1:]
    along_row, along_column = np.array(scan.orientation[:3]), np.array(scan.orientation[3:])
    shift = (columns - 1) * scan.spacing_mm[1] * along_row + (rows - 1) * scan.spacing_mm[0] * along_column
    a, b, c, d, e, f = (-v for v in scan.orientation)
    return replace(
        scan, hu=np.ascontiguousarray(scan.hu[:, ::-1, ::-1]), orientation=(a, b, c, d, e, f),
        origins=scan.origins + shift,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "seed", "side"),
    [("epidural", 4, "right"), ("intraparenchymal", 4, "left"), ("intraventricular", 6, "both")],
)
def test_a_bleed_comes_back_where_it_was_put(head: Volume, shipped: Bundle, kind: str, seed: int, side: str) -> None:
    scan, points = bleeding(head, kind, seed)
    found = located(scan, shipped)
    assert found.state == PRESENT
    assert found.side == side
    assert distance(found, points) < NEAR_MM


def test_images_saved_upside_down_change_nothing(head: Volume, shipped: Bundle) -> None:
    scan, points = bleeding(head, "epidural", 4)
    ways: tuple[Callable[[Volume], Volume], ...] = (as_acquired, turned_by_180)
    usual, turned = (located(way(scan), shipped) for way in ways)
    assert usual.side == turned.side == "right"
    assert distance(turned, points) < NEAR_MM


def located(scan: Volume, shipped: Bundle) -> Finding:
    told = replace(report(), prediction=predict(scan, shipped, class_maps=True), slices=len(scan.hu))
    return find(replace(told, positions_mm=tuple(scan.positions_mm)), scan).of("any")


def distance(found: Finding, points: np.ndarray) -> float:
    """From the place of a finding to the nearest of points, mm."""
    if found.place is None or found.place.lps_mm is None:
        raise ValueError("expected a place in mm")
    return float(np.linalg.norm(points - np.array(found.place.lps_mm), axis=1).min())
