"""Checkpoints without pickle: tensors in safetensors, numbers in JSON beside them, replaced atomically."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from ichscan.errors import OutputError, UsageError

FILE = "checkpoint.safetensors"


def save_checkpoint(
    folder: Path,
    network: nn.Module,
    average: nn.Module | None,
    optimiser: torch.optim.Optimizer,
    schedule: Any,
    epoch: int,
    extra: Mapping[str, Any] | None = None,
) -> None:
    """Writes everything that the next step needs.

    Args:
        folder: of the run; its checkpoint is replaced atomically.
        network: its weights.
        average: the averaged network, or None when there is none.
        optimiser: its state.
        schedule: a learning rate scheduler, or None when rates follow from `extra`.
        epoch: epochs completed.
        extra: what else the caller wants back, JSON only; see `read_facts`.
    """
    state = optimiser.state_dict()
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    if average is not None:
        tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    tensors |= {
        f"optimiser.{i}.{k}": v
        for i, entry in state["state"].items()
        for k, v in entry.items()
        if isinstance(v, torch.Tensor)
    }
    saved = {} if schedule is None else schedule.state_dict()
    facts = {
        "epoch": epoch,
        "groups": [{k: v for k, v in g.items() if k != "params"} for g in state["param_groups"]],
        "schedule": {k: v for k, v in saved.items() if isinstance(v, int | float | bool | list | str)},
        "extra": dict(extra or {}),
    }
    save_tensors(folder / FILE, tensors, facts)


def save_tensors(path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Writes tensors and a JSON of facts into one safetensors file, atomically. Raises OutputError (disk full)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    try:
        save_file(
            {k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()},
            part,
            metadata={"ichscan": json.dumps(facts)},
        )
        os.replace(part, path)
    except (OSError, SafetensorError) as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error}); what was there before is kept") from error


def load_checkpoint(
    folder: Path, network: nn.Module, average: nn.Module | None, optimiser: torch.optim.Optimizer, schedule: Any
) -> int:
    """Restores in place. Returns the number of epochs completed; 0 when there is no checkpoint."""
    path = folder / FILE
    if not path.exists():
        return 0
    tensors = load_file(path)
    facts = read_facts(path)
    network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
    if average is not None:
        average.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("average.")})
    entries: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".", 2)
            entries.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    restored = [{**saved, "params": own["params"]} for saved, own in zip(facts["groups"], groups, strict=True)]
    optimiser.load_state_dict({"state": entries, "param_groups": restored})
    if schedule is not None:
        schedule.load_state_dict(schedule.state_dict() | facts["schedule"])
    return int(facts["epoch"])


def weights_file(folder: Path, epoch: int) -> Path:
    """Where the weights after epoch `epoch` (from 1) are; a `.json` with its metrics is beside it."""
    return folder / f"epoch_{epoch}.safetensors"


def save_weights(folder: Path, epoch: int, network: nn.Module, facts: Mapping[str, Any]) -> None:
    """Writes a network's weights alone, and `facts` as JSON beside them, both atomically."""
    path = weights_file(folder, epoch)
    save_tensors(path, network.state_dict(), facts)
    save_text(path.with_suffix(".json"), json.dumps(dict(facts), indent=1))


def save_text(path: Path, text: str) -> None:
    """Writes a text file, whole or not at all. Raises OutputError (disk full)."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise OutputError(f"{path}: cannot be written ({error.strerror})") from error


def load_weights(path: Path, network: nn.Module) -> None:
    """Fills `network` from a file of `save_weights`. Raises UsageError when it does not fit."""
    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        raise UsageError(f"{path}: expected weights of {type(network).__name__} ({error})") from error


def load_average(folder: Path, network: nn.Module) -> None:
    """Fills `network` with the averaged weights of a finished training."""
    tensors = load_file(folder / FILE)
    network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("average.")})


def read_facts(path: Path) -> dict[str, Any]:
    """The JSON part of a checkpoint, read from the file's own header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    facts: dict[str, Any] = json.loads(header["__metadata__"]["ichscan"])
    return facts
