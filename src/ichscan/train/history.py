"""What a fit tells of itself: metrics.csv, TensorBoard, learning curves."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from ichscan.errors import MissingExtraError
from ichscan.train.checkpoint import save_text, weights_file
from ichscan.train.rates import best_epoch

METRICS: Final = "metrics.csv"
STEPS_PER_POINT: Final = 20
"""TensorBoard gets the running loss every so many steps."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One finished epoch.

    Attributes:
        number: from 1.
        train_loss: mean over the items that were seen.
        learning_rate: of its last step.
        seconds: training and validation, since it was begun or resumed.
        metrics: of the validation; "loss" decides about early stopping and the best epoch.
    """

    number: int
    train_loss: float
    learning_rate: float
    seconds: float
    metrics: Mapping[str, float] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)

    @classmethod
    def read(cls, facts: Mapping[str, Any]) -> "Epoch":
        """From `facts`."""
        return cls(**facts)

    def line(self, epochs: int) -> str:
        """For people."""
        validation = f", validation {self.metrics['loss']:.4f}" if "loss" in self.metrics else ""
        return f"epoch {self.number}/{epochs} loss {self.train_loss:.4f}{validation}, {self.seconds:.0f} s"


@dataclass(frozen=True, slots=True)
class History:
    """A finished fit.

    Attributes:
        folder: where its files are.
        epochs: in order.
    """

    folder: Path
    epochs: tuple[Epoch, ...]

    @property
    def best(self) -> int:
        """The epoch (from 1) with the lowest validation loss; training loss where nothing was validated."""
        return 1 + best_epoch([epoch.metrics.get("loss", epoch.train_loss) for epoch in self.epochs])

    def kept(self, keep: str) -> tuple[int, ...]:
        """Epochs (from 1) whose weights predict; `keep` is [training].keep."""
        if keep == "all":
            return tuple(epoch.number for epoch in self.epochs)
        return (self.best if keep == "best" else self.epochs[-1].number,)

    def weights(self, epoch: int) -> Path:
        """The file of the weights after `epoch`."""
        return weights_file(self.folder, epoch)


class Journal:
    """Writes metrics.csv, TensorBoard events and learning.png of a fit, on the first process only."""

    def __init__(self, folder: Path, epochs: Sequence[Epoch], enabled: bool) -> None:
        self.folder, self.enabled = folder, enabled
        self.epochs = list(epochs)
        self.board: Any = None
        self.sums = (0.0, 0.0)

    def __enter__(self) -> "Journal":
        if self.enabled:
            self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.board is not None:
            self.board.close()
        if self.enabled and self.epochs and kind is None:
            from ichscan.train.learning_curves import draw_learning

            draw_learning(self.folder / "learning.png", [self.epochs])

    def step(self, number: int, total: float, weight: float, rate: float) -> None:
        """After each optimiser step; `total` and `weight` are the epoch's sums on this process."""
        if not self.enabled or number % STEPS_PER_POINT:
            return
        before, seen = self.sums if self.sums[1] < weight else (0.0, 0.0)
        self.sums = (total, weight)
        board = self._open(number)
        board.add_scalar("train/loss_running", (total - before) / max(weight - seen, 1e-12), number)
        board.add_scalar("train/learning_rate", rate, number)

    def epoch(self, entry: Epoch) -> None:
        """After each epoch."""
        if not self.enabled:
            return
        self.epochs.append(entry)
        write_metrics(self.folder / METRICS, self.epochs)
        board = self._open(0)
        board.add_scalar("train/loss", entry.train_loss, entry.number)
        for name, value in entry.metrics.items():
            board.add_scalar(f"validation/{name}", value, entry.number)
        board.flush()

    def _open(self, number: int) -> Any:
        if self.board is None:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise MissingExtraError("training logs need tensorboard; pip install 'ichscan[train]'") from error
            # points that an interrupted run wrote after its last checkpoint are hidden
            self.board = SummaryWriter(str(self.folder / "tensorboard"), purge_step=number or None)
        return self.board


def write_metrics(path: Path, epochs: Sequence[Epoch]) -> None:
    """One row per epoch, replaced atomically; a resumed fit leaves no row twice."""
    names = list(dict.fromkeys(name for epoch in epochs for name in epoch.metrics))
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["epoch", "train_loss", "learning_rate", "seconds", *(f"validation_{n}" for n in names)])
    for e in epochs:
        rows.writerow(
            [e.number, repr(e.train_loss), repr(e.learning_rate), f"{e.seconds:.2f}"]
            + [repr(e.metrics[n]) if n in e.metrics else "" for n in names]
        )
    save_text(path, text.getvalue())
