"""A bare backbone from timm to what a target runs, under the recipe that whole networks are quantized by.

The recipe's blocks name EfficientNetV2-B0's modules. Here every backbone stands at the same place of its network, so B0
gets exactly what it gets in the product; of the others no block is named, and what no block names is int8 like the
recipe's default, with NNCF's same settings. Normalisation stays fp32 in all.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from edge_aver.errors import ExportError
from edge_aver.export.simplify import simplify
from edge_aver.export.trace import onnx_from_faces
from edge_aver.files import atomic_directory, atomic_path, json_text, write_text
from edge_aver.locks import scratch_folder
from edge_aver.models.backbones import build_face_network, count_backbone, settle_norms
from edge_aver.quantize import load_recipe
from edge_aver.quantize.lower import lower
from edge_aver.spec import Parameters
from edge_aver.targets import load_profile, runtime_module

__all__ = ["BuiltBackbone", "build_backbone"]

_SETTLING_FACES = 8


@dataclass(frozen=True, kw_only=True)
class BuiltBackbone:
    """What was built: the artifact's path within the study's folder, its bytes, and the network's parameters."""

    path: str
    file_bytes: int
    parameters: Parameters


def build_backbone(name: str, *, precision: str, target: str, faces: Path, folder: Path) -> BuiltBackbone:
    """Build one backbone with random weights; what an earlier call left serves again.

    Args:
        name: as timm knows it.
        precision: a recipe's name.
        target: a device profile's name.
        faces: `.npy` file, (M, 224, 224, 3) uint8: real ones, which calibrate.
        folder: of this study and these faces.

    Raises:
        ExportError, TargetError: a tool or the runtime refused the graph.
    """
    recipe, profile = load_recipe(precision), load_profile(target)
    profile.check_precision(recipe.name, recipe.default)
    module, place = runtime_module(profile.runtime), folder / name
    out = place / f"{recipe.name}.{profile.name}{module.suffix}"
    source, parameters = _graph(name, faces, place)
    if not out.exists():
        feeds = [{"faces": face[None]} for face in np.load(faces)] if recipe.calibration else []
        with _calibrated(place / f"{recipe.name}.lowered") as scratch:
            lowered = lower(source, scratch, recipe, profile.runtime, feeds)
            with (atomic_directory if module.is_folder else atomic_path)(out) as temporary:
                module.build(lowered.path, temporary, metadata={}, profile=profile)
    return BuiltBackbone(path=out.relative_to(folder).as_posix(), file_bytes=_bytes(out), parameters=parameters)


@contextmanager
def _calibrated(kept: Path) -> Iterator[Path]:
    """A scratch folder with what another target's build left, kept in turn: calibration runs once a network."""
    with scratch_folder(kept.parent) as folder:
        scratch = folder / "made"
        scratch.mkdir()
        if kept.is_dir():
            shutil.copytree(kept, scratch, copy_function=os.link, dirs_exist_ok=True)
        yield scratch
        if not kept.is_dir():
            with atomic_directory(kept) as temporary:
                shutil.copytree(scratch, temporary, copy_function=os.link, dirs_exist_ok=True)


def _graph(name: str, faces: Path, place: Path) -> tuple[Path, Parameters]:
    """The simplified fp32 graph and the parameters, made once."""
    source, counts = place / "fp32.onnx", place / "parameters.json"
    if not (source.is_file() and counts.is_file()):
        parameters, network = count_backbone(name), build_face_network(name)
        settle_norms(network, torch.from_numpy(np.load(faces)[:_SETTLING_FACES]))
        with atomic_path(source) as temporary:
            traced = temporary.with_name("traced.onnx")
            try:
                onnx_from_faces(network, traced)
            except (RuntimeError, ValueError) as error:
                raise ExportError(f"{name}: it cannot be written as ONNX: {error}") from error
            simplify(traced, temporary)
        write_text(counts, json_text(asdict(parameters)))
    return source, Parameters(**json.loads(counts.read_text(encoding="utf-8")))


def _bytes(path: Path) -> int:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
