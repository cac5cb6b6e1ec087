"""The demonstration series: complete, marked as simulated, the same on each run, with the licence beside the head."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from ichscan.demo import write_demo
from ichscan.errors import OutputError
from ichscan.simulate import BLEEDS


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_demo(tmp_path_factory.mktemp("demo"))


def test_head_and_one_series_for_each_type(folders: list[Path]) -> None:
    assert [f.name for f in folders] == ["head", *(f"simulated-{kind}" for kind in BLEEDS)]
    assert {len(list(f.glob("*.dcm"))) for f in folders} == {28}


def test_simulated_series_say_so(folders: list[Path]) -> None:
    for folder, kind in zip(folders[1:], BLEEDS, strict=True):
        data = dcmread(folder / "15.dcm")
        assert data.SeriesDescription == f"SIMULATED {kind} bleed"
        assert list(data.ImageType) == ["DERIVED", "PRIMARY", "AXIAL"]
        assert "imulated" in data.DerivationDescription
        assert "SIMULATED" in data.ImageComments
        assert data.BurnedInAnnotation == "NO"
        assert str(data.PatientID).startswith("SIMULATED")


def test_uids_are_unique_and_geometry_is_the_heads(folders: list[Path]) -> None:
    sets = [[dcmread(p, stop_before_pixels=True) for p in sorted(f.glob("*.dcm"))] for f in folders]
    assert len({d.SOPInstanceUID for s in sets for d in s}) == 28 * 6
    assert len({d.SeriesInstanceUID for s in sets for d in s}) == 6
    for series in sets[1:]:
        assert [d.ImagePositionPatient for d in series] == [d.ImagePositionPatient for d in sets[0]]
        assert all(d.file_meta.MediaStorageSOPInstanceUID == d.SOPInstanceUID for d in series)


def test_written_twice_is_the_same(folders: list[Path], tmp_path: Path) -> None:
    again = write_demo(tmp_path)
    for first, second in zip(folders, again, strict=True):
        assert (first / "14.dcm").read_bytes() == (second / "14.dcm").read_bytes()


def test_pixels_are_the_originals(folders: list[Path], data_dir: Path) -> None:
    sources = [dcmread(p) for p in (data_dir / "dcm_qa_ct" / "ge").glob("*.dcm")]
    by_uid = {d.SOPInstanceUID: d for d in sources}
    plain = dcmread(folders[1] / "01.dcm")
    head = dcmread(folders[0] / "01.dcm", stop_before_pixels=True)
    # The lowest slice holds no blood: it is the head's own.
    np.testing.assert_array_equal(plain.pixel_array, by_uid[head.SOPInstanceUID].pixel_array)


def test_the_licence_is_packaged() -> None:
    folder = files("ichscan") / "demo_data"
    assert "BSD 2-Clause" in (folder / "LICENSE").read_text()
    assert sum(len(item.read_bytes()) for item in folder.iterdir()) < 6_000_000


def test_a_file_in_the_way_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "head").write_text("in the way")
    with pytest.raises(OutputError, match="cannot write"):
        write_demo(tmp_path)
