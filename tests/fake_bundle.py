"""A model bundle of a few hundred bytes, made without torch: bright pixels raise every logit."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

SIZE = 64
MAP = 8
CHANNELS = 3


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: dict[str, np.ndarray]) -> bytes:
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "fake", inputs, outputs, weights)
    model: ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return model.SerializeToString()


def slice_network() -> bytes:
    """Features = the input pooled to 8 x 8; class maps = their mean, scaled per label; evidence = pooled class maps."""
    kernel = SIZE // MAP
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("AveragePool", ["slices"], ["features"], kernel_shape=[kernel] * 2, strides=[kernel] * 2),
        helper.make_node("Conv", ["features", "weight"], ["class_maps"]),
        helper.make_node("ReduceMean", ["class_maps"], ["evidence"], axes=[2, 3], keepdims=0),
    ]
    weight = np.repeat(np.array([0.2, 0.4, 0.6, 0.8, 1.0, 1.2], np.float32)[:, None], CHANNELS, axis=1)
    outputs = [
        info("features", TensorProto.FLOAT, ["n", CHANNELS, MAP, MAP]),
        info("class_maps", TensorProto.FLOAT, ["n", 6, MAP, MAP]),
        info("evidence", TensorProto.FLOAT, ["n", 6]),
    ]
    inputs = [info("slices", TensorProto.FLOAT, ["n", CHANNELS, SIZE, SIZE])]
    return _model(nodes, inputs, outputs, {"weight": weight[:, :, None, None]})


def blood_network() -> bytes:
    """Class maps of 32 x 32 cells: what is bright in the first channel and dark in the others; evidence = their peak.

    With `BLOOD` as channels that is 40 to 90 HU, and neither bone nor what lies between bone and brain.
    """
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node(
            "AveragePool", ["slices"], ["features"], kernel_shape=[4, 4], strides=[2, 2], pads=[1, 1, 1, 1]
        ),
        helper.make_node("Conv", ["features", "weight"], ["class_maps"]),
        helper.make_node("ReduceMax", ["class_maps"], ["peak"], axes=[2, 3], keepdims=0),
        helper.make_node("Mul", ["peak", "gain"], ["raised"]),
        helper.make_node("Sub", ["raised", "level"], ["evidence"]),
    ]
    weight = np.repeat(np.array([[1, -3, -3]], np.float32), 6, axis=0)
    constants = {"weight": weight[:, :, None, None], "gain": np.float32([20]), "level": np.float32([8])}
    outputs = [
        info("features", TensorProto.FLOAT, ["n", CHANNELS, 32, 32]),
        info("class_maps", TensorProto.FLOAT, ["n", 6, 32, 32]),
        info("evidence", TensorProto.FLOAT, ["n", 6]),
    ]
    inputs = [info("slices", TensorProto.FLOAT, ["n", CHANNELS, SIZE, SIZE])]
    return _model(nodes, inputs, outputs, constants)


BLOOD = {
    "channels": [{"center": c, "width": w, "offset_mm": 0.0} for c, w in ((65.0, 50.0), (110.0, 20.0), (300.0, 200.0))],
    "mean": [0.0] * CHANNELS,
    "std": [1.0] * CHANNELS,
}


def scan_network() -> bytes:
    """Slice logits = evidence; scan logits = their maximum."""
    info = helper.make_tensor_value_info
    nodes = [
        helper.make_node("Identity", ["evidence"], ["slice_logits"]),
        helper.make_node("ReduceMax", ["evidence"], ["scan_logits"], axes=[0], keepdims=0),
    ]
    outputs = [info("slice_logits", TensorProto.FLOAT, ["t", 6]), info("scan_logits", TensorProto.FLOAT, [6])]
    return _model(nodes, [info("evidence", TensorProto.FLOAT, ["t", 6])], outputs, {})


def spec(weights: dict[str, bytes]) -> dict[str, Any]:
    level = {"scale": [1.0] * 6, "offset": [0.0] * 6}
    thresholds = {"value": [0.5] * 6, "rule": "fixed", "chosen_on": "nothing"}
    windows = ((40.0, 80.0), (80.0, 200.0), (40.0, 380.0))
    return {
        "schema": "ichscan.bundle/1",
        "name": "fake",
        "version": "0",
        "input": {
            "channels": [{"center": c, "width": w, "offset_mm": 0.0} for c, w in windows],
            "crop": "head",
            "size": SIZE,
            "mean": [0.3] * CHANNELS,
            "std": [0.3] * CHANNELS,
        },
        "calibration": {"slice": level, "scan": level},
        "thresholds": {"slice": thresholds, "scan": thresholds},
        "weights": {name: hashlib.sha256(data).hexdigest() for name, data in weights.items()},
        "about": {},
        "labels": ["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"],
    }


def write_blood_bundle(folder: Path) -> Path:
    """A bundle in which nothing but blood, 40 to 90 HU, raises probabilities: it finds simulated lesions."""
    return write_fake_bundle(folder, blood_network(), **BLOOD)


def write_fake_bundle(folder: Path, network: bytes | None = None, **changes: Any) -> Path:
    """Writes the bundle; `changes` replace keys of its spec's input."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {"slice.onnx": network or slice_network(), "scan.onnx": scan_network()}
    for name, data in weights.items():
        (folder / name).write_bytes(data)
    content = spec(weights)
    content["input"] |= changes
    (folder / "spec.json").write_text(json.dumps(content), encoding="utf-8")
    return folder
