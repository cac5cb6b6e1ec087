"""Volume + bundle -> probabilities: the same however slices are chunked, interleaved as the spec says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests import dicom_builders as build
from tests.fake_bundle import write_fake_bundle

from ichscan.errors import NotAnalysableError
from ichscan.model.bundle import Bundle, load_bundle
from ichscan.model.calibrate import probabilities
from ichscan.model.predict import predict, run_scan, sequence_stride
from ichscan.model.preprocess import model_input
from ichscan.model.spec import Calibration
from ichscan.types import Volume


@pytest.fixture(scope="module")
def bundle(fake_bundle: Path) -> Bundle:
    return load_bundle(fake_bundle)


def volume(count: int = 9, distance: float = 5.0) -> Volume:
    hu = np.stack([build.head_hu(i) for i in range(count)])
    return Volume(
        hu=hu,
        positions_mm=np.arange(count) * distance,
        spacing_mm=(0.5, 0.5),
        orientation=None,
        origins=None,
        sop_instance_uids=tuple(f"1.{i}" for i in range(count)),
        files=tuple(f"{i}.dcm" for i in range(count)),
        study_instance_uid="1",
        series_instance_uid="2",
    )


def test_equals_one_run_over_all_slices(bundle: Bundle) -> None:
    scan = volume()
    found = predict(scan, bundle, class_maps=True)
    inputs, boxes = model_input(scan.hu, scan.positions_mm, bundle.spec.input, 0.5)
    maps, evidence = bundle.slice_network.run(["class_maps", "evidence"], slices=inputs)
    np.testing.assert_allclose(found.slices, 1 / (1 + np.exp(-evidence)), atol=1e-6)
    np.testing.assert_allclose(found.scan, found.slices.max(axis=0), atol=1e-6)
    np.testing.assert_array_equal(found.boxes, boxes)
    assert found.class_maps is not None
    np.testing.assert_allclose(found.class_maps, maps, atol=1e-6)
    assert found.slices.dtype == found.scan.dtype == np.float32


def test_is_repeatable_and_reports_progress(bundle: Bundle) -> None:
    done: list[int] = []
    first, second = predict(volume(), bundle, progress=done.append), predict(volume(), bundle)
    np.testing.assert_array_equal(first.slices, second.slices)
    assert first.class_maps is None
    assert done == [2, 4, 6, 8, 9]
    assert set(first.timing_s) == {"preprocess", "infer"}


@pytest.mark.parametrize(
    ("distance", "sequence", "stride"), [(5, 0, 1), (5, 5, 1), (1, 5, 5), (0.625, 5, 8), (7, 5, 1), (0.1, 5, 9)]
)
def test_stride(distance: float, sequence: float, stride: int) -> None:
    assert sequence_stride(np.arange(9) * distance, sequence) == stride
    assert sequence_stride(np.zeros(1), sequence) == 1


def test_interleaved_sequences_cover_every_slice_once(bundle: Bundle) -> None:
    evidence = np.random.default_rng(0).normal(size=(11, 6)).astype(np.float32)
    slices, scan = run_scan(evidence, bundle.scan_network, 3)
    np.testing.assert_array_equal(slices, evidence)
    np.testing.assert_allclose(scan, np.mean([evidence[i::3].max(axis=0) for i in range(3)], axis=0), rtol=1e-6)


def test_thin_slices_are_reported(tmp_path: Path) -> None:
    thin = load_bundle(write_fake_bundle(tmp_path, sequence_mm=5.0, slab_mm=5.0))
    warnings = predict(volume(20, 1.0), thin).warnings
    assert any("averaged" in w for w in warnings)
    assert any("5 interleaved sequences" in w for w in warnings)


def test_values_that_are_no_numbers_are_an_error(bundle: Bundle) -> None:
    class Broken:
        @staticmethod
        def run(outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            count = len(next(iter(inputs.values())))
            return [np.full((count, 6), np.nan, np.float32), np.full(6, np.nan, np.float32)]

    broken = replace(bundle, scan_network=replace(bundle.scan_network, session=Broken()))
    with pytest.raises(NotAnalysableError, match="not numbers"):
        predict(volume(), broken)


def test_calibration_is_a_sigmoid_that_does_not_overflow() -> None:
    logits = np.array([[-1e4, -1, 0, 1, 2, 1e4]], np.float32)
    scaled = probabilities(logits, Calibration((2.0,) * 6, (1.0,) * 6))
    expected = [0, 1 / (1 + np.e), 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-3)), 1 / (1 + np.exp(-5)), 1]
    np.testing.assert_allclose(scaled[0], expected, atol=1e-7)
