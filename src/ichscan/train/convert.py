"""Old pickled checkpoints to safetensors: weights only, no code of the file is ever executed.

torch reads the file with `weights_only`, in a process of its own, so that a malicious or broken file that makes it
crash or take all memory takes down nothing else.
"""

import hashlib
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # what torch raises when it refuses to run code; nothing is unpickled here
from typing import Any, Final

import torch

from ichscan.errors import UnreadableFileError, UsageError
from ichscan.train.checkpoint import save_tensors

NESTED: Final = ("state_dict", "model_state_dict", "model", "net", "network", "weights", "params_ema", "params")
"""Where training programs keep the weights within a checkpoint."""
PREFIXES: Final = ("module.", "_orig_mod.")
"""What DataParallel and torch.compile put before every layer's name."""


@dataclass(frozen=True, slots=True)
class Converted:
    """What came out: number of tensors and of values in them, and the file's sha256."""

    tensors: int
    values: int
    sha256: str


def convert_weights(source: Path, target: Path) -> Converted:
    """Writes the weights of a checkpoint (.pth, .pt, .bin, .ckpt) as safetensors.

    Names and numbers stay as they are, without the prefixes of `PREFIXES`; what is no tensor is left out.

    Raises:
        UsageError: `source` holds more than weights, or none, or `target` exists.
        UnreadableFileError: `source` cannot be read.
        OutputError: `target` cannot be written.
    """
    if target.exists():
        raise UsageError(f"{target}: exists already; name another file")
    if not source.is_file():
        raise UnreadableFileError(f"{source}: expected a checkpoint file, found none")
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        try:
            return process.submit(_convert, source, target).result()
        except BrokenProcessPool as error:
            raise UnreadableFileError(
                f"{source}: the process that read it died; the file is broken or larger than memory"
            ) from error


def _convert(source: Path, target: Path) -> Converted:
    try:
        loaded = torch.load(source, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise UsageError(
            f"{source}: holds more than weights, and is not loaded since that could run code; save the network's "
            "state_dict() with the program that made it"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableFileError(f"{source}: not a checkpoint that torch can read ({error})") from error
    weights = {_plain(k): v for k, v in find_weights(loaded, source).items() if isinstance(v, torch.Tensor)}
    save_tensors(target, weights, {"converted_from": source.name})
    with target.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Converted(len(weights), sum(v.numel() for v in weights.values()), digest)


def find_weights(loaded: Any, source: Path) -> Mapping[str, Any]:
    """The mapping of layer names to tensors in what a checkpoint held. Raises UsageError when there is none."""
    for _ in range(3):
        if isinstance(loaded, Mapping) and any(isinstance(v, torch.Tensor) for v in loaded.values()):
            return loaded
        inner = [loaded[k] for k in NESTED if isinstance(loaded, Mapping) and k in loaded]
        if not inner:
            break
        loaded = inner[0]
    found = sorted(map(str, loaded)) if isinstance(loaded, Mapping) else type(loaded).__name__
    raise UsageError(f"{source}: expected layer names with tensors, at the top or in one of {NESTED}; found {found}")


def _plain(name: str) -> str:
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name
