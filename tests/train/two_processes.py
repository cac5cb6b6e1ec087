"""What `torchrun` runs in test_two_processes.py: FOLDER, and after how many slices the second process dies."""

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import torch
from numpy.typing import NDArray
from tests.train.fake_store import FakeStore

from ichscan.model.spec import Channel, InputSpec
from ichscan.train.slice_models import train_slices
from ichscan.train.workbench_recipe import WorkbenchRecipe
from ichscan.train.workbench_tables import Augment, Data, Network, Training

torch.set_num_threads(1)

# Batch normalisation sees what one device sees; frozen statistics make devices comparable, as on GPUs "sync" does.
RECIPE = WorkbenchRecipe(
    data=Data(folds=(0,)),
    input=InputSpec((Channel(40, 80),), "slice", 32, (0.3,), (0.3,)),
    augment=Augment(flip=0.5, affine=0.5, rotate=15, brightness=0.5, brightness_limit=0.1),
    network=Network("mobilenetv2", batch_norm="frozen"),
    training=Training(epochs=2, batch=5, learning_rate=0.001, optimiser="sgd", accelerator="cpu", accumulate=2),
)


class DyingStore(FakeStore):
    """Kills the second process when it has read so many slices."""

    def __init__(self, after: int) -> None:
        super().__init__(4, 6)
        self.left = after

    def hu(self, row: int) -> NDArray[np.int16]:
        self.left -= 1
        if self.left == 0 and os.environ.get("RANK") == "1":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().hu(row)


def main(folder: Path, after: int) -> None:
    store = DyingStore(after)
    train_slices(RECIPE, store, store.parts(), folder)  # type: ignore[arg-type]


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
