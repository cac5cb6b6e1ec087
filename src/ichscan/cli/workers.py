"""The options that say which processes or machines do the work of a command."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Final

from ichscan.scale.executor import Executor
from ichscan.scale.start import start_executor

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


@contextmanager
def open_workers(ray: str | None, workers: int | None = None) -> Iterator[Executor]:
    """What --workers and --ray say; while it is open nothing but results goes to standard output.

    Ray writes there, among other things, that a machine died. Raises: see `ichscan.scale.start`.
    """
    if ray is None:
        with start_executor(None, workers) as executor:
            yield executor
    else:
        with redirect_stdout(sys.stderr), start_executor(ray, workers) as executor:
            yield executor
