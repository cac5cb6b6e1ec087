"""The default recipe on a store: the first wholly labelled scan of each patient, and it says what it leaves out."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("pyarrow", reason="stores need the extra `data`")

from tests.datasets.tiny_store import slice_row, write_store

from ichscan.train.run import _scans


def test_scans_of_a_store(tmp_path: Path) -> None:
    rows = [slice_row("a", i) for i in range(2)]
    rows += [slice_row("a", i, series_uid="series-a2", slice_id=f"a2/{i}") for i in range(2)]
    rows += [slice_row("b", i, None if i else (0,) * 6) for i in range(2)]
    rows += [slice_row("c", i, (0, 0, 0, 0, 1, 1)) for i in range(3)]
    lines: list[str] = []
    scans = _scans(write_store(tmp_path / "store", rows), False, lines.append)
    assert [(scan.patient, len(scan.hu), int(scan.labels.max())) for scan in scans] == [("a", 2, 0), ("c", 3, 1)]
    assert lines == [f"{tmp_path / 'store'}: scans left out: 1 unlabelled, 1 further scans of a patient"]
