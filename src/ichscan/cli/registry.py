"""Every command of `ichscan`, in one table. A module is imported only when its command is asked for.

Each module has `configure(parser)`, which adds the options, and `run(arguments)`, which returns the exit code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Command:
    """Where a command is and what `ichscan --help` says of it."""

    module: str
    summary: str


COMMANDS: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "demo": Command("ichscan.cli.demo", "analyse the bundled example scans"),
        "predict": Command("ichscan.cli.predict", "analyse head CT scans"),
        "report": Command("ichscan.cli.report", "write reports of stored results: text, HTML, FHIR, DICOM"),
        "batch": Command("ichscan.cli.batch", "analyse many head CT scans, resumable, on all cores or machines"),
        "serve": Command("ichscan.cli.serve", "receive, analyse, send back and show studies: the box beside the PACS"),
        "train": Command("ichscan.cli.train", "train and cross-validate a model by a recipe"),
        "tune": Command("ichscan.cli.tune", "try values of a recipe's keys, each a whole training"),
        "evaluate": Command("ichscan.cli.evaluate", "measure a model on labelled data: the evidence as one report"),
        "submit": Command("ichscan.cli.submit", "write predictions as an RSNA 2019 submission"),
        "data": Command("ichscan.cli.data", "import, verify, explore or split a labelled collection"),
        "models": Command("ichscan.cli.models", "list, show or verify model bundles"),
        "doctor": Command("ichscan.cli.doctor", "check this installation"),
    }
)
