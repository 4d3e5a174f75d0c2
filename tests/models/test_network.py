"""The three architectures: size, sensitivity, exact split, and a graph that every runtime imports."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor

from edge_aver.errors import CheckpointError
from edge_aver.models.network import AverNetwork, block_paths, build_network, count_parameters
from edge_aver.spec import ARCHITECTURES

PAPER_MILLIONS = {"ca": 13.1, "id": 13.1, "sa": 14.9}
IMAGENET_CLASSIFIER = 1280 * 1000 + 1000


@pytest.fixture(scope="module")
def network() -> AverNetwork:
    torch.manual_seed(0)
    return build_network("sa").eval()


@pytest.fixture(scope="module")
def window() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    faces = torch.randint(0, 256, (2, 15, 224, 224, 3), dtype=torch.uint8, generator=generator)
    # Frames differ in brightness, so that their order can matter.
    faces = (faces * torch.linspace(0.2, 1, 15).reshape(1, 15, 1, 1, 1)).to(torch.uint8)
    return faces, torch.randn(2, 15, 128, generator=generator)


def logits(network: AverNetwork, faces: Tensor, audio: Tensor) -> Tensor:
    with torch.inference_mode():
        return network(faces, audio)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_parameters_are_within_four_percent_of_the_paper(architecture: str) -> None:
    counted = count_parameters(build_network(architecture))
    assert counted.paper == counted.deployed + IMAGENET_CLASSIFIER
    assert counted.paper / 1e6 == pytest.approx(PAPER_MILLIONS[architecture], rel=0.04)


def test_self_attention_adds_what_the_paper_says() -> None:
    counts = {name: count_parameters(build_network(name)).deployed for name in ARCHITECTURES}
    assert (counts["sa"] - counts["id"]) / 1e6 == pytest.approx(1.8, rel=0.15)
    assert counts["sa"] / 1e6 == pytest.approx(13.66, abs=0.02)


def test_architectures_differ_in_what_they_concatenate() -> None:
    widths = {name: build_network(name).fusion.classifier.in_features for name in ARCHITECTURES}
    assert widths == {"ca": 2 * 128, "id": 4 * 128, "sa": 6 * 128}


def test_unknown_architecture_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CheckpointError, match="'mlp', expected one of ca, id, sa"):
        build_network("mlp")


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_each_modality_reaches_the_logits(architecture: str, window: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    network = build_network(architecture).eval()
    faces, audio = (item[:1] for item in window)
    both = logits(network, faces, audio)
    assert (logits(network, torch.zeros_like(faces), audio) - both).abs().max() > 1e-4
    assert (logits(network, faces, torch.zeros_like(audio)) - both).abs().max() > 1e-4


def test_order_of_frames_matters_in_each_modality(network: AverNetwork) -> None:
    generator = torch.Generator().manual_seed(2)
    visual, audio = torch.randn(1, 15, 128, generator=generator), torch.randn(1, 15, 128, generator=generator)
    with torch.inference_mode():
        straight = network.fusion(visual, audio)
        assert (network.fusion(visual.flip(1), audio) - straight).abs().max() > 1e-4
        assert (network.fusion(visual, audio.flip(1)) - straight).abs().max() > 1e-4


def test_windows_of_a_batch_do_not_touch_each_other(network: AverNetwork, window: tuple[Tensor, Tensor]) -> None:
    together = logits(network, *window)
    alone = torch.cat([logits(network, faces[None], audio[None]) for faces, audio in zip(*window, strict=True)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_frame_encoder_and_fusion_make_the_whole(network: AverNetwork, window: tuple[Tensor, Tensor]) -> None:
    faces, audio = window
    with torch.inference_mode():
        visual = network.frame_encoder(faces.reshape(-1, 224, 224, 3))
        parts = network.fusion(visual.reshape(-1, 15, 128), audio)
    assert visual.shape == (30, 128)
    torch.testing.assert_close(parts, logits(network, faces, audio), rtol=0, atol=1e-5)


def test_audio_normalisation_lives_in_the_graph(window: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    fusion = build_network("id").eval().fusion
    visual, audio = torch.randn(2, 15, 128), window[1]
    with torch.inference_mode():
        plain = fusion(visual, audio)
        fusion.set_audio_normalisation(torch.full((128,), 3.0), torch.full((128,), 2.0))
        torch.testing.assert_close(fusion(visual, audio * 2 + 3), plain, rtol=1e-4, atol=1e-5)


def test_a_constant_audio_feature_stays_finite() -> None:
    fusion = build_network("ca").eval().fusion
    fusion.set_audio_normalisation(torch.zeros(128), torch.zeros(128))
    with torch.inference_mode():
        assert torch.isfinite(fusion(torch.zeros(1, 15, 128), torch.full((1, 15, 128), 1e-6))).all()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_block_is_a_module(architecture: str) -> None:
    network = build_network(architecture)
    paths = block_paths(network)
    assert [network.get_submodule(path) for path in paths.values()]
    assert ("self_audio" in paths) == (architecture == "sa")
    assert list(paths)[:2] == ["stem", "stage0"]
    assert list(paths)[-1] == "classifier"
    assert sum(name.startswith("stage") for name in paths) == len(network.frame_encoder.backbone.blocks)


@pytest.mark.filterwarnings("ignore:# The axis name. batch will not be used:UserWarning")
def test_it_exports_with_a_free_batch_and_agrees(network: AverNetwork, tmp_path: Path) -> None:
    faces = torch.zeros(2, 15, 224, 224, 3, dtype=torch.uint8)
    batch = torch.export.Dim("batch")
    program = torch.onnx.export(
        network,
        (faces, torch.zeros(2, 15, 128)),
        dynamo=True,
        opset_version=18,
        input_names=["faces", "audio"],
        output_names=["logits"],
        dynamic_shapes={"faces": {0: batch}, "audio": {0: batch}},
        verbose=False,
    )
    assert program is not None
    program.save(tmp_path / "sa.onnx")
    _check_graph(tmp_path / "sa.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "sa.onnx", providers=["CPUExecutionProvider"])
    generator = np.random.default_rng(3)
    for count in (1, 3):
        faces_array = generator.integers(0, 256, (count, 15, 224, 224, 3), dtype=np.uint8)
        audio_array = generator.standard_normal((count, 15, 128), dtype=np.float32)
        (got,) = session.run(None, {"faces": faces_array, "audio": audio_array})
        expected = logits(network, torch.from_numpy(faces_array), torch.from_numpy(audio_array)).numpy()
        assert np.abs(got - expected).max() < 1e-3


def _check_graph(path: Path) -> None:
    """A Cast comes first on the faces, and nothing in the graph asks for a shape at run time."""
    graph = onnx.load(path).graph
    assert [node.op_type for node in graph.node if "faces" in node.input] == ["Cast"]
    assert not {node.op_type for node in graph.node} & {"Shape", "Range", "Gather", "If", "Loop", "Pad", "Expand"}
