"""Unique identifiers that depend on what an object is about and on nothing else: a rerun gives the same ones."""

import hashlib
import re
import uuid
from typing import Final

from pydicom.uid import UID

from ichscan import __version__
from ichscan.report.findings import Findings

VALID: Final = re.compile(r"(0|[1-9][0-9]*)(\.(0|[1-9][0-9]*))+")
LONGEST: Final = 64


def derived_uid(*parts: str | int) -> UID:
    """A UID made of a hash of `parts`, under the root 2.25 of UUIDs (PS3.5 annex B.2)."""
    text = "\x1f".join(map(str, parts))
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    return UID(f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}")


def result_uid(findings: Findings, kind: str, index: int | str = 0) -> UID:
    """The UID of one object made from `findings`.

    It depends on the source series and its slices, the model, the version of ichscan, the kind and the index. Slices
    that arrive late make another result, and so another UID.
    """
    model = findings.model
    named = all(findings.sop_instance_uids)
    return derived_uid(
        "ichscan",
        __version__,
        findings.series_instance_uid,
        *findings.sop_instance_uids,
        # Two scans without identifiers must not share those of their results.
        "" if named else repr(findings.slice_probabilities),
        f"{model.name} {model.version} {model.sha256}" if model is not None else findings.reason,
        kind,
        index,
    )


def valid_uid(value: str, *context: str | int) -> str:
    """`value` when it is a UID (PS3.5 section 9), otherwise one derived from it, or from `context` when it is empty.

    Challenge data carry names such as `ID_1f6d1e8aeb` instead of UIDs, which no valid object may repeat.
    """
    if len(value) <= LONGEST and VALID.fullmatch(value):
        return value
    return derived_uid("source", value) if value else derived_uid("source without UID", *context)
