"""From images that come in to a labelled store, through the whole application: login, worker, feedback, export."""

from pathlib import Path

import pytest

pytest.importorskip("highdicom", reason="the extra report is not installed")
pytest.importorskip("pyarrow", reason="the extra data is not installed")
pytest.importorskip("argon2", reason="the extra serve is not installed")

from tests import dicom_builders as build
from tests.service.web.box import Box

from ichscan.cli.main import main
from ichscan.datasets.store import open_store
from ichscan.labels import ANY


def test_from_images_to_a_labelled_store(tmp_path: Path, fake_bundle: Path) -> None:
    box = Box(tmp_path / "box")
    try:
        _label(box, fake_bundle, tmp_path / "feedback.zip")
    finally:
        box.close()
    store_path = tmp_path / "store"
    assert main(["data", "import", "feedback", str(tmp_path / "feedback.zip"), "--out", str(store_path)]) == 0
    assert main(["data", "verify", str(store_path)]) == 0
    store = open_store(store_path)
    assert store.scan_labels[:, ANY].tolist() == [0]
    assert (store.labels == 0).all()
    scan = store.scan(store.series()[0])
    assert all((scan.hu[i] == build.head_hu(i)).all() for i in range(6))


def _label(box: Box, bundle: Path, archive: Path) -> None:
    box.receive()
    box.analyse(bundle)
    reader = box.logged_in("reader")
    (row,) = reader.get("/api/studies").json()["studies"]
    state = row["states"]["any"]
    verdict = {"present": "disagree", "absent": "agree", "uncertain": "absent"}[state]
    body = {"result_id": row["result_id"], "verdicts": {"any": verdict}, "states": {"any": state}}
    path = f"/api/studies/{row['id']}/feedback"
    del reader.headers["X-CSRF-Token"]
    assert reader.post(path, json=body).status_code == 403
    assert box.client().post(path, json=body).status_code == 401
    assert box.client().get("/api/dashboard").status_code == 401
    reader = box.logged_in("reader")
    assert reader.post(path, json=body).status_code == 201
    assert reader.get("/api/studies").json()["studies"][0]["feedback"] == 1
    told = reader.get("/api/dashboard?days=1").json()
    assert told["total"]["remarks"] == 1
    assert told["per_scanner"][0]["scanner"].endswith("CT1")
    assert reader.get("/api/feedback/export").status_code == 403
    assert box.token("read").get("/api/feedback/export").status_code == 403
    answer = box.logged_in("administrator").get("/api/feedback/export")
    assert answer.status_code == 200
    archive.write_bytes(answer.content)
