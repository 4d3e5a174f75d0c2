"""The head of an engine file: which library wrote it, for which GPUs, and whether all of it is there."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass

from edge_aver.errors import ArtifactError

__all__ = ["PlanHeader", "read_header"]

_RTX_MAGIC = b"vtrt"
_RTX_LAYOUT = struct.Struct("<4sIQQ4B4sQ")
"""Of TensorRT-RTX 1.7: magic, zero, layout 2, bytes of the whole file, four numbers of the version, magic of the first
part, bits of the compute capabilities. Found by comparing engines that differ in one thing."""

_RTX_BITS: Mapping[int, str] = {0: "7.5", 1: "8.0", 2: "8.6", 3: "8.9", 4: "12.0", 5: "12.1"}


@dataclass(frozen=True, kw_only=True)
class PlanHeader:
    """What the head of an engine file tells.

    Attributes:
        version: of the library that built it; None where the format is not known to tell.
        capabilities: compute capabilities it was built for; empty where the format is not known to tell.
    """

    version: str | None = None
    capabilities: tuple[str, ...] = ()


def read_header(plan: bytes, where: str) -> PlanHeader:
    """Read the head of an engine; TensorRT's own (not RTX) tells nothing that could be relied on.

    Args:
        plan: the whole file.
        where: what messages call it.

    Raises:
        ArtifactError: too short for any engine, cut off, or of a layout that no known version writes.
    """
    if len(plan) < _RTX_LAYOUT.size:
        raise ArtifactError(f"{where}: {len(plan)} bytes are no engine; export it again")
    if not plan.startswith(_RTX_MAGIC):
        return PlanHeader()
    _, _, layout, size, *version, part, bits = _RTX_LAYOUT.unpack_from(plan)
    if layout != 2 or part != _RTX_MAGIC:
        return PlanHeader()
    if size != len(plan):
        raise ArtifactError(
            f"{where}: {size:,} bytes long by its head, the file is of {len(plan):,} (cut off?); export it again"
        )
    return PlanHeader(
        version=".".join(map(str, version)),
        capabilities=tuple(name for bit, name in _RTX_BITS.items() if bits >> bit & 1),
    )
