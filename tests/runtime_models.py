"""A tiny network with the real interface, and artifacts of it: what tests run where a trained one would be slow."""

from pathlib import Path

import numpy as np
import pytest

from edge_aver.bundle import Artifact, open_artifact, write_artifact
from edge_aver.spec import LABELS, SPEC_KEY, ModelSpec
from edge_aver.targets import load_profile, runtime_module

INNER = "picture"
"""Name of an inner tensor: the mean colour of each frame, (N, 15, 3)."""

_RANDOM = np.random.default_rng(0)
_COLOUR = _RANDOM.normal(size=(15 * 3, len(LABELS))).astype(np.float32)
_SOUND = _RANDOM.normal(size=(15 * 128, len(LABELS))).astype(np.float32) / 16

SPEC = ModelSpec(
    architecture="sa", corpus="synthetic", fold=1, train_actors=tuple(range(9, 25)), test_actors=(1, 2, 3, 4)
)


def example_feed(clips: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(clips)
    return {
        "faces": random.integers(0, 256, (clips, 15, 224, 224, 3), dtype=np.uint8),
        "audio": random.normal(size=(clips, 15, 128)).astype(np.float32),
    }


def expected_inner(feed: dict[str, np.ndarray]) -> np.ndarray:
    return feed["faces"].mean(axis=(2, 3), dtype=np.float64) / 255


def expected_logits(feed: dict[str, np.ndarray]) -> np.ndarray:
    clips = len(feed["audio"])
    return expected_inner(feed).reshape(clips, -1) @ _COLOUR + feed["audio"].reshape(clips, -1) @ _SOUND


def tiny_onnx(path: Path, *, operator: str = "Add") -> Path:
    """Write the network: mean colours and all audio values into one linear layer; `operator` joins the two."""
    onnx = pytest.importorskip("onnx", reason="onnx builds the network of this test")
    helper, tensor = onnx.helper, onnx.numpy_helper.from_array
    constants = {
        "sides": np.array([2, 3]),
        "white": np.float32(255),
        "flat": np.array([0, -1]),
        "colour": _COLOUR,
        "sound": _SOUND,
    }
    nodes = [
        helper.make_node("Cast", ["faces"], ["pixels"], to=onnx.TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "sides"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], [INNER]),
        helper.make_node("Reshape", [INNER, "flat"], ["colours"]),
        helper.make_node("MatMul", ["colours", "colour"], ["seen"]),
        helper.make_node("Reshape", ["audio", "flat"], ["sounds"]),
        helper.make_node("MatMul", ["sounds", "sound"], ["heard"]),
        helper.make_node(operator, ["seen", "heard"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("faces", onnx.TensorProto.UINT8, ["batch", 15, 224, 224, 3]),
            helper.make_tensor_value_info("audio", onnx.TensorProto.FLOAT, ["batch", 15, 128]),
        ],
        [helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["batch", len(LABELS)])],
        [tensor(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    path.write_bytes(model.SerializeToString())
    return path


def build_engine(runtime: str, folder: Path, *, metadata: dict[str, str] | None = None, operator: str = "Add") -> Path:
    """Build the tiny network for a runtime; skips where the runtime is not installed."""
    module = _module(runtime)
    lowered = tiny_onnx(folder / "lowered.onnx", operator=operator)
    engine = folder / f"tiny{module.suffix}"
    if module.is_folder:
        engine.mkdir()
    module.build(lowered, engine, metadata=metadata or {})
    return engine


def tiny_artifact(folder: Path, *, target: str, precision: str = "fp32") -> Artifact:
    """Write a complete artifact of the tiny network for a target."""
    profile = load_profile(target)
    module = _module(profile.runtime)
    artifact = Artifact(
        path=folder / f"aver-sa-synthetic-fold1-{precision}{module.suffix}",
        target=target,
        runtime=profile.runtime,
        precision=precision,
        spec=SPEC,
    )
    lowered = tiny_onnx(folder / ".lowered.onnx")
    with write_artifact(artifact, folder=module.is_folder) as place:
        module.build(lowered, place, metadata={SPEC_KEY: SPEC.to_json()})
    return open_artifact(artifact.path)


def _module(runtime):
    library = {"onnxruntime": "onnxruntime", "openvino": "openvino"}[runtime]
    pytest.importorskip(library, reason=f"runtime {runtime} is not installed")
    return runtime_module(runtime)
