"""One ONNX network on the CPU: opened from bytes that were checked before, run by named inputs and outputs."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ichscan.errors import BundleError
from ichscan.types import Float32

ERRORS_ONLY: Final = 3


def available_cpus() -> int:
    """CPUs that this process may use (containers and batch systems often give fewer than the machine has)."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Network:
    """An ONNX Runtime session with the names and shapes of what goes in and comes out.

    Attributes:
        inputs: name -> shape; a free axis is a string or None.
        outputs: names.
    """

    name: str
    session: Any
    inputs: dict[str, tuple[int | str | None, ...]]
    outputs: tuple[str, ...]

    def run(self, outputs: Sequence[str], **inputs: Float32) -> list[Float32]:
        """Computes only the named outputs.

        Raises:
            BundleError: the network refuses its input or fails.
        """
        try:
            result: list[Float32] = self.session.run(list(outputs), inputs)
        except Exception as error:  # ONNX Runtime raises its own classes, which share no base but Exception
            shapes = {name: array.shape for name, array in inputs.items()}
            raise BundleError(
                f"{self.name}: cannot be run on {shapes} ({_one_line(error)}); reinstall the model"
            ) from error
        return result


def open_network(weights: bytes, name: str, threads: int | None = None) -> Network:
    """Opens an ONNX network for the CPU.

    Args:
        weights: the whole file; weights kept in further files are refused, since they would not be checked.
        name: for messages.
        threads: of one operator; all available CPUs when None.

    Raises:
        BundleError: the bytes are no ONNX network that this ONNX Runtime can run.
    """
    import onnxruntime

    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or available_cpus()
    options.inter_op_num_threads = 1
    options.log_severity_level = ERRORS_ONLY
    # Threads that wait for work would otherwise take the processor from the thread that prepares the next slices.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise BundleError(
            f"{name}: not a network that ONNX Runtime can run ({_one_line(error)}); reinstall the model"
        ) from error
    inputs = {node.name: tuple(node.shape) for node in session.get_inputs()}
    return Network(name, session, inputs, tuple(node.name for node in session.get_outputs()))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
