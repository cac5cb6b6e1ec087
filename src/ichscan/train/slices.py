"""Trains one slice network on the slices of some patients. Resumable at every epoch, with the same numbers.

Loss: BCE per label (any twice, as in the RSNA score) + BCE of the lesion maps where they are known + BCE of the
teacher's maps where they exist. Simulated bleeds teach the maps only: with them the labels became worse on real bleeds.
The maps weigh most: from so few patients labels alone are learned by heart, maps are not. The weights that are kept
are an exponential moving average.
"""

import copy
import logging
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ichscan.errors import TrainingError
from ichscan.labels import ANY
from ichscan.model.preprocess import normalise
from ichscan.model.spec import InputSpec
from ichscan.train import augment
from ichscan.train.average import follow
from ichscan.train.checkpoint import load_checkpoint, save_checkpoint
from ichscan.train.imagenet import load_imagenet
from ichscan.train.sampling import Mix, draw_epoch
from ichscan.train.slice_network import SliceNetwork, SliceOutput
from ichscan.train.targets import Examples

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SliceTraining:
    """Recipe table [slices]: how a slice network is trained."""

    epochs: int = 10
    batch: int = 16
    learning_rate: float = 1e-3
    weight_decay: float = 0.02
    positive: int = 560
    healthy: int = 560
    simulated: int = 0
    label_weight: float = 0.3
    lesion_weight: float = 40.0
    teacher_weight: float = 30.0
    map_positive_weight: float = 3.0
    ema: float = 0.995
    label_smoothing: float = 0.02
    seed: int = 100


class Truth(NamedTuple):
    """What a batch of n slices is compared with.

    Attributes:
        labels: (n, 6).
        maps: (n, 10, 64, 64), lesion maps of the 6 labels, then the teacher's 4 classes.
        known: (n, 6), 1 where the lesion map may be learned.
        taught: (n,), 1 where the teacher's maps exist.
        real: (n,), 1 for real slices, 0 for simulated bleeds.
    """

    labels: Tensor
    maps: Tensor
    known: Tensor
    taught: Tensor
    real: Tensor


class Pool:
    """All slices that may be drawn, across scans, without copying them."""

    def __init__(self, scans: Sequence[Examples]) -> None:
        self.scans = scans
        self.where = [(s, i) for s, scan in enumerate(scans) for i in range(len(scan.labels))]
        self.labels = np.concatenate([scan.labels for scan in scans])
        self.simulated = np.concatenate([np.full(len(s.labels), s.simulated) for s in scans])
        self.position = np.concatenate([np.linspace(0, 1, max(len(s.labels), 1))[: len(s.labels)] for s in scans])

    def example(self, index: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Augmented grey (channels, size, size) and maps (10, 64, 64), the same for the same seed."""
        s, i = self.where[index]
        scan = self.scans[s]
        rng = np.random.default_rng((seed, index))
        return augment.apply(augment.draw(rng), scan.grey[i], np.concatenate([scan.lesions[i], scan.teacher[i]]), rng)


def train_slice_network(
    scans: Sequence[Examples],
    spec: InputSpec,
    config: SliceTraining,
    seed: int,
    folder: Path,
    imagenet: Path | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> SliceNetwork:
    """Trains on `scans`, or continues where `folder` left off. Returns the averaged network in evaluation mode.

    Raises:
        TrainingError: a loss that is no finite number.
    """
    torch.manual_seed(seed)
    network = SliceNetwork(len(spec.channels))
    load_imagenet(network.backbone, imagenet)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device).to(memory_format=torch.channels_last)
    average: SliceNetwork = copy.deepcopy(network).requires_grad_(False)
    pool = Pool(scans)
    mix = Mix(config.positive, config.healthy, config.simulated)
    optimiser = torch.optim.AdamW(_groups(network, config), weight_decay=config.weight_decay)
    steps = math.ceil((config.positive + config.healthy + config.simulated * bool(pool.simulated.any())) / config.batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [g["lr"] for g in optimiser.param_groups], total_steps=steps * config.epochs, pct_start=0.15
    )
    start = load_checkpoint(folder, network, average, optimiser, schedule)
    for epoch in range(start, config.epochs):
        torch.manual_seed(seed * 1000 + epoch)
        order = draw_epoch(pool.labels, pool.simulated, pool.position, mix, np.random.default_rng((seed, epoch)))
        network.train()
        total = 0.0
        batches = list(_batches(order, config.batch))
        for batch in _loader(pool, batches, spec, seed * 1000 + epoch):
            x, *truth = (t.to(device, non_blocking=True) for t in batch)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                out = network(x.contiguous(memory_format=torch.channels_last))
                loss = _loss(out, Truth(*truth), config)
            if not torch.isfinite(loss):
                raise TrainingError(f"{folder}: the loss is {loss.item()} in epoch {epoch + 1}; lower learning_rate")
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            if schedule.last_epoch < schedule.total_steps - 1:
                schedule.step()
            follow(average, network, min(config.ema, (schedule.last_epoch + 1) / (schedule.last_epoch + 10)))
            total += loss.item()
        save_checkpoint(folder, network, average, optimiser, schedule, epoch + 1)
        progress(f"epoch {epoch + 1}/{config.epochs} loss {total / len(batches):.4f}")
    return average.eval()


def _groups(network: SliceNetwork, config: SliceTraining) -> list[dict[str, object]]:
    """The pretrained backbone learns at a third of the rate of the new layers."""
    backbone = list(network.backbone.parameters())
    known = {id(p) for p in backbone}
    new = [p for p in network.parameters() if id(p) not in known]
    return [{"params": backbone, "lr": config.learning_rate / 3}, {"params": new, "lr": config.learning_rate}]


def _loss(out: SliceOutput, truth: Truth, config: SliceTraining) -> Tensor:
    weight = torch.ones(truth.labels.shape[1], device=truth.labels.device)
    weight[ANY] = 2.0
    target = truth.labels * (1 - config.label_smoothing) + config.label_smoothing / 2
    per_slice = (F.binary_cross_entropy_with_logits(out.logits.float(), target, reduction="none") * weight).sum(1) / 7
    loss = config.label_weight * (per_slice * truth.real).sum() / truth.real.sum().clamp(min=1)
    rare = torch.tensor(config.map_positive_weight, device=weight.device)
    rows, cols = out.lesion_maps.shape[2:]
    cells = F.adaptive_avg_pool2d(truth.maps, (rows, cols))
    lesion, teacher = cells[:, : target.shape[1]], cells[:, target.shape[1] :]
    per_map = F.binary_cross_entropy_with_logits(
        out.lesion_maps.float(), lesion, reduction="none", pos_weight=rare
    ).mean(dim=(2, 3))
    loss = loss + config.lesion_weight * (per_map * truth.known).mean()
    per_map = F.binary_cross_entropy_with_logits(
        out.teacher_maps.float(), teacher, reduction="none", pos_weight=rare
    ).mean(dim=(2, 3))
    return loss + config.teacher_weight * (per_map * truth.taught[:, None]).mean()


def _batches(order: NDArray[np.intp], size: int) -> Iterator[NDArray[np.intp]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _loader(
    pool: Pool, batches: Sequence[NDArray[np.intp]], spec: InputSpec, seed: int
) -> Iterator[tuple[Tensor, ...]]:
    """Prepares the next two batches while the current one trains. Yields x and the fields of `Truth`."""

    def load(number: int) -> tuple[Tensor, ...]:
        index = batches[number]
        pairs = [pool.example(int(k), seed * 10_000 + number) for k in index]
        rows = [(pool.scans[s], i) for s, i in (pool.where[int(k)] for k in index)]
        return (
            torch.from_numpy(normalise(np.stack([grey for grey, _ in pairs]), spec)),
            torch.from_numpy(pool.labels[index].astype(np.float32)),
            torch.from_numpy(np.stack([m for _, m in pairs]).astype(np.float32) / 255),
            torch.from_numpy(np.stack([scan.known[i] for scan, i in rows]).astype(np.float32)),
            torch.tensor([float(scan.taught) for scan, _ in rows]),
            torch.tensor([float(not scan.simulated) for scan, _ in rows]),
        )

    with ThreadPoolExecutor(1) as worker:
        waiting = [worker.submit(load, k) for k in range(min(2, len(batches)))]
        for number in range(len(batches)):
            current = waiting.pop(0).result()
            if number + 2 < len(batches):
                waiting.append(worker.submit(load, number + 2))
            yield current


@torch.no_grad()
def slice_evidence(network: SliceNetwork, scan: Examples, spec: InputSpec, batch: int = 16) -> NDArray[np.float32]:
    """Evidence of every slice: float32 (slices, 16). See `SliceOutput`."""
    device = next(network.parameters()).device
    parts = []
    for start in range(0, len(scan.grey), batch):
        x = torch.from_numpy(normalise(scan.grey[start : start + batch], spec)).to(device)
        parts.append(network(x.contiguous(memory_format=torch.channels_last)).evidence.float().cpu().numpy())
    return np.concatenate(parts)
