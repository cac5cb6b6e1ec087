"""The slice network: a truncated EfficientNet-Lite0 that is taught where to look.

Backbone: EfficientNet-Lite0 (Tan & Le 2019, arXiv:1905.11946, the TensorFlow "lite" variant) up to stride 16: the
bleeds are small, and five such networks fit in one bundle. Stride 16 also sees its own mirror image: blood breaks the
left-right symmetry of the brain. Two segmentation heads exist for supervision: the types (boxes, simulated bleeds) and
the teacher's tissue classes. The first one's `any` map steers attention pooling, so that the label is decided from
where blood is seen rather than from the scalp; no gradient flows back into it from there, so that it stays a map of
blood.

Pooling is the mean of a feature map: class-activation maps are exact (Zhou et al. 2016, arXiv:1512.04150), because
features = [P, H*W*attention*P] and logits = W * mean(features) + b.
"""

from dataclasses import dataclass
from typing import Any, Final

import timm
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ichscan.labels import ANY, LABELS

TEACHER_CLASSES: Final = 4
WIDTH: Final = 96
TOP: Final = 8
"""Number of most suspicious cells (of 32 x 32) whose mean is the evidence of a map."""
STAGES: Final = 5
"""Stages of the backbone up to stride 16; the other two hold three quarters of its weights."""
EVIDENCE: Final = 2 * len(LABELS) + TEACHER_CLASSES


@dataclass(frozen=True, slots=True)
class SliceOutput:
    """Outputs for n slices.

    Attributes:
        logits: (n, 6).
        lesion_maps: (n, 6, h, w), logits per cell and label.
        teacher_maps: (n, 4, h, w), logits of the teacher's classes.
        features: (n, k, h, w); `logits` = mean over h, w, then the linear head.
        evidence: (n, 16): logits, strongest lesion cells per label, strongest teacher cells per class.
    """

    logits: Tensor
    lesion_maps: Tensor
    teacher_maps: Tensor
    features: Tensor
    evidence: Tensor


def _separable(channels: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels),
        nn.ReLU6(inplace=True),
    )


class SliceNetwork(nn.Module):
    """Input float32 (n, channels, size, size), normalised; see `SliceOutput`."""

    backbone: Any  # timm is not typed

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.backbone = timm.create_model(
            "tf_efficientnet_lite0", pretrained=False, features_only=True, in_chans=channels, out_indices=(2, 3)
        )
        self.backbone.blocks = self.backbone.blocks[:STAGES]
        fine, coarse = self.backbone.feature_info.channels()
        self.lateral = nn.Conv2d(fine, WIDTH, 1)
        self.mirror = nn.Conv2d(2 * coarse, WIDTH, 1)
        self.smooth = nn.Sequential(_separable(WIDTH), _separable(WIDTH))
        self.lesion = nn.Conv2d(WIDTH, len(LABELS), 1)
        self.teacher = nn.Conv2d(WIDTH, TEACHER_CLASSES, 1)
        self.attend = nn.Conv2d(WIDTH, 1, 1)
        self.dropout = nn.Dropout(0.3)
        self.head = nn.Linear(2 * WIDTH, len(LABELS))
        for maps in (self.lesion, self.teacher):
            if maps.bias is not None:
                nn.init.constant_(maps.bias, -4.0)  # lesions cover about 1 in 50 cells: start from that prior

    def forward(self, x: Tensor) -> SliceOutput:
        fine, coarse = self.backbone(x)
        coarse = self.mirror(torch.cat([coarse, coarse.flip(3)], dim=1))
        fine = self.lateral(fine) + F.interpolate(coarse, scale_factor=2.0, mode="bilinear", align_corners=False)
        p = self.smooth(fine)
        lesion_maps, teacher_maps = self.lesion(p), self.teacher(p)
        cells = p.shape[2] * p.shape[3]
        look = self.attend(p)[:, 0] + lesion_maps[:, ANY].detach()
        attention = torch.softmax(look.flatten(1), dim=1).view(-1, 1, p.shape[2], p.shape[3])
        features = torch.cat([p, p * attention * cells], dim=1)
        logits = self.head(self.dropout(features.mean(dim=(2, 3))))
        evidence = torch.cat([logits, _strongest(lesion_maps), _strongest(teacher_maps)], dim=1)
        return SliceOutput(logits, lesion_maps, teacher_maps, features, evidence)


def _strongest(maps: Tensor) -> Tensor:
    """Mean of the TOP largest cells of each map: (n, c, h, w) -> (n, c)."""
    return maps.flatten(2).topk(TOP, dim=2).values.mean(dim=2)
