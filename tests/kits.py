"""Kits of the tiny network: what tests build where a trained network would be slow."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
from runtime_models import INNER, SPEC, example_feed, expected_inner, expected_logits, tiny_onnx

from edge_aver import __version__
from edge_aver.bundle import Artifact, write_artifact
from edge_aver.bundle.kit import (
    CLIP,
    Kit,
    KitBlock,
    KitGraph,
    KitTensor,
    KitTolerance,
    block_key,
    tensor_key,
    write_kit,
)
from edge_aver.targets import load_profile

NAME = "aver-sa-synthetic-fold1-fp32.jetson-orin-nano.kit"


def tiny_golden() -> dict[str, np.ndarray]:
    feed = example_feed(2)
    return {
        **{tensor_key(CLIP, name): value for name, value in feed.items()},
        tensor_key(CLIP, "logits"): expected_logits(feed).astype(np.float32),
        block_key("colours"): expected_inner(feed)[:1].astype(np.float32),
    }


def tiny_kit(folder: Path, *, golden: dict[str, np.ndarray] | None = None, **changes) -> Path:
    """Write a complete kit for a Jetson Orin Nano, its one graph that of the whole clip; gives its path."""
    path = folder / NAME
    profile = asdict(load_profile("jetson-orin-nano")) | changes
    kit = Kit(
        target="jetson-orin-nano",
        profile={key: value for key, value in profile.items() if value is not None},
        precision="fp32",
        graphs=(
            KitGraph(
                name=CLIP,
                file="clip.onnx",
                inputs=(
                    KitTensor(name="faces", dtype="uint8", shape=(-1, 15, 224, 224, 3), rows=(1, 1, 4)),
                    KitTensor(name="audio", dtype="float32", shape=(-1, 15, 128), rows=(1, 1, 4)),
                ),
                outputs=(KitTensor(name="logits", dtype="float32", shape=(-1, 8)),),
                blocks=(KitBlock(name="colours", tensor=INNER, dtype="float32"),),
            ),
        ),
        tolerance=KitTolerance(max_abs_diff=1e-3, min_sqnr_db=60.0, block_min_sqnr_db=60.0),
        edge_aver=__version__,
        notes=("a note",),
    )
    card = Artifact(path=path, target="jetson-orin-nano", runtime="tensorrt", precision="fp32", spec=SPEC)
    with write_artifact(card, folder=True) as place:
        tiny_onnx(place / "clip.onnx")
        write_kit(place, kit, golden or tiny_golden())
    return path
