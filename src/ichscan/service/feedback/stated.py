"""What a stored result states: per study, per series, and on which slices."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ichscan.labels import LABELS
from ichscan.report.findings import ABSENT, PRESENT, UNCERTAIN

ORDER: Final = (ABSENT, UNCERTAIN, PRESENT)
"""Of several parts of a series, the last of these counts."""


def analysed(content: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The objects of `Result.content` that were analysed."""
    return [one for one in content if one.get("status") == "analysed"]


def told_states(content: Iterable[Mapping[str, Any]]) -> dict[str, set[str]]:
    """Label -> every state that a series of the study has; empty when none was analysed."""
    found: dict[str, set[str]] = {}
    for series in states_by_series(content).values():
        for label, state in series.items():
            found.setdefault(label, set()).add(state)
    return found


def states_by_series(content: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Series Instance UID -> label -> state. Parts of a series that was split for analysis count as one."""
    found: dict[str, dict[str, str]] = {}
    for one in analysed(content):
        series = found.setdefault(str(one.get("series_instance_uid", "")), {})
        for label, state in _states(one).items():
            series[label] = _worse(series.get(label), state)
    return found


def series_of_slices(content: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """SOP Instance UID -> Series Instance UID of all slices that were analysed."""
    return {
        str(one.get("sop_instance_uid", "")): str(result.get("series_instance_uid", ""))
        for result in analysed(content)
        for one in result.get("slices", ())
        if one.get("sop_instance_uid")
    }


def _states(result: Mapping[str, Any]) -> dict[str, str]:
    labels = result.get("findings", {}).get("labels", {})
    scan = result.get("scan", {})
    return {
        label: labels[label]["state"] if label in labels else PRESENT if scan[label]["positive"] else ABSENT
        for label in LABELS
        if label in labels or label in scan
    }


def _worse(one: str | None, other: str) -> str:
    return other if one is None else max(one, other, key=ORDER.index)
