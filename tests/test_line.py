"""The whole line on a small trained network: export, run, benchmark and report, with real files and real runtimes."""

import json
from dataclasses import replace

import numpy as np
import onnx
import openvino
import pytest

from edge_aver import cli, runtime
from edge_aver.bundle import find_artifacts, open_artifact, part_path
from edge_aver.calibration.draw import check_manifest
from edge_aver.calibration.folds import load_fold
from edge_aver.corpora.store import PreparedStore
from edge_aver.errors import LeakError
from edge_aver.quantize.lint import lint_qdq
from edge_aver.runtime.stream import open_split
from edge_aver.spec import LABELS, PARTS, SPEC_KEY, ModelSpec

TARGETS = ("openvino-cpu", "onnxruntime-cpu")
RAVDESS = (
    "Actor_01/01-01-01-01-01-01-01",
    "Actor_01/01-01-01-01-01-02-01",
    "Actor_01/01-01-01-01-02-01-01",
    "Actor_01/01-01-01-01-02-02-01",
    "Actor_01/01-01-08-01-01-02-01",
    "Actor_01/01-01-08-01-02-02-01",
    "Actor_01/01-01-08-02-02-02-01",
    "Actor_05/01-01-03-01-01-02-05",
    "Actor_05/01-01-04-01-01-01-05",
    "Actor_05/01-01-06-01-01-01-05",
    "Actor_05/01-01-08-01-02-01-05",
)


def artifact_for(workspace, target):
    return open_artifact(find_artifacts(workspace.artifacts, precision="int8", target=target)[0].path)


@pytest.mark.parametrize(("target", "name"), [("openvino-cpu", "openvino"), ("onnxruntime-cpu", "onnx")])
def test_an_export_is_named_complete_and_within_its_limits(exported_workspace, target, name):
    artifact = artifact_for(exported_workspace, target)

    steps = {step["step"]: step for step in artifact.parity}
    assert artifact.path.name == f"aver-sa-synthetic-fold1-int8.{name}"
    assert list(steps) == ["onnx", "simplified", "quantized", "engine"]
    assert steps["simplified"]["max_abs_diff"] <= 1e-3
    assert steps["engine"]["sqnr_db"] >= 15
    assert steps["engine"]["top1_agreement"] >= 0.95
    assert artifact.build["simplification"]["kept_because"] is None


def test_calibration_clips_are_training_actors_with_their_hashes(exported_workspace):
    artifact = artifact_for(exported_workspace, "openvino-cpu")
    records = {record.id: record for record in PreparedStore.open(exported_workspace.prepared("synthetic")).records()}
    manifest = artifact.spec.calibration

    assert manifest is not None
    assert len(manifest.clips) == 48
    assert {records[clip].actor for clip, _ in manifest.clips} <= set(range(9, 25))
    assert all(records[clip].tensors_sha256 == digest for clip, digest in manifest.clips)
    with pytest.raises(LeakError, match="test actors 9"):
        check_manifest(manifest, replace(load_fold("synthetic", 1), test=(9,), train=tuple(range(10, 25))))


def test_the_spec_travels_inside_both_files(exported_workspace):
    path = artifact_for(exported_workspace, "onnxruntime-cpu").path
    properties = {item.key: item.value for item in onnx.load(path).metadata_props}
    xml = artifact_for(exported_workspace, "openvino-cpu").path / "model.xml"
    info = openvino.Core().read_model(xml).get_rt_info(SPEC_KEY.split(".")).value

    specs = [ModelSpec.from_json(text, where="test") for text in (properties[SPEC_KEY], info)]
    assert specs[0] == specs[1] == artifact_for(exported_workspace, "openvino-cpu").spec
    assert (specs[0].architecture, specs[0].precision, specs[0].fold) == ("sa", "int8", 1)


def test_the_int8_files_are_int8_and_executed_as_such(exported_workspace):
    path = artifact_for(exported_workspace, "onnxruntime-cpu").path
    model = onnx.load(path)
    quantized = [item for item in model.graph.initializer if item.data_type == onnx.TensorProto.INT8]

    assert lint_qdq(model) == []
    assert sum(np.prod(item.dims) for item in quantized) > 12e6
    assert path.stat().st_size < 20e6
    # The backbone runs in 8 bits, what lies behind it in fp32.
    # On x86 ONNX Runtime rewrites signed activations as unsigned ones: both are 8 bits.
    for target, words in zip(TARGETS, (("i8", "u8"), ("int8", "uint8")), strict=True):
        with runtime.load(artifact_for(exported_workspace, target).path) as engine:
            counts = [engine.executed_precisions[word] for word in words]
            assert sum(counts) >= 150
            assert min(counts) >= 20 or target == "onnxruntime-cpu"


def test_two_exports_of_one_checkpoint_give_the_same_bytes(exported_workspace, tmp_path):
    first = artifact_for(exported_workspace, "onnxruntime-cpu")
    (tmp_path / "again").mkdir()
    for folder in ("prepared", "checkpoints"):
        (tmp_path / "again" / folder).symlink_to(exported_workspace.root / folder)

    status = cli._run(
        [
            "export",
            "--arch",
            "sa",
            "--precision",
            "int8",
            "--target",
            "onnxruntime-cpu",
            "--workspace",
            str(tmp_path / "again"),
        ]
    )

    second = find_artifacts(tmp_path / "again" / "artifacts")[0]
    assert status == 0
    assert [entry.sha256 for entry in second.files.values()] == [entry.sha256 for entry in first.files.values()]


def test_probabilities_react_to_the_picture_and_to_the_sound(exported_workspace):
    store = PreparedStore.open(exported_workspace.prepared("synthetic"))
    sad, happy = (store.load(f"01-01-{code}-01-01-01-01") for code in ("04", "03"))
    for target in TARGETS:
        with runtime.load(artifact_for(exported_workspace, target).path) as engine:
            whole = engine.predict_tensors(sad.faces[None], sad.audio[None])
            other_face = engine.predict_tensors(happy.faces[None], sad.audio[None])
            other_voice = engine.predict_tensors(sad.faces[None], happy.audio[None])
        assert np.abs(whole - other_face).max() > 0.1
        assert np.abs(whole - other_voice).max() > 0.1


def test_benchmark_measures_and_report_shows(exported_workspace, tmp_path, capsys):
    suite = tmp_path / "tiny.toml"
    suite.write_text(
        'name = "tiny"\nnetwork_queries = 4\nmin_duration_s = 0.1\nprocesses = 1\nwarmup_queries = 1\n'
        "end_to_end_clips = 2\ntimeout_s = 300.0\nseed = 1\n"
    )
    place = ["--workspace", str(exported_workspace.root)]

    measured = cli._run(["benchmark", "--precision", "int8", "--suite", str(suite), "--json", "-", *place])
    results = json.loads(capsys.readouterr().out)
    reported = cli._run(["report", *place])
    page = capsys.readouterr().out.strip()

    assert (measured, reported) == (0, 0)
    assert {result["artifact"]["target"] for result in results} == set(TARGETS)
    text = (exported_workspace.reports / "report.html").read_text()
    assert page.endswith("report.html")
    assert "Synthetic actors" in text
    assert text.count("<svg") >= 4


@pytest.mark.parametrize("target", TARGETS)
def test_every_ravdess_clip_gets_a_label(exported_workspace, test_data, target):
    """Eleven original clips; their labels mean nothing, since the network knows drawn faces only."""
    seen = set()
    with runtime.load(artifact_for(exported_workspace, target).path) as engine:
        for name in RAVDESS:
            prediction = engine.predict(test_data / "ravdess" / f"{name}.mp4")
            assert prediction.label in LABELS
            assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
            assert all(prediction.face_found[:12])
            assert set(prediction.stages_s) == {"decode", "faces", "audio", "network"}
            seen.add(tuple(round(value, 6) for value in prediction.probabilities.values()))
    assert len(seen) == len(RAVDESS)


def test_a_ravdess_folder_is_prepared_with_its_video_only_clips_left_out(test_data, tmp_path, capsys):
    status = cli._run(
        ["prepare", "--corpus", "ravdess", "--data", str(test_data / "ravdess"), "--workspace", str(tmp_path)]
    )

    store = PreparedStore.open(tmp_path / "prepared" / "ravdess")
    assert status == 0
    assert capsys.readouterr().out.startswith("11 clips prepared, 0 already there, 0 refused")
    assert {record.actor for record in store.records()} == {1, 5}
    assert {LABELS[record.label] for record in store.records()} == {"neutral", "happy", "sad", "fearful", "surprised"}
    assert all(record.faces_found >= 13 for record in store.records())


def test_parts_for_a_cpu_are_compared_with_pytorch_and_a_stream_opens_them(exported_workspace, tmp_path):
    place = tmp_path / "split"
    place.mkdir()
    for folder in ("prepared", "checkpoints"):
        (place / folder).symlink_to(exported_workspace.root / folder)
    command = ["export", "--arch", "sa", "--precision", "int8", "--split", "--target", "openvino-cpu"]

    assert cli._run([*command, "--calibration-clips", "16", "--workspace", str(place)]) == 0

    (whole,) = find_artifacts(place / "artifacts")
    for part in PARTS:
        artifact = open_artifact(part_path(whole.path, part))
        (step,) = artifact.parity
        assert (artifact.part, step["step"], step["passed"]) == (part, "parts", True)
        assert step["sqnr_db"] >= 15
        assert cli._run(["verify", str(artifact.path)]) == 0
    with open_split(whole.path, threads=1) as network, runtime.load(whole.path) as engine:
        store = PreparedStore.open(exported_workspace.prepared("synthetic"))
        clip = store.load("01-01-04-01-01-01-01")
        features = np.concatenate([network.encode(face[None]) for face in clip.faces])
        whole_logits = engine.predict_tensors(clip.faces[None], clip.audio[None])[0]
        np.testing.assert_allclose(network.fuse(features, clip.audio), whole_logits, atol=1e-3)
