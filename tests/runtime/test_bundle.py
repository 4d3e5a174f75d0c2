"""Bundles of the tiny network with the real detector: made, verified stage by stage, and run."""

import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("torch", reason="the detector is exported on a workstation")
pytest.importorskip("facenet_pytorch", reason="carries the detector's weights: needs the extra reference")

from runtime_models import example_feed, expected_logits, tiny_artifact

from edge_aver import cli, runtime
from edge_aver.bundle import sidecar_path, write_bundle
from edge_aver.bundle.archive import open_archive, read_member
from edge_aver.errors import ArtifactError, MissingLibraryError
from edge_aver.export.detector import ensure_detector
from edge_aver.media.picture import Picture
from edge_aver.runtime import model as model_module
from edge_aver.runtime import replay as replay_module
from edge_aver.runtime.make_bundle import make_bundle
from edge_aver.runtime.replay import verify_bundle
from edge_aver.spec import LABELS
from edge_aver.targets.devices import RuntimeEntry

TARGETS = ("openvino-cpu", "onnxruntime-cpu")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_AVER_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("artifacts")
    ensure_detector(folder)
    return [tiny_artifact(folder, target=target) for target in TARGETS]


@pytest.fixture(scope="module")
def bundle(artifacts, tmp_path_factory):
    path = tmp_path_factory.mktemp("bundle") / "sa.aver"
    make_bundle([item.path for item in artifacts], path)
    return path


@pytest.fixture(scope="module")
def clip(bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    path.write_bytes(contents(bundle)["golden/clip.mp4"])
    return path


def contents(path):
    with open_archive(path) as (file, members):
        return {member.name: b"".join(read_member(file, member)) for member in members}


def remade(bundle, out, **changes):
    """The bundle with members of its golden clip changed, every hash made right again."""
    members = contents(bundle)
    manifest = json.loads(members.pop("manifest.json"))
    members |= {f"golden/{name}.bin": data for name, data in changes.items()}
    write_bundle(out, members, tuple(manifest["artifacts"]))
    return out


def test_the_same_artifacts_give_the_same_bytes(artifacts, bundle, tmp_path):
    make_bundle([item.path for item in artifacts], tmp_path / "again.aver")
    assert (tmp_path / "again.aver").read_bytes() == bundle.read_bytes()


def test_it_holds_texts_provenance_and_no_pickle(bundle):
    members = contents(bundle)
    assert b"Apache License" in members["licences/apache-2.0.txt"]
    assert b"Timothy Esler" in members["licences/facenet-pytorch.txt"]
    provenance = json.loads(members["provenance.json"])
    assert "nobody's data" in provenance["corpus_licence"]
    assert {"av", "numpy", "edge-aver"} <= set(provenance["bundled_with"])
    assert not [name for name in members if name.endswith((".pkl", ".npy", ".npz", ".pt"))]
    assert np.frombuffer(members["golden/face_found.bin"], np.uint8).all()


def test_verify_replays_every_artifact(bundle):
    check = verify_bundle(bundle, threads=1)
    assert [replay.artifact for replay in check.replays] == [
        f"aver-sa-synthetic-fold1-fp32.{s}" for s in ("openvino", "onnx")
    ]
    for replay in check.replays:
        assert [stage.stage for stage in replay.stages] == ["frames", "faces", "audio", "logits"]
        assert replay.differs is None
        assert replay.label == replay.expected_label


def test_every_stage_is_told_apart(bundle, tmp_path):
    """What is expected is changed, so that this device differs in one stage alone."""
    members = contents(bundle)
    frames = np.frombuffer(members["golden/frames.bin"], np.uint8)
    audio = np.frombuffer(members["golden/audio.bin"], np.float32)
    logits = np.frombuffer(members["golden/logits-0.bin"], np.float32)
    for stage, changes in {
        "frames": {"frames": (frames ^ 8).tobytes()},
        "faces": {"face_found": b"\0" + members["golden/face_found.bin"][1:]},
        "audio": {"audio": (audio * np.float32(1.1)).tobytes()},
        "logits": {f"logits-{index}": (logits + np.float32(0.01)).tobytes() for index in (0, 1)},
    }.items():
        first = verify_bundle(remade(bundle, tmp_path / f"{stage}.aver", **changes), threads=1).replays[0]
        assert first.differs is not None
        assert first.differs.stage == stage


@pytest.mark.parametrize(("shift_px", "near"), [(2, True), (8, False)])
def test_a_face_a_step_beside_is_near_enough_and_one_elsewhere_is_not(bundle, monkeypatch, shift_px, near):
    square = Picture.square
    monkeypatch.setattr(Picture, "square", lambda self, x, y, *rest: square(self, x + shift_px, y, *rest))
    faces = verify_bundle(bundle, threads=1).replays[0].stages[1]
    assert faces.passed is near, faces


def test_the_command_ends_in_three_where_a_stage_differs(bundle, tmp_path, capsys):
    logits = np.zeros(8, np.float32).tobytes()
    path = remade(bundle, tmp_path / "x.aver", **{"logits-0": logits, "logits-1": logits})
    assert cli._run(["verify", str(path)]) == 3
    told = capsys.readouterr()
    assert "DIFFERS: logits largest difference" in told.out
    assert told.err.startswith(f"error: {path}: on this device logits of aver-sa-synthetic-fold1-fp32.openvino differ")
    assert cli._run(["verify", str(bundle)]) == 0
    path.write_bytes(path.read_bytes()[:-1])
    assert cli._run(["verify", str(path)]) == 1


@pytest.mark.parametrize(("own", "label"), [("tipped", "angry"), ("not finite", "none")])
def test_another_label_is_a_failure_though_every_stage_is_near_enough(bundle, monkeypatch, capsys, own, label):
    """Of the golden tensors logits are as ever; of those made here, which come second, the network says otherwise."""
    infer, calls = replay_module.Model.predict_tensors, []

    def tipped(model, faces, audio):
        calls.append(model)
        logits = infer(model, faces, audio)
        if len(calls) % 2 == 0:
            logits = np.eye(8, dtype=np.float32)[[LABELS.index("angry")]] * (np.nan if own == "not finite" else 1)
        return logits

    monkeypatch.setattr(replay_module.Model, "predict_tensors", tipped)
    first = verify_bundle(bundle, threads=1).replays[0]
    assert first.differs is None
    assert first.label_differs
    assert cli._run(["verify", str(bundle), "--json", "-"]) == 3
    told = capsys.readouterr()
    assert json.loads(told.out)["verified"] is False
    (line,) = told.err.splitlines()
    assert "the label of aver-sa-synthetic-fold1-fp32.openvino differs" in line
    assert line.endswith(f"{label} from the bytes of the golden clip, {first.expected_label} expected")


@pytest.mark.parametrize("name", ["faces", "audio", "face_found", "logits-0"])
def test_golden_values_of_another_size_are_one_line(bundle, tmp_path, name):
    path = remade(bundle, tmp_path / "x.aver", **{name: b"1234"})
    with pytest.raises(ArtifactError, match="no golden clip that can be read"):
        verify_bundle(path)


@pytest.mark.parametrize("target", TARGETS)
def test_a_bundle_gives_what_its_artifact_gives(artifacts, bundle, clip, target):
    (artifact,) = [item for item in artifacts if item.target == target]
    feed = example_feed(2)
    with runtime.load(bundle, target=target, threads=1) as bundled, runtime.load(artifact.path, threads=1) as plain:
        assert bundled.artifact.target == target
        assert np.array_equal(bundled.predict_tensors(**feed), plain.predict_tensors(**feed))
        np.testing.assert_allclose(bundled.predict_tensors(**feed), expected_logits(feed), atol=1e-4)
        assert bundled.predict(clip).probabilities == plain.predict(clip).probabilities


def test_threads_may_share_a_bundle(bundle, clip):
    with runtime.load(bundle, threads=1) as loaded, ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: loaded.predict(clip).probabilities, range(8)))
    assert all(item == found[0] for item in found)


def test_the_first_that_runs_here_is_taken(bundle, monkeypatch):
    with runtime.load(bundle) as loaded:
        assert loaded.artifact.runtime == "openvino"
    absent = RuntimeEntry(module="edge_aver.targets.ov", library="no_such_library", extra="openvino")
    monkeypatch.setitem(model_module.RUNTIMES, "openvino", absent)
    with runtime.load(bundle) as loaded:
        assert loaded.artifact.runtime == "onnxruntime"
    with pytest.raises(MissingLibraryError, match=r"edge-aver\[openvino\]"):
        runtime.load(bundle, target="openvino-cpu")
    assert verify_bundle(bundle).replays[0].not_replayed == "openvino does not run here"


def test_what_is_not_in_it_is_told(bundle, artifacts):
    with pytest.raises(ArtifactError, match="holds no artifact of int8 for rtx-4090; it holds fp32 for openvino-cpu"):
        runtime.load(bundle, target="rtx-4090", precision="int8")
    with pytest.raises(ArtifactError, match="leave trust out"):
        runtime.load(bundle, trust=True)
    with pytest.raises(ArtifactError, match="a bundle may"):
        runtime.load(artifacts[0].path, precision="fp32")


def test_a_temporary_folder_goes_with_the_model(bundle, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGE_AVER_CACHE", str(tmp_path / "file"))
    with runtime.load(bundle) as loaded:
        folder = loaded.artifact.path.parent
        assert folder.is_dir()
    assert not folder.exists()


def test_run_takes_a_bundle(bundle, clip, tmp_path, capsys):
    assert cli._run(["run", str(clip), "--bundle", str(bundle), "--precision", "fp32", "--json", "-"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert set(told["stages_s"]) == {"decode", "faces", "audio", "network"}
    assert cli._run(["run", str(clip), "--bundle", str(bundle), "--arch", "sa"]) == 2


def test_what_cannot_be_bundled_is_one_line(artifacts, tmp_path, monkeypatch):
    first = artifacts[0].path
    with pytest.raises(ArtifactError, match="given twice"):
        make_bundle([first, first], tmp_path / "x.aver")
    with pytest.raises(ArtifactError, match="a kit, which no runtime opens"):
        make_bundle([tmp_path / "a.kit"], tmp_path / "x.aver")
    other = tmp_path / first.name
    shutil.copytree(first, other)
    sidecar_path(other).write_text(sidecar_path(first).read_text().replace('"fold": 1', '"fold": 2'))
    with pytest.raises(ArtifactError, match="not of the same network"):
        make_bundle([first, other], tmp_path / "x.aver")
    with pytest.raises(ArtifactError, match="no face detector here"):
        make_bundle([other], tmp_path / "x.aver")
    monkeypatch.setattr("edge_aver.runtime.make_bundle.runs_here", lambda runtime: False)
    with pytest.raises(ArtifactError, match="none of them runs here"):
        make_bundle([first], tmp_path / "x.aver")
    assert not (tmp_path / "x.aver").exists()


def test_where_nothing_runs_verify_names_what_to_install(bundle, monkeypatch):
    monkeypatch.setattr(replay_module, "runs_here", lambda runtime: False)
    with pytest.raises(MissingLibraryError, match=r"its files have their hashes.*edge-aver\[openvino\]"):
        verify_bundle(bundle)
