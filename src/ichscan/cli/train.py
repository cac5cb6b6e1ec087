"""`ichscan train`: a recipe and a collection in, a model bundle out."""

import argparse
import importlib.util
import sys
from pathlib import Path

from ichscan.errors import MissingExtraError, UsageError

NEEDED = ("torch", "timm", "onnx", "safetensors", "matplotlib")


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="TOML file, e.g. recipes/default.toml")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="PhysioNet CT-ICH 1.0.0 folder")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FOLDER", help="run folder; the same command continues a killed run"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="override a key of the recipe, e.g. slices.epochs=3 (repeatable)",
    )
    parser.add_argument(
        "--smoke", action="store_true", help="12 patients, 2 folds, 1 short epoch: proves the path only"
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains; 0, or the exit code of the error."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"training needs {', '.join(missing)}; pip install 'ichscan[train]'")
    if not arguments.data.is_dir():
        raise UsageError(f"--data {arguments.data}: no such folder; expected a labelled collection")
    from ichscan.train.recipe import load_recipe
    from ichscan.train.run import run as train

    recipe = load_recipe(arguments.recipe, arguments.overrides)
    bundle = train(
        recipe, arguments.data, arguments.out, arguments.smoke, lambda line: print(line, file=sys.stderr, flush=True)
    )
    print(f"The bundle is in {bundle}; use it with: ichscan predict --model {bundle} PATH")
    return 0
