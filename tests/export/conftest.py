"""A network traced once for the tests of this folder."""

import pytest
import torch

from edge_aver.export.trace import onnx_from_torch
from edge_aver.models.network import build_network


@pytest.fixture(scope="session")
def traced(tmp_path_factory):
    """A `ca` network with random weights, and its ONNX file."""
    torch.manual_seed(0)
    network = build_network("ca")
    path = tmp_path_factory.mktemp("traced") / "ca.onnx"
    onnx_from_torch(network, path)
    return network, path
