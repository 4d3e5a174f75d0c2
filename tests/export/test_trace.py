import numpy as np
import onnx
import pytest
import torch

from edge_aver.export.trace import OPSET, read_blocks
from edge_aver.models.network import block_paths
from edge_aver.quantize.blocks import block_of
from edge_aver.targets import runtime_module


def test_the_interface_is_that_of_the_design(traced):
    graph = onnx.load(traced[1]).graph
    shapes = {
        item.name: [size.dim_param or size.dim_value for size in item.type.tensor_type.shape.dim]
        for item in (*graph.input, *graph.output)
    }

    assert shapes == {"faces": ["batch", 15, 224, 224, 3], "audio": ["batch", 15, 128], "logits": ["batch", 8]}
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [node.op_type for node in graph.node if "faces" in node.input and node.op_type != "Shape"] == ["Cast"]
    assert onnx.load(traced[1]).opset_import[0].version == OPSET


@pytest.mark.parametrize("batch", [1, 3])
def test_any_batch_gives_the_logits_of_pytorch(traced, batch):
    network, path = traced
    chance = np.random.default_rng(0)
    faces = chance.integers(0, 256, (batch, 15, 224, 224, 3), dtype=np.uint8)
    audio = chance.normal(size=(batch, 15, 128)).astype(np.float32)

    with torch.inference_mode():
        expected = network(torch.from_numpy(faces), torch.from_numpy(audio)).numpy()
    with runtime_module("onnxruntime").open_runner(path) as runner:
        logits = runner.infer({"faces": faces, "audio": audio})["logits"]

    assert logits.shape == (batch, 8)
    np.testing.assert_allclose(logits, expected, atol=1e-4)


def test_every_node_is_named_for_its_module_and_belongs_to_a_block(traced):
    graph = onnx.load(traced[1]).graph
    names = [node.name for node in graph.node]

    assert len(set(names)) == len(names)
    assert [name for name in names if block_of(name) is None] == []
    assert "frame_encoder.dense/Gemm_0" in names


def test_blocks_are_recorded_in_order_with_tensors_of_the_graph(traced):
    network, path = traced
    blocks = read_blocks(path)
    made = {output for node in onnx.load(path).graph.node for output in node.output}

    assert list(blocks) == list(block_paths(network))
    assert set(blocks.values()) <= made
    assert blocks["classifier"] == "logits"


def test_nothing_of_this_machine_stays_in_the_file(traced):
    data = traced[1].read_bytes()

    assert b"site-packages" not in data
    assert __file__.encode().rsplit(b"/", 2)[0] not in data
    assert b"stack_trace" not in data
