"""Where backbone weights come from: a file, the hub (served here on loopback), or nowhere."""

import functools
import http.server
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from edge_aver.errors import CheckpointError
from edge_aver.files import sha256_file
from edge_aver.models.backbone import build_backbone, load_backbone_weights

FETCH = """
import json, sys
from edge_aver.errors import EdgeAverError
from edge_aver.models.backbone import build_backbone, load_backbone_weights
backbone = build_backbone()
try:
    provenance = load_backbone_weights(backbone, "imagenet")
except EdgeAverError as error:
    print(json.dumps({"error": str(error)}))
else:
    print(json.dumps({"provenance": provenance, "bias": backbone.bn2.bias[0].item()}))
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As timm's own: half precision, with an ImageNet classifier, and a bias that tells where it came from."""
    torch.manual_seed(5)
    backbone = build_backbone()
    state = {
        name: tensor.half() if tensor.is_floating_point() else tensor for name, tensor in backbone.state_dict().items()
    }
    state["bn2.bias"] = torch.full_like(state["bn2.bias"], 0.25)
    state |= {"classifier.weight": torch.zeros(1000, 1280), "classifier.bias": torch.zeros(1000)}
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_file(state, path)
    return path


@pytest.fixture
def hub(weights: Path) -> Iterator[str]:
    handler = functools.partial(_Hub, weights)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def fetch(endpoint: str, home: Path, **more: str) -> dict[str, object]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "NO_PROXY": "127.0.0.1", **more}
    run = subprocess.run([sys.executable, "-c", FETCH], env=environment, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr
    answer: dict[str, object] = json.loads(run.stdout)
    return answer


def test_none_leaves_it_random() -> None:
    torch.manual_seed(0)
    backbone = build_backbone()
    before = backbone.conv_stem.weight.clone()
    assert load_backbone_weights(backbone, "none") == "none"
    assert torch.equal(backbone.conv_stem.weight, before)


def test_half_precision_file_with_a_classifier_loads(weights: Path) -> None:
    backbone = build_backbone()
    assert load_backbone_weights(backbone, weights) == f"model.safetensors sha256:{sha256_file(weights)}"
    assert backbone.bn2.bias.dtype == torch.float32
    assert backbone.bn2.bias.tolist() == [0.25] * 1280


def test_pytorch_file_loads(weights: Path, tmp_path: Path) -> None:
    state = {f"module.{name}": tensor for name, tensor in build_backbone().state_dict().items()}
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "weights.pt")
    backbone = build_backbone()
    load_backbone_weights(backbone, tmp_path / "weights.pt")
    assert torch.equal(backbone.conv_stem.weight, state["module.conv_stem.weight"])


def test_a_real_trained_file_loads(test_data: Path) -> None:
    path = test_data / "checkpoints" / "fer2013-efficientnetv2-b0-224.safetensors"
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    backbone = build_backbone()
    load_backbone_weights(backbone, path)
    assert backbone.bn1.running_var.std() > 0


def test_other_weights_are_refused(tmp_path: Path) -> None:
    save_file({"conv1.weight": torch.zeros(3)}, tmp_path / "resnet.safetensors")
    with pytest.raises(CheckpointError, match=r"resnet\.safetensors: lacks tensor"):
        load_backbone_weights(build_backbone(), tmp_path / "resnet.safetensors")


def test_imagenet_weights_come_from_the_hub_and_stay(hub: str, tmp_path: Path) -> None:
    assert fetch(hub, tmp_path) == {"provenance": "imagenet", "bias": 0.25}
    again = fetch("http://127.0.0.1:9", tmp_path)
    assert again == {"provenance": "imagenet", "bias": 0.25}, "the cache needs no hub"


@pytest.mark.parametrize("more", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_unreachable_hub_is_one_line_and_quick(more: dict[str, str], tmp_path: Path) -> None:
    started = time.monotonic()
    message = str(fetch("http://127.0.0.1:9", tmp_path, **more)["error"])
    assert "--backbone-weights PATH, or none" in message
    assert "http://127.0.0.1:9" in message
    # The hub's own retries alone take longer than this.
    assert time.monotonic() - started < 25


class _Hub(http.server.BaseHTTPRequestHandler):
    """Answers for one file the way the hub does: the etag and the commit stand in headers."""

    def __init__(self, weights: Path, *arguments: object) -> None:
        self.weights = weights
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        if self.path != "/timm/tf_efficientnetv2_b0.in1k/resolve/main/model.safetensors":
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(self.weights.stat().st_size))
        self.send_header("ETag", f'"{sha256_file(self.weights)}"')
        self.send_header("X-Repo-Commit", "0123456789abcdef0123456789abcdef01234567")
        self.end_headers()
        if with_body:
            self.wfile.write(self.weights.read_bytes())

    def log_message(self, *arguments: object) -> None:
        pass
