from pathlib import Path

import cv2
import numpy as np
import pytest

from ichscan.datasets.ctich import bone_window_shift, hu_from_windows, read_ctich
from ichscan.errors import DataError

HEADER = (
    "PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,Subdural,"
    "No_Hemorrhage,Fracture_Yes_No"
)


def window(hu: np.ndarray, center: float, width: float) -> np.ndarray:
    return np.rint(np.clip((hu - center + width / 2) / width, 0, 1) * 255).astype(np.uint8)


def collection(root: Path, rows: list[str], slices: tuple[int, ...] = (1, 2)) -> Path:
    (root / "hemorrhage_diagnosis.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    for name in ("brain", "bone"):
        folder = root / "Patients_CT" / "049" / name
        folder.mkdir(parents=True)
        for n in slices:
            cv2.imwrite(str(folder / f"{n}.jpg"), np.full((20, 20), 100, np.uint8))
    return root


def test_hu_survives_the_two_windows() -> None:
    hu = np.arange(-899, 2299).reshape(1, -1)
    back = hu_from_windows(window(hu, 40, 120), window(hu, 700, 3200))
    error = np.abs(back - hu)
    inside = (hu > -17) & (hu < 97)
    assert error[inside].max() <= 1
    assert error.max() <= 8


def test_bone_with_ringing_in_the_brain_window_stays_bone() -> None:
    brain, bone = np.array([[240]], np.uint8), window(np.array([[900]]), 700, 3200)
    assert hu_from_windows(brain, bone)[0, 0] > 850


def test_a_bone_window_that_is_off_is_found_and_corrected() -> None:
    hu = np.random.default_rng(0).integers(0, 80, (40, 40))
    hu[:10] = 900
    brain, bone = window(hu, 40, 120), window(hu, 793, 3200)
    shift = bone_window_shift(brain, bone)
    assert shift == pytest.approx(-93, abs=8)
    assert np.abs(hu_from_windows(brain, bone, shift) - hu).max() <= 15
    assert bone_window_shift(brain, window(hu, 700, 3200)) == 0.0


def test_reads_labels_in_our_order(tmp_path: Path) -> None:
    (scan,) = read_ctich(collection(tmp_path, ["49,1,1,0,0,0,0,0,0", "49,2,0,0,1,0,1,0,1"]))
    assert scan.labels.tolist() == [[0, 0, 1, 0, 0, 1], [0, 0, 0, 1, 1, 1]]
    assert scan.positions_mm.tolist() == [5.0, 10.0]


def test_listed_slices_without_image_are_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (scan,) = read_ctich(collection(tmp_path, [f"49,{n},0,0,0,0,0,1,0" for n in (1, 2, 3)]))
    assert scan.slice_numbers == (1, 2)
    assert "[3]" in caplog.text


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["49,1,1,0,0,0,0,1,0", "49,2,0,0,0,0,0,1,0"], "contradict"),
        (["49,1,0,0,0,0,0,1,0", "49,1,0,0,0,0,0,1,0"], "twice"),
        (["49,1,0,0,0,0,0,1,0"], "no label row"),
        (["50,1,0,0,0,0,0,1,0"], "no row"),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(read_ctich(collection(tmp_path, rows)))


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    root = collection(tmp_path, [f"49,{n},0,0,0,0,0,1,0" for n in (1, 2)])
    (root / "Patients_CT" / "049" / "bone" / "2.jpg").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"2\.jpg"):
        list(read_ctich(root))


def test_a_folder_without_patients_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hemorrhage_diagnosis.csv").write_text(HEADER + "\n")
    with pytest.raises(DataError, match="no patient folder"):
        list(read_ctich(tmp_path))


def test_the_real_collection(data_dir: Path) -> None:
    root = data_dir / "ct-ich-1.0.0"
    first = next(iter(read_ctich(root)))
    assert first.patient == "049"
    assert first.hu.shape == (32, 650, 650)
    brain = first.hu[15, 250:350, 250:350]
    assert 15 < np.median(brain) < 45
