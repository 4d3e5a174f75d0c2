"""Networks that are not ours on streams: what is refused before anything is opened."""

from dataclasses import replace

import pytest

from edge_aver.bundle import Artifact
from edge_aver.errors import ArtifactError
from edge_aver.runtime.stream.network import SplitNetwork
from edge_aver.spec import ModelSpec, Preprocessing

SPEC = ModelSpec(architecture="mine", corpus="synthetic", fold=1, network="mine:network")
FACES, AUDIO = SPEC.inputs


def whole(folder, **changes):
    spec = replace(SPEC, **changes)
    path = folder / "aver-mine-synthetic-fold1-int8.onnx"
    return Artifact(path=path, target="onnxruntime-cpu", runtime="onnxruntime", precision="int8", spec=spec)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"inputs": (FACES,)}, "takes faces and audio, both made of media"),
        ({"inputs": (FACES, replace(AUDIO, shape=("batch", 15, 40)))}, "takes faces and audio, both made of media"),
        (
            {"preprocessing": Preprocessing(window_s=7.2)},
            "frames are 0.48 s apart; a stream takes a picture every 0.24",
        ),
        ({}, "--model mine:network --precision int8 --target onnxruntime-cpu --split encoder=MODULE,fusion=MODULE"),
    ],
    ids=["no audio", "features of one's own", "other times", "whole alone"],
)
def test_what_a_stream_cannot_feed_is_refused_in_one_line(tmp_path, changes, said):
    with pytest.raises(ArtifactError) as refused:
        SplitNetwork(whole(tmp_path, **changes))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
