"""Tells an address of a result: a message for paging systems, or FHIR for servers that keep it."""

import json
from collections.abc import Sequence
from typing import Any

from ichscan.service.send.failure import DeliveryError
from ichscan.service.send.http import authorization, post
from ichscan.service.settings import Hook


def tell(hook: Hook, notice: dict[str, Any], content: Sequence[dict[str, Any]], key: str) -> None:
    """Posts the notice, or one FHIR transaction Bundle per analysed series.

    Args:
        hook: that is told.
        notice: see `ichscan.service.jobs.notice.notice`.
        content: objects of `ichscan.result/1` with findings.
        key: the same for every attempt at the same delivery, so that a receiver can tell a repetition.

    Raises:
        DeliveryError: not reachable, or it did not answer 2xx.
    """
    if hook.kind == "json":
        _post(hook, "application/json", json.dumps(notice).encode("utf-8"), key)
        return
    from ichscan.report.fhir import to_json
    from ichscan.report.stored import from_result

    told = [one for one in content if one["status"] == "analysed"] or list(content[:1])
    for number, one in enumerate(told):
        _post(hook, "application/fhir+json", to_json(from_result(one)).encode("utf-8"), f"{key}-{number}")


def _post(hook: Hook, kind: str, body: bytes, key: str) -> None:
    headers = {"Content-Type": kind, "Accept": kind, "Idempotency-Key": key}
    answer = post(hook.name, hook.url, headers | authorization(hook.name, token_file=hook.token_file), body)
    if not 200 <= answer.status < 300:
        raise DeliveryError(f"{hook.name}: expected HTTP 2xx, found {answer.status}; see its log")
