"""First weights of timm's networks: fetched by the name timm gives them, read back, or told in one line."""

from pathlib import Path
from urllib.error import URLError

import pytest
import timm
import torch
from safetensors.torch import save_file

from edge_aver.errors import CheckpointError
from edge_aver.models import face_weights
from edge_aver.models.backbones import build_face_network
from edge_aver.models.face_weights import fetch_face_weights


def test_weights_of_the_hub_are_asked_for_by_timms_own_name(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(face_weights, "fetch_weights", lambda *asking: asked.append(asking) or tmp_path / "w")
    found = fetch_face_weights("convnext_tiny")
    assert found == ("convnext_tiny.in12k_ft_in1k", tmp_path / "w")
    assert asked[0][0] == "timm/convnext_tiny.in12k_ft_in1k"
    assert 'set weights = "random"' in asked[0][1]


def test_weights_that_are_not_on_the_hub_come_from_timms_address_once(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    fetched = []

    def download(url, path, progress):
        fetched.append(url)
        Path(path).write_bytes(b"weights")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    for _ in range(2):
        assert fetch_face_weights("legacy_xception").path.read_bytes() == b"weights"
    assert len(fetched) == 1
    assert fetched[0].startswith("https://")


def test_what_cannot_be_fetched_is_one_line_that_says_what_else_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))

    def download(*asking, **more):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(CheckpointError, match=r'cannot be fetched from https.*no route to host.*weights = "random"'):
        fetch_face_weights("legacy_xception")


def test_networks_without_weights_and_unknown_ones_are_told_apart():
    assert fetch_face_weights("resnetv2_152") is None
    with pytest.raises(CheckpointError, match="has no network 'resnet_of_mine'"):
        fetch_face_weights("resnet_of_mine")


def test_a_network_starts_from_its_file_without_the_classifier(tmp_path):
    torch.manual_seed(5)
    whole = timm.create_model("test_resnet")
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    network = build_face_network("test_resnet", weights=tmp_path / "w.safetensors")
    state = network.frame_encoder.backbone.state_dict()
    assert state
    assert all(torch.equal(tensor, whole.state_dict()[name]) for name, tensor in state.items())


@pytest.mark.parametrize("content", [b"", b"not weights"])
def test_a_damaged_file_is_one_line(tmp_path, content):
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="no weights of test_resnet that timm reads"):
        build_face_network("test_resnet", weights=tmp_path / "w.safetensors")


def test_pixels_are_normalised_as_the_weights_expect():
    encoder = build_face_network("inception_v3").frame_encoder
    assert encoder.mean.flatten().tolist() == pytest.approx([127.5] * 3)
    assert build_face_network("convnext_tiny").frame_encoder.mean[0, 0, 0, 0] == pytest.approx(123.675)
