"""The OpenAPI document of the DICOMweb routes against their answers."""

import contextlib
import warnings

import pytest
from tests.dicom_builders import STUDY, head_series
from tests.service.dicomweb.conftest import open_box

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, status_code_conformance

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance]


@pytest.mark.slow
@pytest.mark.parametrize("held", [False, True])
def test_answers_are_as_the_document_says(tmp_path, held):
    box = open_box(tmp_path / "data", requests_per_minute=1_000_000)
    box.store(head_series(2))
    app = box.client.app
    document = app.openapi()
    document["paths"] = {path: item for path, item in document["paths"].items() if path.startswith("/dicom-web")}
    assert len(document["paths"]) >= 19
    schema = schemathesis.openapi.from_dict(document)
    schema.app = app
    uids = {"study": STUDY, "series": f"{STUDY}.1", "instance": f"{STUDY}.1.1"} if held else {}
    for found in schema.get_all_operations():
        if found.ok().method.upper() == "POST":
            continue  # schemathesis cannot write multipart/related; test_store does
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            with contextlib.suppress(Unsatisfiable):
                _check(box, found.ok(), mode, uids)
    box.close()


def _check(box, operation, mode, uids):
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=6, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    def run(case):
        if mode is GenerationMode.POSITIVE:
            case.path_parameters = {**(case.path_parameters or {}), **{
                key: value for key, value in uids.items() if f"{{{key}}}" in case.path
            }}  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = case.call(headers={"Authorization": box.client.headers["Authorization"]})
            case.validate_response(answer, checks=CHECKS)

    run()
