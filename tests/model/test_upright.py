"""However a head lies in its images, the network sees it upright, and its maps come back to the pixels as acquired."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import tests.dicom_builders as build

from ichscan.explain.fine import refine
from ichscan.explain.maps import on_slice
from ichscan.labels import ANY
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.model.predict import predict
from ichscan.types import Prediction, Volume

AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
ARRANGED = list(itertools.product((False, True), (False, True), (False, True)))
"""Columns and rows exchanged, rows reversed, columns reversed: all ways to lay a slice on a page."""


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle()


def upright() -> Volume:
    hu = np.stack([build.head_hu(i) for i in range(5)])[:, :60]
    hu[2, 20:30, 34:40] = 75  # towards the patient's left and front
    names = tuple("abcde")
    return Volume(hu, np.arange(5) * 5.0, (0.5, 0.5), (*AXES[0], *AXES[1]), None, names, names, "1", "2")


def arranged(volume: Volume, exchange: bool, *reverse: bool) -> Volume:
    flips = tuple(axis for axis, turned in enumerate(reverse) if turned)
    row, column = (np.array(AXES[axis]) * (-1 if reverse[axis ^ 1] else 1) for axis in (0, 1))
    hu = np.flip(volume.hu, tuple(axis + 1 for axis in flips))
    if exchange:
        hu, row, column = hu.transpose(0, 2, 1), column, row
    orientation = (*map(float, row), *map(float, column))
    return replace(volume, hu=np.ascontiguousarray(hu), orientation=orientation)


def drawn(prediction: Prediction, volume: Volume) -> np.ndarray:
    assert prediction.lesion_maps is not None
    top, left, side = (int(v) for v in prediction.boxes[2])
    shape = (volume.hu.shape[1], volume.hu.shape[2])
    return on_slice(prediction.lesion_maps[2, ANY], (top, left, side), shape, outside=-9.0)


@pytest.mark.parametrize(("exchange", "rows", "columns"), ARRANGED)
def test_every_arrangement_gives_one_answer(bundle: Bundle, exchange: bool, rows: bool, columns: bool) -> None:
    straight = upright()
    turned = arranged(straight, exchange, rows, columns)
    want, found = (predict(volume, bundle, class_maps=True) for volume in (straight, turned))
    np.testing.assert_array_equal(found.slices, want.slices)
    np.testing.assert_array_equal(found.scan, want.scan)
    every = np.ones(5, bool)
    for refined in (False, True):
        if refined:
            want, found = (refine(p, v, bundle, every) for p, v in ((want, straight), (found, turned)))
        back = drawn(found, turned)
        back = np.flip(back.T if exchange else back, [axis for axis, r in enumerate((rows, columns)) if r])
        np.testing.assert_allclose(back, drawn(want, straight), atol=1e-4)
