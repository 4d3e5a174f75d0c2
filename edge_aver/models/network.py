"""The audiovisual networks `ca`, `id` and `sa`: a frame encoder and a fusion, which split exactly between them."""

import torch
from torch import Tensor, nn

from edge_aver.errors import CheckpointError
from edge_aver.models.attention import CrossBlock, SelfBlock
from edge_aver.models.backbone import FEATURES, build_backbone
from edge_aver.spec import ARCHITECTURES, AUDIO_FEATURES, LABELS, Parameters, Preprocessing

__all__ = [
    "AverNetwork",
    "FrameEncoder",
    "Fusion",
    "block_paths",
    "build_network",
    "count_parameters",
]

WIDTH = 128
"""Features a frame and modality that the fusion works on (paper, 4.2.2)."""

_CONSTANTS = Preprocessing()
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_IMAGENET_CLASSIFIER = FEATURES * 1000 + 1000
_SMALLEST_STD = 1e-3
_STAGES = 6


def build_network(architecture: str, outputs: int = len(LABELS)) -> "AverNetwork":
    """A network with random weights (nothing is fetched).

    Args:
        architecture: `ca` (cross-attention), `id` (+ input data) or `sa` (+ self-attention).
        outputs: of the classifier: how many labels its corpus has.

    Raises:
        CheckpointError: unknown architecture.
    """
    if architecture not in ARCHITECTURES:
        raise CheckpointError(f"unknown architecture {architecture!r}, expected one of {', '.join(ARCHITECTURES)}")
    return AverNetwork(architecture, outputs)


def count_parameters(network: nn.Module) -> Parameters:
    """Count what is deployed, and the paper's way: with the backbone's ImageNet classifier (paper, 4.2.2)."""
    deployed = sum(parameter.numel() for parameter in network.parameters())
    return Parameters(deployed=deployed, paper=deployed + _IMAGENET_CLASSIFIER)


def block_paths(network: "AverNetwork") -> dict[str, str]:
    """Module path of every block, in order of execution: what the parity ladder compares and names."""
    backbone = "frame_encoder.backbone"
    stages = {f"stage{i}": f"{backbone}.blocks.{i}" for i in range(_STAGES)}
    paths = {"stem": f"{backbone}.bn1", **stages, "head": f"{backbone}.bn2", "visual_dense": "frame_encoder.dense"}
    paths |= {"cross_av": "fusion.audio_to_visual", "cross_va": "fusion.visual_to_audio"}
    if network.architecture == "sa":
        paths |= {"self_visual": "fusion.visual_self", "self_audio": "fusion.audio_self"}
    return {**paths, "classifier": "fusion.classifier"}


class AverNetwork(nn.Module):
    """Faces and speech of one window to emotion logits.

    Args:
        architecture: one of `ARCHITECTURES`.
        outputs: of the classifier.
    """

    def __init__(self, architecture: str, outputs: int = len(LABELS)) -> None:
        super().__init__()
        self.architecture = architecture
        self.frame_encoder = FrameEncoder()
        self.fusion = Fusion(architecture, outputs)

    def forward(self, faces: Tensor, audio: Tensor) -> Tensor:
        """Classify N windows; zeros stand for a missing modality (paper, 4.2.2).

        Args:
            faces: (N, 15, 224, 224, 3) uint8 RGB.
            audio: (N, 15, 128) float32, as the clip contract makes it.

        Returns:
            logits: (N, L) float32, in the order of the corpus's labels.
        """
        frames, side = _CONSTANTS.frames, _CONSTANTS.face_size_px
        # The cast comes before the reshape: TensorRT takes no operation but Cast on a uint8 input.
        pixels = faces.to(torch.float32).reshape(-1, side, side, 3)
        visual = self.frame_encoder(pixels).reshape(-1, frames, WIDTH)
        logits: Tensor = self.fusion(visual, audio)
        return logits


class FrameEncoder(nn.Module):
    """EfficientNetV2-B0 and a dense layer, on each frame by itself; normalisation happens inside."""

    mean: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        # Not persistent: constants of the contract, not of a training.
        self.register_buffer("mean", 255 * torch.tensor(IMAGENET_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / (255 * torch.tensor(IMAGENET_STD)).reshape(1, 3, 1, 1), persistent=False)
        self.backbone = build_backbone()
        self.dense = nn.Linear(FEATURES, WIDTH)

    def forward(self, frames: Tensor) -> Tensor:
        """Encode M frames: (M, 224, 224, 3) uint8 RGB, or float32 of the same values, to (M, 128)."""
        encoded: Tensor = self.dense(self.pooled(frames))
        return encoded

    def pooled(self, frames: Tensor) -> Tensor:
        """The backbone's part of `forward`: (M, 1280), what is cached where the backbone is frozen."""
        pixels = frames.to(torch.float32).permute(0, 3, 1, 2)
        features: Tensor = self.backbone((pixels - self.mean) * self.scale)
        return features.mean(dim=(2, 3))


class Fusion(nn.Module):
    """Cross-attention both ways and what the architecture adds, pooled over frames into the classifier.

    Args:
        architecture: one of `ARCHITECTURES`.
        outputs: of the classifier.
    """

    audio_mean: Tensor
    audio_std: Tensor

    def __init__(self, architecture: str, outputs: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.register_buffer("audio_mean", torch.zeros(AUDIO_FEATURES))
        self.register_buffer("audio_std", torch.ones(AUDIO_FEATURES))
        self.visual_position = nn.Parameter(_positions(WIDTH))
        self.audio_position = nn.Parameter(_positions(AUDIO_FEATURES))
        self.audio_to_visual = CrossBlock(WIDTH)
        self.visual_to_audio = CrossBlock(WIDTH)
        if architecture == "sa":
            self.visual_self = SelfBlock(WIDTH)
            self.audio_self = SelfBlock(WIDTH)
        self.classifier = nn.Linear({"ca": 2, "id": 4, "sa": 6}[architecture] * WIDTH, outputs)

    def set_audio_normalisation(self, mean: Tensor, std: Tensor) -> None:
        """Take each feature's mean and standard deviation, both (128,), from the training clips."""
        self.audio_mean.copy_(mean)
        self.audio_std.copy_(std.clamp(min=_SMALLEST_STD))

    def forward(self, visual: Tensor, audio: Tensor) -> Tensor:
        """Fuse (N, 15, 128) encoded frames with (N, 15, 128) raw audio features into logits (N, L)."""
        audio = (audio - self.audio_mean) / self.audio_std
        placed_visual, placed_audio = visual + self.visual_position, audio + self.audio_position
        parts = [
            self.audio_to_visual(placed_visual, placed_audio),
            self.visual_to_audio(placed_audio, placed_visual),
        ]
        if self.architecture in ("id", "sa"):
            parts += [visual, audio]
        if self.architecture == "sa":
            parts += [self.visual_self(placed_visual), self.audio_self(placed_audio)]
        pooled = torch.cat([part.mean(dim=1) for part in parts], dim=1)
        logits: Tensor = self.classifier(pooled)
        return logits


def _positions(width: int) -> Tensor:
    return 0.02 * torch.randn(_CONSTANTS.frames, width)
