"""A small network with the blocks that lowering tells apart, and clips for it."""

import numpy as np
from graphs import make_model
from onnx import TensorProto, helper

CONVS = ("frame_encoder.backbone.conv_stem/Conv_0", "frame_encoder.backbone.blocks.0.0.conv/Conv_0")
NORM = "fusion.audio_self.0.norm/LayerNormalization_0"
CLASSIFIER = "fusion.classifier/Gemm_0"

_CHANCE = np.random.default_rng(0)
_WEIGHTS = _CHANCE.normal(size=(2, 16, 16, 3, 3)).astype(np.float32) / 8


def small_network(*, gain=1.0):
    """Two convolutions with SiLU between them, an average, LayerNorm and a Gemm.

    `gain` makes what leaves the first convolution so many times larger; the second one takes it back, and no SiLU
    stands between them where it is not 1.
    """
    first, second = CONVS
    between = "c0" if gain != 1.0 else "y0"
    silu = [] if gain != 1.0 else _silu("c0", "y0", "frame_encoder.backbone.bn1.act")
    nodes = [
        helper.make_node("Conv", ["x", "w0"], ["c0"], name=first, pads=[1, 1, 1, 1]),
        *silu,
        helper.make_node("Conv", [between, "w1"], ["c1"], name=second, pads=[1, 1, 1, 1]),
        *_silu("c1", "y1", "frame_encoder.backbone.blocks.0.0.bn1.act"),
        helper.make_node(
            "ReduceMean", ["y1", "sides"], ["m"], name="frame_encoder.backbone.global_pool/ReduceMean_0", keepdims=0
        ),
        helper.make_node("LayerNormalization", ["m", "ones"], ["n"], name=NORM),
        helper.make_node("Gemm", ["n", "w2"], ["y"], name=CLASSIFIER),
    ]
    constants = {
        "w0": _WEIGHTS[0] * np.float32(gain),
        "w1": _WEIGHTS[1] / np.float32(gain),
        "w2": _CHANCE.normal(size=(16, 8)).astype(np.float32),
        "sides": np.array([2, 3]),
        "ones": np.ones(16, np.float32),
    }
    ends = (("x", ["batch", 16, 8, 8]), ("y", ["batch", 8]))
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in ends)
    return make_model(nodes, constants, inputs=[x], outputs=[y])


def clips(count, *, seed=1):
    """Inputs of the network."""
    chance = np.random.default_rng(seed)
    return [{"x": chance.normal(size=(1, 16, 8, 8)).astype(np.float32)} for _ in range(count)]


def _silu(source, out, scope):
    return [
        helper.make_node("Sigmoid", [source], [f"{source}/gate"], name=f"{scope}/Sigmoid_0"),
        helper.make_node("Mul", [source, f"{source}/gate"], [out], name=f"{scope}/Mul_0"),
    ]
