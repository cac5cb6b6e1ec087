"""The argument parser, built from the table of commands."""

import argparse
import importlib
from collections.abc import Collection
from typing import Final

from ichscan import __version__
from ichscan.cli.registry import COMMANDS

NOTICE: Final = "ichscan is an assistant, not a medical device."
EXIT_CODES: Final = """\
exit codes:
  0  everything was analysed
  1  something was not analysable (named on stderr and in the JSON)
  2  wrong arguments
  3  the model bundle is missing, altered or of an unknown schema
  4  a result could not be written
  5  a labelled collection is inconsistent
  6  an optional dependency is not installed
  130  interrupted
  141  the reader of standard output went away"""


def build_parser(load: Collection[str] = tuple(COMMANDS)) -> argparse.ArgumentParser:
    """The parser; options only of the commands named in `load`, since those of a command live in its module."""
    parser = argparse.ArgumentParser(
        prog="ichscan",
        description=f"Intracranial hemorrhage in non-contrast head CT, per slice and per scan.\n{NOTICE}",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ichscan {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, title="commands")
    for name, command in COMMANDS.items():
        child = commands.add_parser(
            name, help=command.summary, description=f"{sentence(command.summary)} {NOTICE}", allow_abbrev=False
        )
        if name in load:
            importlib.import_module(command.module).configure(child)
    return parser


def sentence(summary: str) -> str:
    """A summary of the lists as a sentence: "analyse CT" -> "Analyse CT."; `str.capitalize` would make it "ct"."""
    return f"{summary[:1].upper()}{summary[1:]}."
