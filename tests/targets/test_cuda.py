import importlib
import types

import numpy as np
import pytest
from fake_gpu import FakeCuda, Status

from edge_aver.errors import MissingLibraryError, TargetError
from edge_aver.targets import cuda


@pytest.fixture
def stand_in(monkeypatch):
    found = FakeCuda()
    monkeypatch.setattr(cuda, "load_runtime", lambda: found)
    return found


@pytest.fixture
def no_driver():
    """The real cuda-python, on a machine without a driver."""
    runtime = pytest.importorskip("cuda.bindings.runtime", reason="cuda-python is not installed")
    if runtime.cudaDriverGetVersion()[1]:
        pytest.skip("this machine has an NVIDIA driver")


@pytest.mark.parametrize(
    "ask", [cuda.cuda_device, cuda.free_bytes, lambda: cuda.Arena().stream(), lambda: cuda.Arena().device(8)]
)
def test_a_machine_without_a_driver_is_told_so_by_the_real_library(no_driver, ask):
    with pytest.raises(TargetError, match=r"InsufficientDriver\. No NVIDIA driver is installed on this machine"):
        ask()


def test_without_cuda_python_the_extra_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(MissingLibraryError, match=r"edge-aver\[cuda\]"):
        cuda.cuda_device()


def test_the_older_name_of_cuda_python_is_taken(monkeypatch):
    older = types.SimpleNamespace()

    def only_older(name):
        if name != "cuda.cudart":
            raise ModuleNotFoundError(name)
        return older

    monkeypatch.setattr(importlib, "import_module", only_older)
    assert cuda.load_runtime() is older


def test_a_device_tells_its_name_capability_memory_and_driver(stand_in):
    device = cuda.cuda_device()
    assert (device.name, device.sm, device.memory_bytes) == ("Stand-in", "8.6", 8 * 10**9)
    assert device.driver_cuda == (13, 0)


@pytest.mark.parametrize(
    ("driver", "said"),
    [
        (0, "No NVIDIA driver is installed"),
        (12060, r"serves CUDA 12.6, cuda-python was built for 13.5: .*'cuda-python<13'"),
    ],
)
def test_an_old_driver_is_told_from_none(stand_in, driver, said):
    stand_in.driver, stand_in.failures = driver, {"cudaGetDeviceCount": Status.cudaErrorInsufficientDriver}
    with pytest.raises(TargetError, match=said):
        cuda.cuda_device()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (Status.cudaErrorNoDevice, "cudaMalloc: cudaErrorNoDevice. no NVIDIA GPU is visible .* CUDA_VISIBLE_DEVICES"),
        (Status.cudaErrorMemoryAllocation, "out of memory: stop what else uses it"),
        (Status.cudaErrorInvalidValue, "cudaErrorInvalidValue. text of cudaErrorInvalidValue"),
    ],
)
def test_a_return_code_says_what_to_do(stand_in, status, said):
    stand_in.failures = {"cudaMalloc": status}
    with cuda.Arena() as arena, pytest.raises(TargetError, match=said) as caught:
        arena.device(8)
    assert "\n" not in str(caught.value)
    assert arena.device_bytes == 0


def test_a_library_that_raises_instead_of_answering_is_one_line(stand_in):
    def fail():
        raise RuntimeError('Function "cuInit" not found\nin libcuda.so')

    stand_in.cudaGetDeviceCount = fail
    stand_in.driver = 0
    with pytest.raises(TargetError, match=r"CUDA does not work here: .*cuInit.* No NVIDIA driver") as caught:
        cuda.cuda_device()
    assert "\n" not in str(caught.value)


def test_an_arena_frees_everything_newest_first(stand_in):
    with cuda.Arena() as arena:
        stream, address, pinned = arena.stream(), arena.device(16), arena.pinned(16)
        assert (pinned.shape, pinned.dtype, arena.device_bytes) == ((16,), np.uint8, 16)
        pinned[:] = np.arange(16)
        cuda.to_device(address, pinned, stream)
        cuda.to_host(pinned[:8], address + 8, stream)
        cuda.call("cudaStreamSynchronize", stream)
        assert pinned.tolist() == [*range(8, 16), *range(8, 16)]
    assert stand_in.leaks == []
    assert stand_in.log[-3:] == ["cudaFreeHost", "cudaFree", "cudaStreamDestroy"]


def test_a_failed_free_does_not_keep_the_rest(stand_in):
    arena = cuda.Arena()
    arena.stream(), arena.device(8), arena.pinned(8)
    stand_in.failures = {"cudaFree": Status.cudaErrorIllegalAddress}
    with pytest.raises(TargetError, match="start it again"):
        arena.close()
    assert len(stand_in.leaks) == 1
    arena.close()


def test_a_captured_graph_repeats_the_copies(stand_in):
    with cuda.Arena() as arena:
        stream, address = arena.stream(), arena.device(4)
        source, target = arena.pinned(4), arena.pinned(4)

        def both():
            cuda.to_device(address, source, stream)
            cuda.to_host(target, address, stream)

        graph = cuda.capture(both, stream)
        source[:] = 7
        cuda.call("cudaGraphLaunch", graph, stream)
        assert target[0] != 7
        cuda.call("cudaStreamSynchronize", stream)
        assert target.tolist() == [7, 7, 7, 7]
        cuda.call("cudaGraphExecDestroy", graph)
    assert stand_in.leaks == []


@pytest.mark.parametrize("failing", ["cudaStreamBeginCapture", "cudaStreamEndCapture", "cudaGraphInstantiate"])
def test_what_cannot_be_captured_leaves_no_error_and_no_graph(stand_in, failing):
    with cuda.Arena() as arena:
        stream = arena.stream()
        stand_in.failures = {failing: Status.cudaErrorStreamCaptureUnsupported}
        assert cuda.capture(lambda: None, stream) is None
        assert stand_in.log[-1] == "cudaGetLastError"
        stand_in.failures = {}
    assert stand_in.leaks == []


def test_a_capture_ends_though_what_it_records_fails(stand_in):
    def fail():
        raise TargetError("refused while capturing")

    with cuda.Arena() as arena:
        stream = arena.stream()
        assert cuda.capture(fail, stream) is None
        assert stream.captured is None
    assert len(stand_in.leaks) == 0
