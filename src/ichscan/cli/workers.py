"""The options that say which processes or machines do the work of a command."""

import argparse
from typing import Final

RAY: Final = (
    "work on a Ray cluster: HOST:PORT of its head, auto for the one this machine belongs to, local for one of this "
    "machine alone (extra `scale`; docs/scale.md)"
)


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Adds --workers and --ray."""
    parser.add_argument("--workers", type=int, metavar="N", help="processes (default: one per core)")
    add_ray(parser)


def add_ray(parser: argparse.ArgumentParser, what: str = "") -> None:
    """Adds --ray; `what` says for which part of the command."""
    parser.add_argument("--ray", metavar="ADDRESS", help=f"{what}{RAY}")
