import dataclasses
import importlib.util
import re

import pytest
import tomllib
from rich.console import Console

from edge_aver import doctor
from edge_aver.doctor import check_needs, check_targets, doctor_tables, require, targets_table
from edge_aver.errors import MissingLibraryError, TargetError
from edge_aver.targets import RUNTIMES, profile_names
from edge_aver.targets.cuda import CudaDevice


@pytest.fixture
def hide(monkeypatch):
    """Make libraries look as if they were not installed."""

    def hidden(*libraries):
        find_spec = importlib.util.find_spec
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name in libraries else find_spec(name, *rest)
        )

    return hidden


def shown(*tables):
    console = Console(width=160, record=True, quiet=False, file=None)
    with console.capture() as capture:
        for table in tables:
            console.print(table)
    return capture.get()


def test_a_missing_library_is_named_with_its_extra(hide):
    hide("librosa", "matplotlib")
    missing = {need.activity: (need.extra, need.missing) for need in check_needs() if need.missing}
    assert missing["prepare"] == ("reference", ("librosa",))
    assert missing["report"] == ("report", ("matplotlib",))
    text = shown(*doctor_tables())
    assert "missing: librosa" in text
    assert "pip install 'edge-aver[reference]'" in text


def test_what_is_missing_is_refused_and_nothing_else(hide):
    hide("librosa")
    require(*(need.activity for need in check_needs() if not need.missing))
    with pytest.raises(MissingLibraryError, match=r"^prepare needs librosa.*edge-aver\[reference\]"):
        require("prepare")


def test_the_first_missing_need_of_several_is_told(hide):
    hide("nncf", "jinja2")
    with pytest.raises(MissingLibraryError, match=r"edge-aver\[export\]"):
        require("export", "report")


def test_the_extra_that_is_named_brings_every_library(repository, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None)
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for need in check_needs():
        assert set(need.missing) <= _brought_by(need.extra, extras), f"{need.activity}: extra {need.extra}"
    for entry in RUNTIMES.values():
        assert (entry.distribution or entry.library).replace("-", "_") in _brought_by(entry.extra, extras)


def _brought_by(extra, extras):
    """Libraries that an extra brings, those of the extras it includes among them."""
    libraries = set()
    for requirement in extras[extra]:
        if included := re.match(r"edge-aver\[(.+)\]", requirement):
            libraries |= {library for name in included[1].split(",") for library in _brought_by(name, extras)}
        else:
            libraries.add(re.match(r"[\w-]+", requirement)[0].replace("-", "_"))
    return libraries


def test_each_target_is_told_with_what_to_do(hide):
    hide("openvino")
    states = {state.target: state for state in check_targets()}
    assert set(states) == set(profile_names())
    assert states["openvino-cpu"].version is None
    assert states["openvino-cpu"].advice == "pip install 'edge-aver[openvino]'"
    assert "pip install 'edge-aver[openvino]'" in shown(targets_table())


def test_a_target_whose_runtime_is_installed_works_here():
    states = {state.target: state for state in check_targets()}
    for target, runtime in (("openvino-cpu", "openvino"), ("onnxruntime-cpu", "onnxruntime")):
        if importlib.util.find_spec(runtime):
            assert states[target].advice == "works here"
            assert f"{runtime} {states[target].version}" in shown(targets_table())


def test_a_target_of_a_gpu_tells_what_runs_here(monkeypatch):
    def no_driver():
        raise TargetError("cudaErrorInsufficientDriver. No NVIDIA driver")

    monkeypatch.setattr(doctor, "runtime_module", lambda runtime: None)
    monkeypatch.setattr(doctor, "cuda_device", no_driver)
    states = {state.target: state.advice for state in check_targets()}
    assert states["onnxruntime-cuda"] == "builds here, runs elsewhere: cudaErrorInsufficientDriver. No NVIDIA driver"
    assert states["onnxruntime-cpu"] == "works here"
    device = CudaDevice(name="RTX", capability=(8, 9), memory_bytes=1, driver_cuda=(13, 0))
    monkeypatch.setattr(doctor, "cuda_device", lambda: device)
    states = {state.target: state.advice for state in check_targets()}
    assert states["onnxruntime-cuda"] == states["rtx-4090"] == "works here: RTX"
    assert states["rtx-2080"] == "builds here, runs elsewhere: RTX has compute capability 8.9"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("avx2", "avx512_vnni", "amx_int8"), r"^8-bit dot products: avx512_vnni, amx_int8$"),
        (("asimd", "asimddp"), r"^8-bit dot products: asimddp$"),
        (
            ("avx2", "avx512f"),
            r"none\. INT8 may be no faster than fp32 .* weights are bounded so that sums in 16 bits cannot overflow$",
        ),
    ],
)
def test_a_cpu_without_8_bit_dot_products_is_told_so(monkeypatch, flags, said):
    here = dataclasses.replace(doctor.describe_machine(), cpu_flags=flags)
    monkeypatch.setattr(doctor, "describe_machine", lambda: here)
    assert re.search(said, doctor.int8_state())


@pytest.mark.skipif(not RUNTIMES["tensorrt-rtx"].version, reason="tensorrt_rtx is not installed (extra tensorrt-rtx)")
@pytest.mark.parametrize(
    ("device", "said"),
    [
        (TargetError("No NVIDIA driver"), "builds here, runs elsewhere: No NVIDIA driver"),
        (MissingLibraryError("cuda-python", "cuda", "running"), "pip install 'edge-aver[cuda]'"),
        (("RTX 4070", (8, 9)), "works here: RTX 4070"),
        (("H100", (9, 0)), "builds here, runs elsewhere: H100 has compute capability 9.0"),
    ],
)
def test_a_gpus_target_tells_whether_it_builds_or_runs_here(monkeypatch, device, said):
    def cuda_device():
        if isinstance(device, Exception):
            raise device
        return CudaDevice(name=device[0], capability=device[1], memory_bytes=1, driver_cuda=(13, 0))

    monkeypatch.setattr(doctor, "cuda_device", cuda_device)
    assert {state.target: state.advice for state in check_targets()}["rtx-4090"] == said


def test_a_device_that_nobody_measured_says_so(monkeypatch):
    states = {state.target: state.measured for state in check_targets()}
    assert states["jetson-orin-nano"] == "not measured"
    assert states["openvino-cpu"] == "1 result ships"
    monkeypatch.setattr(doctor, "shipped_results", lambda target: 3 if target == "jetson-orin-nano" else 0)
    states = {state.target: state.measured for state in check_targets()}
    assert (states["jetson-orin-nano"], states["openvino-cpu"]) == ("3 results ship", "not measured")


def test_why_engines_run_elsewhere_is_said_once_below_the_targets(monkeypatch):
    def no_driver():
        raise TargetError("no driver: none")

    monkeypatch.setattr(doctor, "runtime_module", lambda runtime: None)
    monkeypatch.setattr(doctor, "cuda_device", no_driver)
    text = shown(targets_table())
    assert text.count("no driver: none") == 1
    assert "[1] no driver: none" in text
