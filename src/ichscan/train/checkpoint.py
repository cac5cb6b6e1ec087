"""Checkpoints without pickle: tensors in safetensors, numbers in JSON beside them, replaced atomically."""

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

FILE = "checkpoint.safetensors"


def save_checkpoint(
    folder: Path, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, schedule: Any, epoch: int
) -> None:
    """Writes everything that the next epoch needs. `epoch` = epochs completed."""
    folder.mkdir(parents=True, exist_ok=True)
    state = optimiser.state_dict()
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    tensors |= {f"optimiser.{i}.{k}": v for i, entry in state["state"].items() for k, v in entry.items()}
    facts = {
        "epoch": epoch,
        "groups": [{k: v for k, v in g.items() if k != "params"} for g in state["param_groups"]],
        "schedule": {k: v for k, v in schedule.state_dict().items() if isinstance(v, int | float | bool | list | str)},
    }
    part = folder / f"{FILE}.part"
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, part, metadata={"ichscan": json.dumps(facts)})
    os.replace(part, folder / FILE)


def load_checkpoint(
    folder: Path, network: nn.Module, average: nn.Module, optimiser: torch.optim.Optimizer, schedule: Any
) -> int:
    """Restores in place. Returns the number of epochs completed; 0 when there is no checkpoint."""
    path = folder / FILE
    if not path.exists():
        return 0
    tensors = load_file(path)
    facts = read_facts(path)
    network.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("network.")})
    average.load_state_dict({k[8:]: v for k, v in tensors.items() if k.startswith("average.")})
    entries: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimiser."):
            _, number, name = key.split(".", 2)
            entries.setdefault(int(number), {})[name] = value
    groups = optimiser.state_dict()["param_groups"]
    restored = [{**saved, "params": own["params"]} for saved, own in zip(facts["groups"], groups, strict=True)]
    optimiser.load_state_dict({"state": entries, "param_groups": restored})
    schedule.load_state_dict(schedule.state_dict() | facts["schedule"])
    return int(facts["epoch"])


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
