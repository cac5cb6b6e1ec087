"""`ichscan models`: which bundles are there, whether they are intact; and weights of other programs made readable."""

import argparse
import importlib.util
import json
from pathlib import Path
from typing import Any

from ichscan.cli.parser import NOTICE
from ichscan.cli.terminal import printable
from ichscan.errors import BundleError, MissingExtraError
from ichscan.model.bundle import bundle_folder, identity_of, packaged_models, read_verified
from ichscan.model.spec import Spec, load_spec


def configure(parser: argparse.ArgumentParser) -> None:
    """Adds the options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True, title="actions")
    actions.add_parser("list", help="models that ship with ichscan", description="Lists the packaged models.")
    for name, summary in (
        ("show", "input, thresholds, training data, metrics and limits of a model"),
        ("verify", "compare the weights with the sha256 in the spec"),
    ):
        child = actions.add_parser(name, help=summary, description=f"{summary.capitalize()}.")
        child.add_argument(
            "model", nargs="?", type=Path, metavar="FOLDER", help="bundle folder or name of a packaged model (default)"
        )
    convert = actions.add_parser(
        "convert",
        help="weights of a pickled checkpoint as safetensors, for a recipe's [network].weights",
        description="Reads a checkpoint of torch (.pth, .pt, .bin, .ckpt) without executing anything in it, in a "
        "process of its own, and writes its weights as safetensors. Needs the extra `train`.",
    )
    convert.add_argument("source", type=Path, metavar="IN", help="the checkpoint")
    convert.add_argument("target", type=Path, metavar="OUT", help="safetensors file to write; must not exist")


def run(arguments: argparse.Namespace) -> int:
    """Lists, shows, verifies or converts; 0, or the exit code of the error."""
    if arguments.action == "list":
        _list()
    elif arguments.action == "convert":
        _convert(arguments.source, arguments.target)
    else:
        folder = bundle_folder(arguments.model)
        spec = load_spec(folder)
        if arguments.action == "show":
            _show(spec)
        else:
            _verify(folder, spec)
    return 0


def _list() -> None:
    models = packaged_models()
    if not models:
        raise BundleError("no model ships with this installation; reinstall ichscan")
    for name, folder in models.items():
        identity = identity_of(load_spec(folder))
        print(printable(f"{name}  {identity.name} {identity.version}  sha256 {identity.sha256[:16]}"))


def _show(spec: Spec) -> None:
    from dataclasses import asdict

    shown: dict[str, Any] = asdict(spec)
    shown["sha256"] = identity_of(spec).sha256
    print(json.dumps(shown, indent=1, ensure_ascii=False, default=str))
    print(NOTICE)


def _verify(folder: Path, spec: Spec) -> None:
    weights = read_verified(folder, spec)
    for name, data in weights.items():
        print(printable(f"{name}: intact, {len(data):,} bytes, sha256 {spec.weights[name]}"))
    print(printable(f"{spec.name} {spec.version}: all weights are as its spec says"))


def _convert(source: Path, target: Path) -> None:
    missing = [name for name in ("torch", "safetensors") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"converting needs {', '.join(missing)}; pip install 'ichscan[train]'")
    from ichscan.train.convert import convert_weights

    done = convert_weights(source, target)
    print(printable(f"{target}: {done.tensors:,} tensors, {done.values:,} values, sha256 {done.sha256}"))
