"""The tables of a workbench recipe that concern features and whole scans."""

from dataclasses import dataclass, field
from typing import Final

from ichscan.errors import UsageError
from ichscan.train.workbench_tables import Training, one_of, within

VARIANTS: Final = ("none", "hflip", "transpose")
SELECTIONS: Final = ("all", "std", "weights_largest", "weights_smallest", "pca", "predictions")
SCAN_MODELS: Final = ("none", "mean", "bilstm_residual", "bilstm", "gru_conv", "transformer")
SCAN_TRAINING: Final = Training(epochs=4, batch=1, learning_rate=1e-4, keep="last")


@dataclass(frozen=True, slots=True)
class Features:
    """Recipe table [features]: embeddings of every slice, without augmentation.

    Attributes:
        epochs: epochs (counted from 1) whose weights give a feature set; empty = those that [training].keep keeps
            (P0: 1, 2, 3).
        variants: test-time variants: "none", "hflip", "transpose".
        batch: slices per forward pass.
        precision: "32", "bf16" or "fp16" of the forward pass; stored as float32.
    """

    epochs: tuple[int, ...] = ()
    variants: tuple[str, ...] = ("none",)
    batch: int = 64
    precision: str = "32"

    def __post_init__(self) -> None:
        for variant in self.variants:
            one_of("[features].variants", variant, VARIANTS)
        if not self.variants or len(set(self.variants)) != len(self.variants):
            raise UsageError(f"[features].variants: expected each variant once, found {self.variants}")
        one_of("[features].precision", self.precision, ("32", "bf16", "fp16"))
        within("[features].batch", self.batch, 1)


@dataclass(frozen=True, slots=True)
class Select:
    """Recipe table [select]: which features the scan model sees (P2 section 3.2).

    Attributes:
        method: "all" (P0), "std" = largest standard deviation, "weights_largest" or "weights_smallest" = by magnitude
            of the classifier's weights, "pca", or "predictions" = the slice model's probabilities only.
        count: features kept (P2: 120 or 192); 0 = all.
        fitted_on: slices that standard deviation or PCA are fitted on (P2: 30,000); 0 = all training slices.
        seed: chooses those slices.
    """

    method: str = "all"
    count: int = 0
    fitted_on: int = 30_000
    seed: int = 0

    def __post_init__(self) -> None:
        one_of("[select].method", self.method, SELECTIONS)
        for name in ("count", "fitted_on"):
            within(f"[select].{name}", getattr(self, name), 0)


@dataclass(frozen=True, slots=True)
class Sequence:
    """Recipe table [sequence]: the scan model.

    Attributes:
        kind: "none"; "mean" = weighted moving mean of logits; "bilstm_residual" (P0); "bilstm" (P2);
            "gru_conv" (Wang 2021, first place); "transformer".
        hidden: units per direction (P0: 2048; P2: 256).
        layers: stacked recurrent or encoder layers (P0: 2; P2: 3).
        dropout: between layers (P2: .3); spatial dropout of the input for "bilstm_residual" (P0: 0).
        deltas: [e, e_t - e_(t-1), e_t - e_(t+1)] as input (P0).
        join: the slice model's probabilities join the scan model's output before its classifier (P2).
        weights: of the moving mean, centred (second place of RSNA 2019: .6, 1.8, .6); the ends of a scan repeat.
        heads: attention heads of "transformer".
        scan_head: learn a scan output as well.
        scan_weight: weight of the scan output's loss.
        any_weight: weight of `any` in the loss beside the types' 1, when all six labels are learned (the RSNA score: 2;
            P2 equation 1 and P0's masked cross-entropy: 1).
        scan_top: slices whose highest logits are averaged for the scan when no scan output is learned.
        training: table [sequence.training] (P0: Adam 1e-5, 12 epochs, batch 4, step; P2: 1e-4, 4 epochs, batch 1).
    """

    kind: str = "none"
    hidden: int = 256
    layers: int = 2
    dropout: float = 0.0
    deltas: bool = False
    join: bool = False
    weights: tuple[float, ...] = (0.6, 1.8, 0.6)
    heads: int = 4
    scan_head: bool = False
    scan_weight: float = 1.0
    any_weight: float = 2.0
    scan_top: int = 2
    training: Training = field(default=SCAN_TRAINING)

    def __post_init__(self) -> None:
        one_of("[sequence].kind", self.kind, SCAN_MODELS)
        for name in ("hidden", "layers", "heads", "scan_top"):
            within(f"[sequence].{name}", getattr(self, name), 1)
        within("[sequence].dropout", self.dropout, 0, 0.99)
        for name in ("scan_weight", "any_weight"):
            within(f"[sequence].{name}", getattr(self, name), 0)
        if len(self.weights) % 2 == 0 or min(self.weights) < 0 or sum(self.weights) <= 0:
            raise UsageError(f"[sequence].weights: expected an odd number of weights >= 0, found {self.weights}")
