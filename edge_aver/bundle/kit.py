"""A kit: what a device gets that must build its engines itself, with what they must answer."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from edge_aver.bundle.artifact import KIT_SUFFIX, Artifact, open_artifact, sidecar_path
from edge_aver.declarations import parse
from edge_aver.errors import ArtifactError, DeclarationError
from edge_aver.files import json_text

__all__ = [
    "CLIP",
    "KIT_SUFFIX",
    "Kit",
    "KitBlock",
    "KitGraph",
    "KitTensor",
    "KitTolerance",
    "block_key",
    "is_kit",
    "open_kit",
    "read_golden",
    "tensor_key",
    "write_kit",
]

CLIP = "clip"
"""Name of the graph of the whole clip; the others are parts of it."""

_SCHEMA_VERSION = 1
_MANIFEST = "kit.json"
_GOLDEN = "golden.npz"

Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class KitTensor:
    """An input or output of a graph; the first dimension of `shape` is -1 and may be within `rows`.

    Attributes:
        name: in the ONNX file.
        dtype: as numpy names it.
        shape: -1 and the fixed dimensions.
        rows: smallest, best and largest first dimension: the engine's optimization profile; () for an output.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    rows: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KitBlock:
    """A block of the network, and the tensor that leaves it; only its first row is expected (see `block_key`).

    Attributes:
        name: as a policy names it.
        tensor: in the ONNX file.
        dtype: `float32` or `float16`.
    """

    name: str
    tensor: str
    dtype: str


@dataclass(frozen=True, kw_only=True)
class KitGraph:
    """One ONNX file of a kit and what is known of it.

    Attributes:
        name: `clip`, or the part of the network.
        file: its name in the kit.
        inputs, outputs: in order.
        blocks: in order of execution; those whose tensor the graph still has.
    """

    name: str
    file: str
    inputs: tuple[KitTensor, ...]
    outputs: tuple[KitTensor, ...]
    blocks: tuple[KitBlock, ...]


@dataclass(frozen=True, kw_only=True)
class KitTolerance:
    """How far an engine's answers may be from the expected ones.

    Attributes:
        max_abs_diff: of the outputs; None where only the ratio counts.
        min_sqnr_db: signal to noise of the outputs.
        block_min_sqnr_db: signal to noise of what leaves a block: below it the block counts as the one that differs.
    """

    max_abs_diff: float | None = None
    min_sqnr_db: float
    block_min_sqnr_db: float


@dataclass(frozen=True, kw_only=True)
class Kit:
    """What stands in a kit beside the files.

    Attributes:
        target: name of the device profile.
        profile: the device profile itself, as its file has it.
        precision: name of the recipe.
        graphs: the whole clip first.
        tolerance: of the verification on the device.
        edge_aver: version that made it.
        notes: for the person who builds: JetPack, power mode, DLA.
    """

    target: str
    profile: Mapping[str, Any]
    precision: str
    graphs: tuple[KitGraph, ...]
    tolerance: KitTolerance
    edge_aver: str
    notes: tuple[str, ...] = ()


def is_kit(path: Path) -> bool:
    """Whether an artifact's name is that of a kit."""
    return path.suffix == KIT_SUFFIX


def tensor_key(graph: str, tensor: str) -> str:
    """Where the golden values of an input or output stand."""
    return f"{graph}/{tensor}"


def block_key(block: str) -> str:
    """Where the first row (first frame of the first clip, or first clip) that leaves a block stands."""
    return f"block/{block}"


def write_kit(folder: Path, kit: Kit, golden: Mapping[str, Array]) -> None:
    """Write the manifest and the golden tensors into a kit's folder, where its ONNX files are already.

    Args:
        folder: the kit, under the temporary name that `write_artifact` gives.
        kit: what is known.
        golden: by `tensor_key` and `block_key`.
    """
    arrays: dict[str, Any] = dict(golden)
    np.savez_compressed(folder / _GOLDEN, **arrays)
    (folder / _MANIFEST).write_text(json_text(asdict(kit) | {"schema_version": _SCHEMA_VERSION}), encoding="utf-8")


def open_kit(path: Path) -> tuple[Artifact, Kit]:
    """Check every member of a kit against the sidecar and read the manifest.

    Raises:
        ArtifactError: no kit, no sidecar beside it, a member that is missing or changed, or a manifest that cannot be
            read.
    """
    if not path.is_dir():
        raise ArtifactError(f"{path}: no such kit (a folder whose name ends in {KIT_SUFFIX})")
    if not sidecar_path(path).is_file():
        raise ArtifactError(f"{path}: copy {sidecar_path(path).name} beside it too: it holds the hash of every member")
    artifact = open_artifact(path)
    manifest = path / _MANIFEST
    try:
        return artifact, _parse(json.loads(manifest.read_text(encoding="utf-8")), where=str(manifest))
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: not a kit, it has no {_MANIFEST}") from error
    except (KeyError, TypeError, ValueError, DeclarationError) as error:
        raise ArtifactError(f"{manifest}: cannot be read ({error}); export the kit again") from error


def read_golden(path: Path) -> dict[str, Array]:
    """The golden tensors of a kit that was opened.

    Raises:
        ArtifactError: they cannot be read.
    """
    try:
        with np.load(path / _GOLDEN, allow_pickle=False) as members:
            return dict(members)
    except (OSError, ValueError, BadZipFile) as error:
        raise ArtifactError(f"{path / _GOLDEN}: cannot be read ({error}); export the kit again") from error


def _parse(table: dict[str, Any], *, where: str) -> Kit:
    version = table.pop("schema_version", None)
    if version != _SCHEMA_VERSION:
        raise ValueError(f"schema_version {version!r}, this edge-aver reads {_SCHEMA_VERSION}")
    # The profile belongs to the targets, who read it.
    profile = table.pop("profile")
    tolerance = {key: value for key, value in table.pop("tolerance").items() if value is not None}
    told = parse(_Told, table | {"tolerance": tolerance}, where=where)
    if not told.graphs or told.graphs[0].name != CLIP:
        raise ValueError(f"its first graph is not {CLIP!r}")
    return Kit(profile=profile, **vars(told))


@dataclass(frozen=True, kw_only=True)
class _Told:
    """A kit's manifest without the profile."""

    target: str
    precision: str
    graphs: tuple[KitGraph, ...]
    tolerance: KitTolerance
    edge_aver: str
    notes: tuple[str, ...] = ()
