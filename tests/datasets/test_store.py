"""Reading a store, and finding out that it was damaged."""

import json
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow")

from tests.datasets.rsna_builder import as_folder, collection

from ichscan.datasets.arrow import write_parquet
from ichscan.datasets.codec import checksum, decode, encode
from ichscan.datasets.engine import import_collection
from ichscan.datasets.rsna import Rsna
from ichscan.datasets.store import SliceStore, open_store
from ichscan.datasets.verify import verify
from ichscan.errors import DataError


@pytest.fixture
def store(tmp_path: Path) -> SliceStore:
    return open_store(import_collection(Rsna(as_folder(collection(), tmp_path / "a")), tmp_path / "s", workers=1))


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (64, 64), (512, 512)])
def test_a_slice_survives_the_codec(shape: tuple[int, int]) -> None:
    hu = np.random.default_rng(0).integers(-32768, 32768, shape).astype(np.int16)
    data, crc = encode(hu)
    np.testing.assert_array_equal(decode(data, *shape, "x"), hu)
    assert crc == checksum(hu)
    with pytest.raises(DataError, match="pixels, found"):
        decode(data, shape[0], shape[1] + 1, "x")
    with pytest.raises(DataError, match="damaged"):
        decode(data[: len(data) // 2], *shape, "x")


def test_threads_and_processes_read_the_same(store: SliceStore) -> None:
    expected = store.hu_many(range(len(store)))
    with ThreadPoolExecutor(4) as pool:
        threaded = list(pool.map(store.hu, range(len(store))))
    with ProcessPoolExecutor(1, get_context("spawn")) as processes:
        elsewhere = list(processes.map(store.hu, range(len(store))))
    for one, two, three in zip(expected, threaded, elsewhere, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


def test_what_is_no_store_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"manifest\.json: expected the manifest"):
        open_store(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        open_store(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema": "other/9"}')
    with pytest.raises(DataError, match="found other/9"):
        open_store(tmp_path)
    (tmp_path / "manifest.json").write_text('{"schema": "ichscan.store/1"}')
    with pytest.raises(DataError, match=r"table\.parquet"):
        _ = open_store(tmp_path).table


def faults(store: SliceStore) -> str:
    return "\n".join(verify(store.path).faults)


def test_an_intact_store_has_no_faults(store: SliceStore) -> None:
    seen: list[tuple[int, int]] = []
    found = verify(store.path, lambda done, total: seen.append((done, total)))
    assert (found.slices, found.faults, seen[-1]) == (17, (), (17, 17))
    assert "2 of 17 slices have no label" in found.notes[0]


def test_a_flipped_byte_is_found(store: SliceStore) -> None:
    pack = next((store.path / "slices").glob("*.pack"))
    data = bytearray(pack.read_bytes())
    data[len(data) // 2] ^= 0xFF
    pack.write_bytes(bytes(data))
    assert len(verify(store.path).faults) == 1


def test_a_short_pack_and_a_missing_one_are_found(store: SliceStore) -> None:
    pack = next((store.path / "slices").glob("*.pack"))
    pack.write_bytes(pack.read_bytes()[:-5])
    assert "bytes, found" in faults(store)
    pack.unlink()
    assert "No such file" in faults(store)


def test_a_pack_without_slices_is_found(store: SliceStore) -> None:
    (store.path / "slices" / "000099.pack").write_bytes(b"x")
    assert "belongs to no slice" in faults(store)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("any", 1, "digest differs"),
        ("any", 7, "other than 0, 1"),
        ("index", 5, "index does not"),
        ("position_mm", 1e6, "ascend"),
    ],
)
def test_a_changed_table_is_found(store: SliceStore, column: str, value: float, message: str) -> None:
    import pyarrow as pa

    table = store.table
    values = table[column].to_pylist()
    values[1] = value
    at = table.schema.get_field_index(column)
    write_parquet(
        table.set_column(at, column, pa.array(values, table.schema.field(column).type)), store.path / "table.parquet"
    )
    assert message in faults(store)


def test_shared_pixels_are_noted(tmp_path: Path) -> None:
    files = collection(series=2)
    from tests.datasets.rsna_builder import names
    from tests.dicom_builders import head_hu, slice_dataset, to_bytes

    twin = names(1, 1)[0]
    tags = {"StudyInstanceUID": "ID_study1", "SeriesInstanceUID": "ID_series1", "PatientID": "ID_patient1"}
    files[f"stage_2_train/{twin}.dcm"] = to_bytes(slice_dataset(0, head_hu(0), SOPInstanceUID=twin, **tags))
    store = import_collection(Rsna(as_folder(files, tmp_path / "a")), tmp_path / "s", workers=1)
    assert any("pixels of a slice of another patient" in note for note in verify(store).notes)


def test_the_manifest_says_what_is_there(store: SliceStore) -> None:
    manifest = json.loads((store.path / "manifest.json").read_text())
    assert manifest["counts"]["patients"] == 4
    assert manifest["positive_scans"]["subdural"] == 3
    assert manifest["source"]["files"] == "17"
