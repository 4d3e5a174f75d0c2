"""Building an engine from a strongly typed ONNX file: every type stands in the file, none is left to the builder."""

import platform
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge_aver.errors import TargetError
from edge_aver.targets.profile import DeviceProfile
from edge_aver.targets.trt_layers import BuiltLayers, read_layers
from edge_aver.targets.trt_log import error_text, logger, recorded

__all__ = ["BuiltPlan", "build_plan", "built_platform", "check_library"]

_BATCH = re.compile(r"(?:(\d+)\*)?\w+")
"""How a free first dimension is named: `batch`, or `15*batch` for what has 15 rows a clip."""


@dataclass(frozen=True, kw_only=True)
class BuiltPlan:
    """A serialized engine and how it came about.

    Attributes:
        plan: the engine.
        seconds: of the build alone.
        layers: what the builder told of its layers.
        quantized: tensors that the file brings to 8 bits on their way, so that what takes them may compute in INT8.
        steady: whether addresses and the order of threads were fixed, without which two builds are seldom alike.
    """

    plan: bytes
    seconds: float
    layers: BuiltLayers
    quantized: int = 0
    steady: bool = False

    @property
    def precision_note(self) -> str | None:
        """Says that INT8 was asked for and nothing runs in it; None where something does, or nothing was told."""
        counts = self.layers.counts
        if not self.quantized or not counts or "INT8" in counts:
            return None
        kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        return (
            f"NO LAYER RUNS IN INT8, though the file quantizes {self.quantized} tensors: the builder computes in "
            f"{kinds} on this GPU; expect none of INT8's speed, and measure it against fp16"
        )


def build_plan(library: Any, lowered: Path, profile: DeviceProfile) -> BuiltPlan:
    """Compile an engine.

    Args:
        library: the module `tensorrt` or `tensorrt_rtx`.
        lowered: ONNX file; a free first dimension of an input is its batch.
        profile: compute capabilities (none: the GPU of this machine), workspace and largest batch.

    Raises:
        TargetError: the library refuses the file or a capability; the node and its own words are told.
    """
    with recorded(library) as messages:
        log = logger(library)
        builder = library.Builder(log)
        # Kept until the build is done: the network borrows the weights that the parser read.
        network, _parser = _parse(library, builder, log, lowered)
        config = _config(library, builder, network, profile)
        started = time.perf_counter()
        plan = builder.build_serialized_network(network, config)
        seconds = time.perf_counter() - started
        if plan is None:
            raise TargetError(f"{_title(library)} cannot build {lowered.name}: {error_text(library)}")
        quantized = _quantized(library, network)
        return BuiltPlan(plan=bytes(plan), seconds=seconds, layers=read_layers(messages), quantized=quantized)


def built_platform() -> str:
    """Operating system and processor, as an engine's host code is bound to them: `linux-x86_64`."""
    return f"{platform.system().lower()}-{platform.machine().lower()}"


def check_library(library: Any, profile: DeviceProfile) -> None:
    """Refuse a version of the library that does not build for a device.

    Raises:
        TargetError: the version is outside the profile's range.
    """
    if profile.library_versions and not _in_range(library.__version__, profile.library_versions):
        raise TargetError(
            f"target {profile.name} is built with {_title(library)} {profile.library_versions}; "
            f"{library.__version__} is installed here"
        )


def _title(library: Any) -> str:
    return "TensorRT-RTX" if library.__name__ == "tensorrt_rtx" else "TensorRT"


def _in_range(version: str, wanted: str) -> bool:
    have = _numbers(version)
    for part in wanted.split(","):
        sign, bound = re.fullmatch(r"\s*(>=|<|==)\s*([\d.]+)\s*", part).groups()  # type: ignore[union-attr]
        cut = have[: len(_numbers(bound))]
        if not {">=": have >= _numbers(bound), "<": have < _numbers(bound), "==": cut == _numbers(bound)}[sign]:
            return False
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)))


def _parse(library: Any, builder: Any, log: Any, lowered: Path) -> tuple[Any, Any]:
    flags = library.NetworkDefinitionCreationFlag
    # TensorRT 11 knows strongly typed networks alone, and may drop the flag.
    network = builder.create_network(1 << int(flags.STRONGLY_TYPED) if hasattr(flags, "STRONGLY_TYPED") else 0)
    parser = library.OnnxParser(network, log)
    if not parser.parse_from_file(str(lowered)):
        errors = [parser.get_error(index) for index in range(parser.num_errors)]
        told = "; ".join(f"node {error.node_name() or error.node()}: {error.desc()}" for error in errors[:1])
        raise TargetError(f"{_title(library)} cannot read {lowered.name}: {told or error_text(library)}")
    return network, parser


def _quantized(library: Any, network: Any) -> int:
    kinds = [network.get_layer(index).type for index in range(network.num_layers)]
    return kinds.count(library.LayerType.QUANTIZE)


def _config(library: Any, builder: Any, network: Any, profile: DeviceProfile) -> Any:
    config = builder.create_builder_config()
    config.profiling_verbosity = library.ProfilingVerbosity.DETAILED
    # The DLA stays off: strongly typed networks do not run on it, and what it runs was not measured.
    config.default_device_type = library.DeviceType.GPU
    if library.__name__ == "tensorrt_rtx":
        # Which layers go to which further stream is decided by a race: two builds of one graph would differ.
        config.max_aux_streams = 0
    if profile.workspace_mb is not None:
        config.set_memory_pool_limit(library.MemoryPoolType.WORKSPACE, int(profile.workspace_mb * 1e6))
    _set_capabilities(library, config, profile)
    batches = builder.create_optimization_profile()
    for index in range(network.num_inputs):
        _set_batches(batches, network.get_input(index), profile.max_batch)
    config.add_optimization_profile(batches)
    return config


def _set_capabilities(library: Any, config: Any, profile: DeviceProfile) -> None:
    """Name the GPUs to build for; TensorRT (not RTX) builds for the one that is here."""
    if not hasattr(config, "num_compute_capabilities") or not profile.compute_capabilities:
        return
    config.num_compute_capabilities = len(profile.compute_capabilities)
    for index, capability in enumerate(profile.compute_capabilities):
        known = getattr(library.ComputeCapability, f"SM{capability.replace('.', '')}", None)
        if known is None or not config.set_compute_capability(known, index):
            names = [name for name in library.ComputeCapability.__members__ if name.startswith("SM")]
            raise TargetError(
                f"{_title(library)} {library.__version__} builds nothing for compute capability {capability} "
                f"({profile.name}); it builds for {', '.join(f'{name[2:-1]}.{name[-1]}' for name in names)}"
            )


def _set_batches(batches: Any, tensor: Any, most: int) -> None:
    """Let the first dimension vary where it is free: fast for one clip, up to the most that the profile allows."""
    first, *row = tuple(tensor.shape)
    if first >= 0:
        return
    named = _BATCH.fullmatch(tensor.get_dimension_name(0) or "batch")
    rows = int(named[1] or 1) if named else 1
    batches.set_shape(tensor.name, (1, *row), (rows, *row), (rows * most, *row))
