"""`ichscan tune`: a recipe, a collection and a grid of values in; the table of what came out of each."""

import argparse
import os
from pathlib import Path

from ichscan.cli.train import NEEDED_BY_WORKBENCH, add_overrides, require, tell
from ichscan.errors import UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="TOML file of a workbench recipe")
    parser.add_argument("--data", type=Path, required=True, metavar="STORE", help="folder of `ichscan data import`")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="of the tuning; the same command continues a killed one",
    )
    parser.add_argument(
        "--grid",
        type=Path,
        required=True,
        metavar="FILE",
        help='TOML: "table.key" = [values], e.g. hoseyni2024-grid.toml',
    )
    parser.add_argument(
        "--trials",
        type=int,
        default=0,
        metavar="N",
        help="let Optuna's TPE choose N combinations (default: all of them)",
    )
    parser.add_argument(
        "--score", default="mean_f1", metavar="NAME", help="mean_f1 (default), auc or log_loss, on validation slices"
    )
    parser.add_argument(
        "--label", default="", metavar="LABEL", help="that is scored (default: any, or the mean of all)"
    )
    add_overrides(parser)
    parser.add_argument("--smoke", action="store_true", help="every trial in small: proves the path only")


def run(arguments: argparse.Namespace) -> int:
    """Tunes; 0, or the exit code of the error."""
    require(NEEDED_BY_WORKBENCH)
    if arguments.trials < 0:
        raise UsageError(f"--trials: expected 1 or more, found {arguments.trials}")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise UsageError("tune runs as one process; with several GPUs set training.devices instead of using torchrun")
    from ichscan.datasets.store import open_store
    from ichscan.train.tune import Tuning, tune
    from ichscan.train.tune_grid import read_grid

    tuning = Tuning(
        arguments.recipe,
        tuple(arguments.overrides),
        read_grid(arguments.grid),
        arguments.trials,
        arguments.score,
        arguments.label,
        arguments.smoke,
    )
    table = tune(tuning, open_store(arguments.data), arguments.out, tell)
    print(f"The results are in {table} and results.png beside it")
    return 0
