"""The GPU of this machine, and what of ours can run on it."""

import importlib
from collections.abc import Callable
from typing import Any

import pytest

from edge_aver.errors import EdgeAverError
from edge_aver.targets import DeviceProfile, RuntimeModule, load_profile, profile_names, runtime_module
from edge_aver.targets.cuda import CudaDevice, cuda_device


@pytest.fixture(scope="session")
def device() -> CudaDevice:
    """The first GPU; these tests were asked for, so one without a GPU fails them, and is told why."""
    try:
        return cuda_device()
    except EdgeAverError as error:
        pytest.fail(f"asked for with -m gpu, but: {error}", pytrace=False)


@pytest.fixture(scope="session")
def target_here(device: CudaDevice) -> Callable[[str], tuple[DeviceProfile, RuntimeModule]]:
    """Give the profile and module of a runtime for this GPU; skips with the reason where it does not serve it."""

    def find(runtime: str) -> tuple[DeviceProfile, RuntimeModule]:
        profiles = [profile for profile in map(load_profile, profile_names()) if profile.runtime == runtime]
        fitting = [
            profile
            for profile in profiles
            if not profile.compute_capabilities or device.sm in profile.compute_capabilities
        ]
        if not fitting:
            pytest.skip(f"{runtime} has no target for {device.name} (compute capability {device.sm})")
        try:
            return min(fitting, key=lambda profile: len(profile.compute_capabilities)), runtime_module(runtime)
        except EdgeAverError as error:
            pytest.skip(str(error))

    return find


@pytest.fixture
def measured(record_property: Callable[[str, object], None], device: CudaDevice) -> Callable[[str], None]:
    """Take one line of what was measured; the summary of the run shows it with the GPU's name."""
    return lambda line: record_property("measured", f"{device.name}: {line}")


@pytest.fixture(scope="session")
def rtx_library() -> Any:
    """The module `tensorrt_rtx` or `tensorrt`, whichever is installed."""
    for name in ("tensorrt_rtx", "tensorrt"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    pytest.skip("neither tensorrt_rtx nor tensorrt is installed")
