"""The options that say in which forms findings are written: those of `ichscan.report.exports.KINDS`."""

import argparse
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

KINDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "text": "a draft report as plain text",
        "html": "one HTML page with the slices, heat maps and findings, which needs no network",
        "fhir": "a FHIR R4 Bundle (JSON)",
        "sr": "DICOM: a structured report and a selection of key images",
        "heatmaps": "one full-size PNG per suspicious slice, with its heat map; with --sr also as DICOM",
    }
)
"""By name; written out here, since the exports import much that `--help` does not need. A test compares them."""


def add_kinds(add: Callable[..., Any], prefix: str = "") -> None:
    """Adds an option per kind."""
    for kind, words in KINDS.items():
        add(f"--{kind}", action="store_true", help=prefix + words)


def chosen_kinds(arguments: argparse.Namespace) -> frozenset[str]:
    """The kinds that were asked for."""
    return frozenset(kind for kind in KINDS if getattr(arguments, kind))
