"""Which devices a training runs on: what the launcher says, else the recipe, else what is there."""

import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import torch
from lightning_fabric import Fabric

from ichscan.errors import UsageError
from ichscan.train.workbench_tables import Training

PRECISION: Final = {"32": "32-true", "bf16": "bf16-mixed", "fp16": "16-mixed"}


class Launch(NamedTuple):
    """Processes per machine (0 = not said) and machines."""

    devices: int
    nodes: int


def launched(config: Training, environment: Mapping[str, str]) -> Launch:
    """What `torchrun` or SLURM says, else [training].devices and nodes."""
    if "TORCHELASTIC_RUN_ID" in environment:
        here = int(environment["LOCAL_WORLD_SIZE"])
        return Launch(here, int(environment["WORLD_SIZE"]) // here)
    if int(environment.get("SLURM_NTASKS", "1")) > 1 and environment.get("SLURM_JOB_NAME") not in (
        "bash",
        "interactive",
    ):
        nodes = int(environment.get("SLURM_NNODES", "1"))
        return Launch(int(environment["SLURM_NTASKS"]) // nodes, nodes)
    return Launch(config.devices, config.nodes)


def start(config: Training) -> Fabric:
    """Starts or joins the processes. Call once per command, on every process.

    Raises UsageError when the devices do not exist or do not know the precision.
    """
    gpus = torch.cuda.is_available()
    if config.accelerator == "gpu" and not gpus:
        raise UsageError('[training].accelerator: "gpu" asked for, none found; use "auto"')
    cpu = config.accelerator == "cpu" or not gpus
    if config.precision == "fp16" and cpu:
        raise UsageError('[training].precision: "fp16" needs a GPU; give --set training.precision=bf16 or =32')
    devices, nodes = launched(config, os.environ)
    wanted: Any = devices or (1 if cpu else "auto")
    precision: Any = PRECISION[config.precision]
    try:
        fabric = Fabric(accelerator="cpu" if cpu else "gpu", devices=wanted, num_nodes=nodes, precision=precision)
        fabric.launch()
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"[training].devices: {error}") from error
    return fabric
