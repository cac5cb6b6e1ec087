"""The OpenAPI document against the application: schemathesis makes requests, valid and not, and checks the answers."""

import contextlib
import re
import warnings
from typing import Any

import pytest
from tests.service.web.box import Box
from tests.service.web.conftest import Opener

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
ENDLESS = "/api/events"
EXAMPLES = 8


@pytest.fixture
def limitless(open_analysed: Opener) -> Box:
    return open_analysed(requests_per_minute=1_000_000, logins_per_minute=1_000_000)


def test_the_document_is_stable(box: Box) -> None:
    document = box.app.openapi()
    assert document["openapi"].startswith("3.1")
    identifiers = [one["operationId"] for item in document["paths"].values() for one in item.values()]
    assert len(identifiers) == len(set(identifiers))
    assert box.client().get("/openapi.json").json()["info"]["title"] == "ichscan"
    assert box.client().get("/docs").status_code != 200 or "swagger" not in box.client().get("/docs").text


@pytest.mark.slow
@pytest.mark.parametrize("role", ["administrator", "nobody"])
def test_answers_are_as_the_document_says(limitless: Box, role: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from ichscan.service.web import uploads

    monkeypatch.setattr(uploads, "REGISTERED_S", 0.0)
    document = limitless.app.openapi()
    document["paths"] = {path: item for path, item in document["paths"].items() if ours(path)}
    schema = schemathesis.openapi.from_dict(document)
    schema.app = limitless.app
    wrong = 0
    for found in schema.get_all_operations():
        _check(limitless, found.ok(), role, GenerationMode.POSITIVE)
        with contextlib.suppress(Unsatisfiable):  # a route without parameters cannot be asked wrongly
            _check(limitless, found.ok(), role, GenerationMode.NEGATIVE)
            wrong += 1
    assert wrong > 15


def ours(path: str) -> bool:
    return not path.startswith("/dicom-web") and path != ENDLESS


def _check(box: Box, operation: Any, role: str, mode: GenerationMode) -> None:
    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def run(case: Any) -> None:
        headers: dict[str, str] = {}
        if role != "nobody":
            client = box.logged_in(role)  # a case may have ended the session
            cookie = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
            headers = {"Cookie": cookie, "X-CSRF-Token": client.headers["X-CSRF-Token"]}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            answer = case.call(headers=headers)
            case.validate_response(answer, checks=CHECKS)
        if role == "nobody" and not re.match(r"/(health|ready|api/session)", case.path):
            assert answer.status_code in (400, 401, 404, 405, 422)

    run()
