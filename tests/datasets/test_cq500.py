import zipfile
from pathlib import Path

import pytest

pytest.importorskip("pyarrow")

from tests.dicom_builders import head_hu, slice_dataset, to_bytes

from ichscan.datasets.cq500 import Cq500
from ichscan.datasets.cq500_reads import majority, read_reads
from ichscan.datasets.engine import import_collection
from ichscan.datasets.schema import UNKNOWN
from ichscan.datasets.store import open_store
from ichscan.errors import DataError

COLUMNS = ("ICH", "IPH", "IVH", "SDH", "EDH", "SAH", "BleedLocation-Left", "Fracture")
HEADER = ",".join(["name", "Category", *(f"R{r}:{c}" for r in (1, 2, 3) for c in COLUMNS)])


def line(patient: int, *readers: str) -> str:
    """Readers as the set of columns they mark, for example "ICH SDH"."""
    marks = [str(int(c in reader.split())) for reader in readers for c in COLUMNS]
    return ",".join([f"CQ500-CT-{patient}", "B1", *marks])


def patient_files(patient: int) -> dict[str, bytes]:
    """A thick and a thin series and a localizer, as distributed."""
    top = f"CQ500CT{patient} CQ500CT{patient}/Unknown Study"
    files = {}
    for number, (name, count, step) in enumerate((("CT Plain", 3, 5.0), ("CT PLAIN THIN", 6, 0.625)), 1):
        for i in range(count):
            uid = f"1.2.3.{patient}.{number}"
            files[f"{top}/{name}/CT{i:06d}.dcm"] = to_bytes(
                slice_dataset(
                    i, head_hu(100 * patient + i), SOPInstanceUID=f"{uid}.{i}", SeriesInstanceUID=uid,
                    StudyInstanceUID=f"1.2.3.{patient}", PatientID=f"CQ500-CT-{patient}", SliceThickness=str(step),
                    ImagePositionPatient=[-16, -16, step * i], SeriesDescription=name,
                )
            )  # fmt: skip
    files[f"{top}/CT Topo/CT000000.dcm"] = to_bytes(slice_dataset(0, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    return files


def collection(root: Path) -> Path:
    root.mkdir()
    for patient in (0, 2):
        for name, data in patient_files(patient).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
    with zipfile.ZipFile(root / "CQ500-CT-10.zip", "w") as archive:
        for name, data in patient_files(10).items():
            archive.writestr(name, data)
    rows = [
        line(0, "ICH SDH", "ICH SDH", ""), line(10, "", "", ""), line(2, "ICH IPH", "ICH IPH", "ICH IPH Fracture"),
        line(7, "", "", ""),
    ]  # fmt: skip
    (root / "reads.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    return root


def test_folders_and_zips_with_thick_and_thin_series(tmp_path: Path) -> None:
    store = open_store(import_collection(Cq500(collection(tmp_path / "c")), tmp_path / "s", workers=1))
    scans = store.scans.to_pylist()
    assert [(s["patient_id"], s["slices"], s["thickness_mm"]) for s in scans] == [
        (f"CQ500-CT-{p}", n, t) for p in (0, 10, 2) for n, t in ((3, 5.0), (6, 0.625))
    ]
    assert [(s["subdural"], s["intraparenchymal"], s["any"]) for s in scans[::2]] == [(1, 0, 1), (0, 0, 0), (0, 1, 1)]
    assert [s["agreement"] for s in scans[::2]] == pytest.approx([4 / 6, 1, 1])
    assert {s["label_source"] for s in scans} == {"reads"}
    assert (store.labels == UNKNOWN).all()
    assert store.manifest["problems"] == {"orphan_label": 1, "refused": 3}
    assert store.table["source"][9].as_py().startswith("CQ500-CT-10.zip!/CQ500CT10 CQ500CT10/Unknown Study/CT P")
    assert "thickness" not in (store.path / "problems.csv").read_text()


def test_the_same_from_the_folder_above_with_reads_elsewhere(tmp_path: Path) -> None:
    root = collection(tmp_path / "c")
    reads = (root / "reads.csv").rename(tmp_path / "other.csv")
    with pytest.raises(DataError, match=r"reads\.csv: cannot read the labels"):
        import_collection(Cq500(root), tmp_path / "s", workers=1)
    assert len(open_store(import_collection(Cq500(root, reads), tmp_path / "s2", workers=1))) == 27


@pytest.mark.parametrize(
    ("votes", "expected"),
    [((1, 1, 0), 1), ((1, 0, 0), 0), ((1, 0, UNKNOWN), UNKNOWN), ((1, 1, UNKNOWN), 1), ((UNKNOWN,) * 3, UNKNOWN)],
)
def test_majority(votes: tuple[int, ...], expected: int) -> None:
    assert majority(votes) == expected


def test_odd_reads_are_kept_apart(tmp_path: Path) -> None:
    rows = [
        line(1, "SDH", "ICH", "ICH"), line(2, "", "", ""), line(2, "", "", ""), line(3, "", "", ""),
        line(3, "ICH", "ICH", "ICH"), line(4, "", "", "").replace("CQ500-CT-4,B1,0", "CQ500-CT-4,B1,maybe"),
    ]  # fmt: skip
    (tmp_path / "reads.csv").write_text("\n".join([HEADER, *rows]))
    reads = read_reads(tmp_path / "reads.csv")
    assert reads.labels["CQ500-CT-1"] == (0, 0, 0, 0, 0, 1)
    assert reads.labels["CQ500-CT-2"] == (0,) * 6
    assert reads.labels["CQ500-CT-3"] == (UNKNOWN,) * 6
    assert reads.labels["CQ500-CT-4"] == (0,) * 6
    assert sorted(p.kind for p in reads.problems) == [
        "bad_label", "contradicting_label", "contradicting_label", "duplicate_label",
    ]  # fmt: skip


def test_a_file_without_the_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "reads.csv").write_text("name,R1:ICH\nCQ500-CT-1,0\n")
    with pytest.raises(DataError, match="R1:EDH"):
        read_reads(tmp_path / "reads.csv")
