"""What a training step eats, and who eats which part of it."""

from typing import NamedTuple

from torch import Tensor


class Share(NamedTuple):
    """The part of every batch that this process works through: items rank, rank + world, rank + 2 world ..."""

    rank: int = 0
    world: int = 1


class Batch(NamedTuple):
    """A part of an optimiser step: what one device sees at once.

    The loss of a step is (sum of the weighted losses of all its items, on all devices) / total, so that neither the
    number of devices nor the number of parts changes it.

    Attributes:
        inputs: tensors, first axis items.
        targets: tensor, first axis items.
        weights: float32 (items,); 0 = padding that keeps devices in step.
        total: sum of the weights of the whole step, over all devices and parts.
        last: the optimiser steps after this part.
        names: identifiers of the items, for messages.
    """

    inputs: tuple[Tensor, ...]
    targets: Tensor
    weights: Tensor
    total: float
    last: bool
    names: tuple[str, ...]

    def to(self, device: object) -> "Batch":
        """The same on a device."""
        moved = tuple(t.to(device, non_blocking=True) for t in self.inputs)  # type: ignore[call-overload]
        targets, weights = (t.to(device, non_blocking=True) for t in (self.targets, self.weights))  # type: ignore[call-overload]
        return self._replace(inputs=moved, targets=targets, weights=weights)
