"""A result built from raw values, to be changed field by field."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from measured_front_ends import sample_front_end

from edge_aver.benchmarks.front_end_results import EndToEndQuery, FrontEndMeasurements
from edge_aver.benchmarks.machine import CpuUse, Machine, ProcessMemory
from edge_aver.benchmarks.results import ArtifactRecord, ClipPrediction, NetworkRun, Result
from edge_aver.benchmarks.suites import load_suite
from edge_aver.bundle import Artifact, FileEntry, open_artifact, write_artifact
from edge_aver.calibration.folds import load_fold
from edge_aver.corpora.ravdess import SourceClip
from edge_aver.corpora.store import PreparedStore, write_clip_tensors
from edge_aver.files import sha256_file
from edge_aver.spec import LABELS, ModelSpec, Parameters

MakeResult = Callable[..., Result]


@pytest.fixture
def make_result() -> MakeResult:
    """Build a VALID smoke result; keywords replace fields."""
    return sample_result


def sample_result(
    precision: str = "int8", target: str = "openvino-cpu", *, scale: float = 1.0, correct: int = 52, **changes: Any
) -> Result:
    chance = random.Random(f"{precision} {target} {scale}")
    name = f"aver-sa-synthetic-fold1-{precision}.{target.split('-')[0]}"
    runs = tuple(_network_run(chance, scale) for _ in range(2))
    values: dict[str, Any] = {
        "artifact": ArtifactRecord(
            name=name,
            target=target,
            runtime=target.split("-")[0],
            precision=precision,
            files={"model.bin": FileEntry(bytes=int(14_200_000 * scale), sha256="ab" * 32)},
        ),
        "spec": ModelSpec(
            architecture="sa",
            corpus="synthetic",
            fold=1,
            test_actors=(1, 2, 3, 4),
            parameters=Parameters(deployed=13_660_000, paper=14_950_000),
            precision=precision,
        ),
        "parity": (_step("onnx", None, 0.99), _step("quantized", 21.5, 0.96)),
        "suite": load_suite("smoke"),
        "machine": Machine(
            architecture="x86_64",
            cpu="Some Processor @ 2.60GHz",
            cpu_flags=("avx2", "avx512_vnni"),
            cpus=2,
            memory_bytes=24_000_000_000,
            system="Linux 6.1.0",
            python="3.11.2",
        ),
        "tool_versions": {"edge-aver": "0.1.0", "openvino": "2026.1.0"},
        "started_utc": "2026-11-23T03:18:00.123Z",
        "executed_precisions": {"i8": 123, "f32": 20},
        "network": runs,
        "predictions": tuple(_predictions(correct)),
        "end_to_end": tuple(_query(chance, index, scale) for index in range(12)),
    }
    return Result(**(values | changes))


@pytest.fixture
def five_folds() -> Callable[..., list[Result]]:
    """Build VALID results of one artifact on all folds of RAVDESS as the paper's protocol wants them."""

    def build(precision: str = "int8", correct: int = 210) -> list[Result]:
        return [_fold_result(precision, fold, correct) for fold in range(1, 6)]

    return build


def _fold_result(precision: str, fold: int, correct: int) -> Result:
    """Of 4 test actors with 60 clips each, `correct` are read rightly."""
    result = sample_result(precision)
    actors = load_fold("ravdess", fold).test
    clips = [
        replace(result.predictions[index % 64], id=f"{fold}-{index}", actor=actors[index // 60]) for index in range(240)
    ]
    said = [
        replace(clip, prediction=clip.label if index < correct else _other(clip.label))
        for index, clip in enumerate(clips)
    ]
    spec = replace(result.spec, corpus="ravdess", fold=fold, test_actors=actors)
    return replace(result, spec=spec, predictions=tuple(said))


def _other(label: str) -> str:
    return LABELS[(LABELS.index(label) + 1) % len(LABELS)]


@pytest.fixture
def front_end() -> FrontEndMeasurements:
    """Three clips: every figure keeps the limits of suite end-to-end."""
    return sample_front_end()


@pytest.fixture
def front_end_result() -> Callable[[FrontEndMeasurements], Result]:
    """Build a VALID result of suite end-to-end."""

    def build(measured: FrontEndMeasurements) -> Result:
        nothing: dict[str, Any] = {"network": (), "predictions": (), "end_to_end": (), "executed_precisions": {}}
        return sample_result(suite=load_suite("end-to-end"), front_end=measured, **nothing)

    return build


def _network_run(chance: random.Random, scale: float) -> NetworkRun:
    return NetworkRun(
        latency_s=tuple(scale * (0.1 + chance.expovariate(80)) for _ in range(32)),
        load_s=0.8,
        before_load=ProcessMemory(resident_bytes=61_000_000, peak_bytes=61_000_000),
        after_load=ProcessMemory(resident_bytes=190_000_000, peak_bytes=230_000_000),
        after_queries=ProcessMemory(resident_bytes=240_000_000, peak_bytes=251_000_000),
        cpu_use=CpuUse(others_share=0.01, stolen_share=0.0),
    )


def _predictions(correct: int) -> list[ClipPrediction]:
    clips = []
    for index in range(64):
        label = LABELS[index % 8]
        said = label if index < correct else LABELS[(index + 1 + index // 8 % 2) % 8]
        logits = tuple(3.0 if name == said else 0.0 for name in LABELS)
        clips.append(
            ClipPrediction(
                id=f"clip-{index:02d}",
                tensors_sha256="cd" * 32,
                actor=1 + index // 16,
                label=label,
                prediction=said,
                logits=logits,
            )
        )
    return clips


def _query(chance: random.Random, index: int, scale: float) -> EndToEndQuery:
    stages_s = {
        "decode": 0.21 + chance.random() / 20,
        "faces": 1.4 + chance.random() / 5,
        "audio": 0.03 + chance.random() / 100,
        "network": scale * (0.1 + chance.random() / 40),
    }
    return EndToEndQuery(
        id=f"clip-{index:02d}", prediction="happy", total_s=sum(stages_s.values()) + 0.004, stages_s=stages_s
    )


def _step(name: str, sqnr_db: float | None, agreement: float) -> dict[str, Any]:
    return {
        "step": name,
        "max_abs_diff": 0.0412,
        "cosine": 0.99971,
        "sqnr_db": sqnr_db,
        "top1_agreement": agreement,
        "clips": 32,
        "limits": {"min_sqnr_db": 15.0, "min_top1_agreement": 0.95},
        "passed": True,
        "first_diverging_block": None,
    }


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Path]:
    """A real ONNX artifact that answers with the emotion written into the audio, and a store of 16 clips for it.

    Test actors 1 and 2 have 8 clips each, one an emotion; the audio of actor 2's last two clips lies.
    """
    folder = tmp_path_factory.mktemp("tiny")
    spec = ModelSpec(architecture="sa", corpus="synthetic", fold=1, test_actors=(1, 2), precision="fp32")
    artifact = Artifact(
        path=folder / "aver-sa-synthetic-fold1-fp32.onnx",
        target="onnxruntime-cpu",
        runtime="onnxruntime",
        precision="fp32",
        spec=spec,
    )
    with write_artifact(artifact, folder=False) as path:
        onnx.save(_tiny_network(), path)
    store = PreparedStore.create(folder / "prepared", "synthetic", spec.preprocessing, "reference")
    for actor in (1, 2, 3):
        for label in range(8):
            _add_clip(store, folder, actor, label, said=0 if (actor, label) in ((2, 6), (2, 7)) else label)
    return open_artifact(artifact.path), folder / "prepared"


def _tiny_network() -> onnx.ModelProto:
    """logits = the first eight values of the first audio step, plus nothing of the faces but their presence."""
    make = onnx.helper
    nodes = [
        make.make_node("Cast", ["faces"], ["pixels"], to=onnx.TensorProto.FLOAT),
        make.make_node("ReduceMean", ["pixels"], ["grey"], axes=[1, 2, 3, 4], keepdims=0),
        make.make_node("Mul", ["grey", "zero"], ["nothing"]),
        make.make_node("Slice", ["audio", "starts", "ends", "axes"], ["first"]),
        make.make_node("Squeeze", ["first", "step"], ["said"]),
        make.make_node("Unsqueeze", ["nothing", "step"], ["column"]),
        make.make_node("Add", ["said", "column"], ["logits"]),
    ]
    values = {"starts": [0, 0], "ends": [1, 8], "axes": [1, 2], "step": [1]}
    constants = [make.make_tensor(name, onnx.TensorProto.INT64, [len(v)], v) for name, v in values.items()]
    constants.append(make.make_tensor("zero", onnx.TensorProto.FLOAT, [1], [0.0]))
    tensor = make.make_tensor_value_info
    graph = make.make_graph(
        nodes,
        "tiny",
        [
            tensor("faces", onnx.TensorProto.UINT8, ["batch", 15, 224, 224, 3]),
            tensor("audio", onnx.TensorProto.FLOAT, ["batch", 15, 128]),
        ],
        [tensor("logits", onnx.TensorProto.FLOAT, ["batch", 8])],
        constants,
    )
    return make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9)


def _add_clip(store: PreparedStore, folder: Path, actor: int, label: int, *, said: int) -> None:
    source = folder / f"01-01-{label + 1:02d}-01-01-01-{actor:02d}.mp4"
    source.write_bytes(f"{actor} {label}".encode())
    audio = np.zeros((15, 128), np.float32)
    audio[0, said] = 1.0
    write_clip_tensors(
        store,
        clip=SourceClip(id=source.stem, label=label, actor=actor, path=source),
        source_sha256=sha256_file(source),
        faces=np.full((15, 224, 224, 3), 100, np.uint8),
        audio=audio,
        face_found=np.ones(15, bool),
    )
