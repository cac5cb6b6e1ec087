"""Release 1.3.1, in a small copy of its layout."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("pyarrow")

from tests.dicom_builders import head_hu

from ichscan.datasets.ctich_nifti import CtIchVolumes, mask_boxes
from ichscan.datasets.engine import import_collection
from ichscan.datasets.store import open_store
from ichscan.errors import DataError

HEADER = (
    "PatientNumber,SliceNumber,Intraventricular,Intraparenchymal,Subarachnoid,Epidural,Subdural,"
    "No_Hemorrhage,Fracture_Yes_No"
)
UP = np.diag([-0.5, -0.5, 5.0, 1.0])
DOWN = np.diag([-0.5, -0.5, -5.0, 1.0])


def volume(slices: int = 4) -> NDArray[np.int16]:
    """(x, y, z) in HU, as the files hold it."""
    return np.stack([head_hu(i, 64, 72).T for i in range(slices)], axis=2)


def write(path: Path, values: NDArray[np.int16], affine: NDArray[np.float64]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(values, affine), path)


def collection(root: Path, affine: NDArray[np.float64] = UP) -> CtIchVolumes:
    hu = volume()
    mask = np.zeros(hu.shape, np.int16)
    mask[10:20, 30:33, 1] = 255
    for patient in ("049", "050"):
        write(root / "ct_scans" / f"{patient}.nii", hu, affine)
        write(root / "masks" / f"{patient}.nii", mask, affine)
    rows = [f"{p},{n},0,0,0,0,{int(n == 2)},{int(n != 2)},0" for p in (49, 50, 66) for n in range(1, 5)]
    (root / "hemorrhage_diagnosis_raw_ct.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (root / "Patient_demographics.csv").write_text(
        "Patient Number,Age,,\n,(years),,\n49,35,,\n50,1,,\n59,3,,\n66,4,,\n"
    )
    return CtIchVolumes(root)


@pytest.mark.parametrize("affine", [UP, DOWN])
def test_slices_labels_and_masks_stay_together(tmp_path: Path, affine: NDArray[np.float64]) -> None:
    store = open_store(import_collection(collection(tmp_path / "c", affine), tmp_path / "s", workers=1))
    upwards = affine[2, 2] > 0
    first = store.table.to_pylist()[:4]
    assert [row["instance_number"] for row in first] == ([1, 2, 3, 4] if upwards else [4, 3, 2, 1])
    for i, row in enumerate(first):
        number = row["instance_number"]
        assert row["subdural"] == int(number == 2)
        np.testing.assert_array_equal(store.hu(i), head_hu(number - 1, 64, 72))
    assert (first[0]["pixel_row_mm"], first[0]["thickness_mm"]) == (0.5, 5.0)
    assert store.boxes.to_pylist()[0] == {
        "slice_id": "049/2", "kind": "subdural", "x0": 10.0, "y0": 30.0, "x1": 20.0, "y1": 33.0,
    }  # fmt: skip
    assert store.manifest["problems"] == {"missing_patient": 2}


def test_what_does_not_fit_is_reported(tmp_path: Path) -> None:
    data = collection(tmp_path / "c")
    write(data.root / "ct_scans" / "066.nii", volume(5), UP)
    write(data.root / "masks" / "050.nii", np.zeros((8, 8, 4), np.int16), UP)
    (data.root / "ct_scans" / "051.nii").write_bytes(b"no volume")
    blank = np.zeros(volume().shape, np.int16)
    write(data.root / "masks" / "049.nii", blank, UP)
    store = open_store(import_collection(data, tmp_path / "s", workers=1))
    assert store.manifest["problems"] == {
        "mask_mismatch": 2, "missing_mask": 1, "missing_patient": 1, "unlabelled_image": 1, "unreadable": 1,
    }  # fmt: skip
    assert len(store) == 13


def test_boxes_of_slices_with_several_types_are_of_no_type() -> None:
    mask = np.zeros((16, 16), bool)
    mask[1:3, 4:8] = mask[10:12, 10:11] = True
    boxes = mask_boxes(mask, (1, 0, 0, 0, 1, 1))
    assert [(b["kind"], b["x0"], b["y0"], b["x1"], b["y1"]) for b in boxes] == [
        ("any", 4, 1, 8, 3),
        ("any", 10, 10, 11, 12),
    ]


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ct_scans").mkdir()
    with pytest.raises(DataError, match="found none"):
        import_collection(CtIchVolumes(tmp_path), tmp_path / "s", workers=1)
