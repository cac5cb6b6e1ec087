"""`ichscan doctor`: whether this installation can do its work, and what to do if not."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Final

from ichscan.cli.parser import NOTICE
from ichscan.cli.terminal import printable
from ichscan.doctor import Check, State, examine_installation

MARK: Final = {State.OK: "ok    ", State.ADVICE: "advice", State.FAILED: "FAILED"}


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("--model", type=Path, metavar="B", help="folder of a model bundle, or name of a packaged model")
    parser.add_argument("--json", action="store_true", help="write the checks as a JSON array to stdout")


def run(arguments: argparse.Namespace) -> int:
    """Prints every check; 0, or the exit code of the first one that failed."""
    checks = examine_installation(arguments.model)
    if arguments.json:
        print(json.dumps([asdict(check) for check in checks], indent=1, ensure_ascii=False))
    else:
        for check in checks:
            _show(check)
        print(NOTICE)
    return next((check.exit_code for check in checks if check.state is State.FAILED), 0)


def _show(check: Check) -> None:
    print(printable(f"{MARK[check.state]}  {check.name}: {check.found}"))
    if check.advice:
        print(printable(f"        {check.advice}"))
