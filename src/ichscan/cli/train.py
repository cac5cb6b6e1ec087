"""`ichscan train`: a recipe and a collection in; predictions, figures and a model bundle out."""

import argparse
import importlib.util
import os
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Final

from ichscan.cli.workers import add_ray, open_workers
from ichscan.errors import MissingExtraError, UsageError

NEEDED: Final = ("torch", "timm", "onnx", "safetensors", "matplotlib")
NEEDED_BY_WORKBENCH: Final = (*NEEDED, "pyarrow", "lightning_fabric", "sklearn")
STAGES: Final = ("split", "slices", "features", "scans", "ensemble", "outcome", "export")
"""Those of `ichscan.train.experiment`, which is not imported to parse options."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    parser.add_argument("recipe", type=Path, metavar="RECIPE", help="TOML file, e.g. recipes/default.toml")
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="STORE",
        help="folder that `ichscan data import` made; for the default recipe also the folder of CT-ICH 1.0.0 itself",
    )
    parser.add_argument(
        "--out", type=Path, required=True, metavar="RUN", help="run folder; the same command continues a killed run"
    )
    parser.add_argument(
        "--stage", choices=STAGES, metavar="STAGE", default="", help=f"stop after a stage: {', '.join(STAGES)}"
    )
    add_overrides(parser)
    add_ray(parser, "stage features of a workbench recipe: ")
    parser.add_argument(
        "--smoke", action="store_true", help="few patients, small images, a small network: proves the path only"
    )


def add_overrides(parser: argparse.ArgumentParser) -> None:
    """Adds --set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="override a key of the recipe, e.g. training.epochs=3 (repeatable)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Trains; 0, or the exit code of the error."""
    if not arguments.data.is_dir():
        raise UsageError(f"--data {arguments.data}: no such folder; expected a store of `ichscan data import`")
    return _workbench(arguments) if is_workbench(arguments.recipe) else _default(arguments)


def is_workbench(recipe: Path) -> bool:
    """Whether a recipe says `kind = "workbench"`. Raises UsageError when it cannot be read or is of no known kind."""
    import tomllib

    try:
        kind = tomllib.loads(recipe.read_text(encoding="utf-8")).get("kind", "default")
    except OSError as error:
        raise UsageError(
            f"{recipe}: cannot read the recipe ({error.strerror}); expected a TOML file, as in recipes/ of the "
            "sources and share/ichscan/recipes of the environment"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{recipe}: not valid TOML: {error}") from error
    if kind not in ("default", "workbench"):
        raise UsageError(f'{recipe}: kind: expected "workbench" (or none, for the default recipe), found {kind!r}')
    return bool(kind == "workbench")


def require(names: tuple[str, ...]) -> None:
    """Raises MissingExtraError when a package is not installed."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"training needs {', '.join(missing)}; pip install 'ichscan[train]'")


def tell(line: str) -> None:
    """A line of progress."""
    print(line, file=sys.stderr, flush=True)


def _workbench(arguments: argparse.Namespace) -> int:
    require(NEEDED_BY_WORKBENCH)
    from ichscan.datasets.store import open_store
    from ichscan.train.experiment import run_experiment, run_smoke
    from ichscan.train.workbench_recipe import load_workbench

    workers = nullcontext if arguments.ray is None else partial(open_workers, arguments.ray)
    with workers():  # a cluster that is not there is told now, not after days of training
        recipe = load_workbench(arguments.recipe, arguments.overrides)
    store = open_store(arguments.data)
    go = run_smoke if arguments.smoke else run_experiment
    out = go(recipe, store, arguments.out, arguments.stage, tell, workers)
    if os.environ.get("RANK", "0") != "0":
        return 0  # under torchrun the first process speaks for all
    if not (out / "metrics.json").exists():
        print(f"The run is in {out}, up to the stage {arguments.stage}")
        return 0
    print(f"The run is in {out}: metrics.json, results.csv, predictions, figures")
    if (out / "bundle" / "spec.json").exists():
        print(f"Its bundle is for: ichscan predict --model {out / 'bundle'} PATH")
    return 0


def _default(arguments: argparse.Namespace) -> int:
    require(NEEDED)
    if arguments.stage:
        raise UsageError("--stage: the default recipe has no stages to stop after; leave it out")
    if arguments.ray is not None:
        raise UsageError("--ray: the default recipe computes its features itself; leave it out")
    from ichscan.train.recipe import load_recipe
    from ichscan.train.run import run as train

    recipe = load_recipe(arguments.recipe, arguments.overrides)
    bundle = train(recipe, arguments.data, arguments.out, arguments.smoke, tell)
    print(f"The bundle is in {bundle}; use it with: ichscan predict --model {bundle} PATH")
    return 0
