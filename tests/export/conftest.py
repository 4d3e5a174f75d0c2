"""A network traced once for the tests of this folder."""

import pytest
import torch

from edge_aver.export.detector import ensure_detector
from edge_aver.export.trace import onnx_from_torch
from edge_aver.models.network import build_network


@pytest.fixture(scope="session")
def detectors(tmp_path_factory):
    """A folder of artifacts with the face detector alone, which every export leaves there."""
    folder = tmp_path_factory.mktemp("detectors")
    ensure_detector(folder)
    return folder


@pytest.fixture(scope="session")
def traced(tmp_path_factory):
    """A `ca` network with random weights, and its ONNX file."""
    torch.manual_seed(0)
    network = build_network("ca")
    path = tmp_path_factory.mktemp("traced") / "ca.onnx"
    onnx_from_torch(network, path)
    return network, path
