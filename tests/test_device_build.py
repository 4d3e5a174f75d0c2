"""A kit built by the on-device command in an environment of its own, as light as a device's: no torch, no onnx.

TensorRT-RTX stands in for TensorRT, which exists on a Jetson alone; what it builds is named a stand-in.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kits import tiny_kit

ROOT = Path(__file__).parent.parent

_PYTHON_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "EDGE_AVER_WORKSPACE", "COVERAGE_PROCESS_START")


def device_python() -> str:
    """JetPack 6's Python where there is one, else the one that runs the tests."""
    found = [*sorted((Path.home() / ".pyenv" / "versions").glob("3.10.*/bin/python")), shutil.which("python3.10")]
    return next((str(path) for path in found if path), sys.executable)


def run(*command, status=0, cwd=None):
    environment = {name: value for name, value in os.environ.items() if name not in _PYTHON_VARIABLES}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment, cwd=cwd, check=False)
    assert done.returncode == status, done.stderr[-2000:]
    return done


@pytest.fixture(scope="module")
def device(tmp_path_factory):
    """Folder of the programs of the device's environment."""
    pytest.importorskip("tensorrt_rtx", reason="TensorRT-RTX is not installed: nothing stands in for TensorRT")
    folder = tmp_path_factory.mktemp("device")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT)
    (wheel,) = folder.glob("*.whl")
    run(device_python(), "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt")
    run(*pip, f"edge-aver[tensorrt-rtx] @ {wheel.as_uri()}")
    return folder / "venv" / "bin"


def test_the_environment_is_a_devices(device):
    code = "import importlib.util as u; print([n for n in ('torch', 'onnx', 'nncf', 'openvino') if u.find_spec(n)])"
    assert run(device / "python", "-c", code).stdout == "[]\n"


def test_a_kit_is_built_there_and_called_a_stand_in(device, tmp_path):
    path = tiny_kit(tmp_path)
    done = run(device / "edge-aver", "build", path, "--stand-in", "--json", tmp_path / "told.json", status=expected())
    assert done.stdout.startswith("STAND-IN: TensorRT-RTX in place of TensorRT")
    told = json.loads((tmp_path / "told.json").read_text())
    assert told["stand_in"] is True
    (engine,) = tmp_path.glob("*.engine")
    assert "jetson" not in engine.name
    assert engine.stat().st_size > 1000


def test_without_a_stand_in_the_command_says_what_is_missing(device, tmp_path):
    done = run(device / "edge-aver", "build", tiny_kit(tmp_path, built_on=None), status=1)
    (line,) = done.stderr.splitlines()
    assert "--system-site-packages" in line


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_kit_of_a_network_is_built_there(device, exported_workspace, tmp_path, precision):
    root = exported_workspace.root
    options = ("--arch", "sa", "--precision", precision, "--target", "jetson-orin-nano", "--workspace", root)
    done = run(sys.executable, "-m", "edge_aver", "export", *options, cwd=ROOT)
    assert "are built on the device alone, not here" in done.stderr
    (kit,) = exported_workspace.artifacts.glob(f"*-{precision}.jetson-orin-nano.kit")
    for path in (kit, kit.with_name(f"{kit.name}.json")):
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    run(device / "edge-aver", "build", tmp_path / kit.name, "--stand-in", status=expected())
    parts = {path.name.removesuffix(".engine").rpartition(".")[2] for path in tmp_path.glob("*.engine")}
    assert parts == {"stand-in-tensorrt-rtx", "frame_encoder", "fusion"}


def expected() -> int:
    """Exit status of a build: 4, built and not verified, where there is no GPU."""
    from edge_aver.errors import TargetError
    from edge_aver.targets.cuda import cuda_device

    try:
        cuda_device()
    except TargetError:
        return 4
    return 0
