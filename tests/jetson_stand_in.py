"""A stand-in for a Jetson, so that the trip there and back is tried whole: it proves nothing of a real one.

ONNX Runtime stands for TensorRT, and this machine for one with a GPU of compute capability 8.7. `sitecustomize` of a
process (`install_in`) puts it in, and so of the worker processes that it starts.
"""

from pathlib import Path

from edge_aver.runtime import build_kit
from edge_aver.targets import RUNTIMES, RuntimeEntry, ort
from edge_aver.targets.cuda import CudaDevice

__version__ = "10.3.0"

TEGRASTATS = (
    "11-25-2026 10:00:00 RAM 2448/7620MB (lfb 2x4MB) SWAP 0/3810MB (cached 0MB) CPU [12%@1510,8%@1510] "
    "GR3D_FREQ 61%@[624] cpu@50.1C gpu@49.5C VDD_IN 9500mW/9400mW VDD_CPU_GPU_CV 3000mW/2900mW"
)

suffix, is_folder = ".engine", False


def build(lowered, out, *, metadata, profile=None):
    ort.build(lowered, out, metadata={}, profile=profile)
    return {"library": __name__, "library_version": __version__, "layers": {"FP32": 3}}


def read_metadata(path, key):
    return None


open_runner = ort.open_runner


def install() -> None:
    """Make this process believe that it runs on the kit's device."""
    RUNTIMES["tensorrt"] = RuntimeEntry(
        module=__name__, library=__name__, extra="tensorrt", holds_metadata=False, splits=False
    )
    build_kit.built_platform = lambda: "linux-aarch64"
    build_kit.cuda_device = lambda: CudaDevice(
        name="Stand-in of a Jetson", capability=(8, 7), memory_bytes=8 << 30, driver_cuda=(12, 6)
    )


def install_in(folder: Path) -> None:
    """Leave in `folder`, for PYTHONPATH, what calls `install`; in its `bin`, for PATH, a tegrastats and an nvpmodel."""
    (folder / "bin").mkdir(parents=True)
    (folder / "sitecustomize.py").write_text("import jetson_stand_in\n\njetson_stand_in.install()\n")
    programs = {
        "tegrastats": f"while echo '{TEGRASTATS}'; do sleep 0.2; done",
        "nvpmodel": "echo 'NV Power Mode: 15W'; echo 0",
    }
    for name, text in programs.items():
        program = folder / "bin" / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
