"""8-bit pictures in a declared window."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from tests import dicom_builders as build

from ichscan.dicom import load_volume, open_series
from ichscan.errors import NotAnalysableError, PixelError, UsageError

WINDOW = (40.0, 120.0)


def _write(folder: Path, names: list[int], suffix: str = "png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        grey = np.clip((build.head_hu(name).astype(float) + 20) / 120 * 255, 0, 255).round().astype(np.uint8)
        cv2.imwrite(str(folder / f"{name}.{suffix}"), grey)
    return folder


def test_natural_order_and_hu(tmp_path: Path) -> None:
    series = open_series([_write(tmp_path / "brain", [2, 10, 9, 11, 3])], window=WINDOW).chosen[0]
    volume = load_volume(series)
    assert [Path(name).name for name in volume.files] == ["2.png", "3.png", "9.png", "10.png", "11.png"]
    np.testing.assert_array_equal(volume.positions_mm, [0, 5, 35, 40, 45])
    assert volume.gaps == (1,)
    truth = np.clip(np.stack([build.head_hu(i) for i in (2, 3, 9, 10, 11)]), -20, 100)
    assert np.abs(volume.hu.astype(int) - truth).max() <= 1
    assert volume.spacing_mm is None
    assert any("assumed 5 mm apart" in warning for warning in volume.warnings)


def test_without_a_window_pictures_are_not_guessed(tmp_path: Path) -> None:
    intake = open_series([_write(tmp_path, [1, 2, 3])])
    assert intake.series == ()
    assert "--window 40,120" in intake.problems[0]


def test_pictures_beside_dicom_are_only_counted(tmp_path: Path) -> None:
    for index, data in enumerate(build.head_series()):
        (tmp_path / f"{index}.dcm").write_bytes(data)
    intake = open_series([_write(tmp_path, [1])])
    assert (len(intake.chosen), intake.not_dicom, intake.problems) == (1, 1, ())


def test_bone_folder_beside_brain_is_refused(tmp_path: Path) -> None:
    _write(tmp_path / "049" / "bone", [1, 2, 3])
    _write(tmp_path / "049" / "brain", [1, 2, 3])
    reasons = [series.reason for series in open_series([tmp_path], window=WINDOW).series]
    assert reasons[1] is None
    assert "bone" in str(reasons[0])


@pytest.mark.parametrize("window", [(40.0, 0.0), (40.0, -80.0), (float("nan"), 80.0), (40.0, float("inf"))])
def test_absurd_windows_are_usage_errors(window: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="expected a centre and a width"):
        open_series([], window=window)


def test_sizes_must_agree(tmp_path: Path) -> None:
    _write(tmp_path, [1, 2, 3])
    cv2.imwrite(str(tmp_path / "4.png"), np.zeros((80, 80), np.uint8))
    with pytest.raises(NotAnalysableError, match="2 different sizes"):
        load_volume(open_series([tmp_path], window=WINDOW).chosen[0])


@pytest.mark.parametrize(
    ("name", "image", "said"),
    [
        ("4.png", np.full((64, 64), 1000, np.uint16), "expected 8 bits"),
        ("4.png", np.dstack([np.full((64, 64), v, np.uint8) for v in (0, 100, 250)]), "coloured"),
        ("4.png", np.zeros((8, 8), np.uint8), "8 x 8"),
        ("4.png", None, "do not decode"),
    ],
)
def test_broken_pictures(tmp_path: Path, name: str, image: "np.ndarray | None", said: str) -> None:
    _write(tmp_path, [1, 2, 3])
    if image is None:
        (tmp_path / name).write_bytes(b"no picture")
    else:
        cv2.imwrite(str(tmp_path / name), image)
    with pytest.raises(PixelError, match=said):
        load_volume(open_series([tmp_path], window=WINDOW).chosen[0])
