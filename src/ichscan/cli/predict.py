"""`ichscan predict`: head CT in, findings out."""

import argparse
import math
from pathlib import Path

from ichscan.cli.kinds import add_kinds, chosen_kinds
from ichscan.cli.run import Outputs, run_prediction
from ichscan.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    add = parser.add_argument
    add("paths", nargs="+", type=Path, metavar="PATH", help="folder, file, zip archive, DICOMDIR or NIfTI volume")
    add("--model", type=Path, metavar="B", help="folder of a model bundle, or name of a packaged model")
    add("--json", metavar="FILE", help="write all results as one JSON array; - for stdout instead of tables")
    add("--out", type=Path, metavar="DIR", help="write a JSON and a contact sheet (PNG) per series into this folder")
    add(
        "--window",
        type=window,
        metavar="C,W",
        help="centre and width in HU of the window that 8-bit pictures of slices show; without it they are not read",
    )
    add_kinds(add, "with --out: ")


def run(arguments: argparse.Namespace) -> int:
    """Analyses; 0 when all was analysed, 1 when something was not."""
    kinds = chosen_kinds(arguments)
    if kinds and arguments.out is None:
        raise UsageError(f"--{min(kinds)} needs --out DIR: say where to write")
    outputs = Outputs(arguments.json, arguments.out, kinds)
    return run_prediction(arguments.paths, outputs, model=arguments.model, window=arguments.window)


def window(text: str) -> tuple[float, float]:
    """Centre and width in HU from `C,W`. Raises ArgumentTypeError."""
    try:
        center, width = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected CENTRE,WIDTH in HU such as 40,120, found {text!r}") from None
    if not (math.isfinite(center) and math.isfinite(width) and width > 0):
        raise argparse.ArgumentTypeError(f"expected finite values and a width above 0, found {text!r}")
    return center, width
