"""`ichscan demo`: a real head without bleeding, and the same head with a simulated bleed of each type."""

import argparse
from pathlib import Path
from typing import Final

from ichscan.cli.run import Outputs, run_prediction
from ichscan.cli.terminal import printable

FOLDER: Final = Path("ichscan-demo")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument(
        "--out",
        type=Path,
        default=FOLDER,
        metavar="DIR",
        help=f"where to write the scans and the results (default: {FOLDER})",
    )
    parser.add_argument("--model", type=Path, metavar="B", help="folder of a model bundle, or name of a packaged model")


def run(arguments: argparse.Namespace) -> int:
    """Writes the scans, analyses them as `predict` does; returns its exit code."""
    from ichscan.demo import write_demo
    from ichscan.report.write import make_folder

    make_folder(arguments.out)
    folders = write_demo(arguments.out / "scans")
    print("One real head CT without bleeding, and the same head with SIMULATED bleeds (no patient's finding):")
    for folder in folders:
        print(printable(f"  {folder}"))
    print()
    return run_prediction(folders, Outputs(folder=arguments.out / "results"), model=arguments.model)
