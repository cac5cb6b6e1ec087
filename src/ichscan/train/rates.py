"""Learning rates and early stopping as functions of what has happened: nothing to save, nothing to restore."""

import math
from collections.abc import Sequence

from ichscan.train.workbench_tables import Training


def learning_rate(config: Training, epoch: int, step: int, steps: int, losses: Sequence[float]) -> float:
    """The rate of one step.

    Args:
        config: the schedule.
        epoch: from 0.
        step: within the epoch, from 0.
        steps: per epoch.
        losses: validation losses of the epochs before.
    """
    done, total = epoch * steps + step, config.epochs * steps
    rate = config.learning_rate
    if config.schedule == "list":
        rate = config.learning_rates[epoch]
    elif config.schedule == "cosine":
        rate *= 0.5 * (1 + math.cos(math.pi * done / total))
    elif config.schedule == "step":
        rate *= config.step_factor ** (epoch // config.step_epochs)
    elif config.schedule == "plateau":
        rate *= config.step_factor ** reductions(losses, config.step_epochs)
    rising = config.warmup * total
    return rate * min(1.0, (done + 1) / rising) if rising > 0 else rate


def reductions(losses: Sequence[float], patience: int) -> int:
    """How often `patience` epochs in a row brought no better loss; the count starts anew after each."""
    best, waited, count = math.inf, 0, 0
    for loss in losses:
        if loss < best:
            best, waited = loss, 0
        else:
            waited += 1
        if waited >= patience:
            waited, count = 0, count + 1
    return count


def finished(config: Training, losses: Sequence[float]) -> bool:
    """Whether the last epoch is done or the validation loss has not fallen for `stop_after` epochs."""
    if len(losses) >= config.epochs:
        return True
    return bool(config.stop_after and losses and len(losses) - 1 - best_epoch(losses) >= config.stop_after)


def best_epoch(losses: Sequence[float]) -> int:
    """Index of the lowest loss; the earliest of equals."""
    return min(range(len(losses)), key=lambda k: (losses[k], k))
