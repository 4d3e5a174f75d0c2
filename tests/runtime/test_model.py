import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from runtime_models import SPEC, example_feed, expected_logits, tiny_artifact

from edge_aver import runtime
from edge_aver.bundle import sidecar_path
from edge_aver.errors import ArtifactError, ClipError, MissingLibraryError, NoFaceError, TargetError
from edge_aver.media.clip import ClipTensors
from edge_aver.runtime import model as module
from edge_aver.spec import LABELS, Preprocessing
from edge_aver.targets.devices import RuntimeEntry

TARGETS = ("onnxruntime-cpu", "openvino-cpu")


class FakeFrontEnd:
    """Gives the tensors of `example_feed`, or refuses, and keeps what it was asked."""

    def __init__(self, *, faces_found=15, loudness=1.0, error=None):
        self.faces_found, self.loudness, self.error, self.asked = faces_found, loudness, error, []

    def __call__(self, source, *, start_s=0.0, end_s=None):
        self.asked.append((source, start_s))
        if self.error:
            raise self.error
        feed = example_feed(1)
        return ClipTensors(
            faces=feed["faces"][0],
            audio=feed["audio"][0] * np.float32(self.loudness),
            face_found=np.arange(15) < self.faces_found,
            stages_s={"decode": 0.0, "faces": 0.0, "audio": 0.0},
        )


@pytest.fixture
def front_end(monkeypatch):
    """Put a front end in the place of the real one; gives what it was loaded with."""

    def install(fake):
        loaded = []

        def fast_plan(folder, runtime):
            def load(constants, threads):
                loaded.append((folder, runtime, constants, threads))
                return fake

            return SimpleNamespace(load=load)

        monkeypatch.setattr(module, "fast_plan", fast_plan)
        return loaded

    return install


@pytest.fixture(scope="module", params=TARGETS)
def artifact(request, tmp_path_factory):
    return tiny_artifact(tmp_path_factory.mktemp("artifacts"), target=request.param)


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_an_artifact_is_loaded_by_its_path(artifact, kind):
    with runtime.load(kind(artifact.path)) as loaded:
        assert loaded.artifact == artifact
        assert sum(loaded.executed_precisions.values()) >= 3


@pytest.mark.parametrize("clips", [1, 3])
def test_tensors_become_logits(artifact, clips):
    feed = example_feed(clips)
    with runtime.load(artifact.path, threads=1) as loaded:
        logits = loaded.predict_tensors(feed["faces"], feed["audio"])
    assert logits.shape == (clips, len(LABELS))
    np.testing.assert_allclose(logits, expected_logits(feed), atol=1e-4)


def test_threads_may_share_a_model(artifact):
    feeds = [{name: value[:1] for name, value in example_feed(clips).items()} for clips in range(1, 5)]
    with runtime.load(artifact.path, threads=1) as loaded, ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda feed: loaded.predict_tensors(feed["faces"], feed["audio"]), feeds * 4))
    for feed, logits in zip(feeds * 4, results, strict=True):
        np.testing.assert_allclose(logits, expected_logits(feed), atol=1e-4)


def test_a_clip_becomes_a_label_with_the_probabilities_of_its_logits(artifact, front_end):
    front_end(FakeFrontEnd(faces_found=14))
    with runtime.load(artifact.path) as loaded:
        prediction = loaded.predict("clip.mp4")
    logits = expected_logits(example_feed(1))[0]
    weights = np.exp(logits - logits.max())
    assert tuple(prediction.probabilities) == LABELS
    np.testing.assert_allclose(list(prediction.probabilities.values()), weights / weights.sum(), atol=1e-4)
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
    assert prediction.label == LABELS[int(logits.argmax())]
    assert prediction.face_found == (True,) * 14 + (False,)


def test_large_logits_are_probabilities_too(artifact, front_end):
    front_end(FakeFrontEnd(loudness=1e4))
    with runtime.load(artifact.path) as loaded:
        prediction = loaded.predict("clip.mp4")
    assert sum(prediction.probabilities.values()) == pytest.approx(1.0)
    assert prediction.probabilities[prediction.label] > 0.99


def test_logits_that_are_not_finite_are_no_emotion(artifact, front_end):
    front_end(FakeFrontEnd(loudness=float("nan")))
    with runtime.load(artifact.path) as loaded, pytest.raises(TargetError, match="not finite") as caught:
        loaded.predict("clip.mp4")
    assert "\n" not in str(caught.value)


def test_every_stage_is_timed_within_the_whole(artifact, front_end):
    front_end(FakeFrontEnd())
    with runtime.load(artifact.path) as loaded:
        prediction = loaded.predict(b"the bytes of a clip")
    assert list(prediction.stages_s) == ["decode", "faces", "audio", "network"]
    assert 0 < prediction.stages_s["network"] <= prediction.total_s


def test_the_front_end_gets_the_artifacts_constants_and_the_callers_wishes(tmp_path, front_end, monkeypatch):
    artifact = tiny_artifact(tmp_path, target=_some_target())
    constants = Preprocessing(window_s=2.4)
    fake = FakeFrontEnd()
    loaded = front_end(fake)
    with module.Model(replace(artifact, spec=replace(SPEC, preprocessing=constants)), threads=1) as opened:
        opened.predict("clip.mp4", start_s=1.5)
        opened.predict(b"bytes")
    assert loaded == [(artifact.path.parent, artifact.runtime, constants, 1)]
    assert [(str(source), start) for source, start in fake.asked] == [("clip.mp4", 1.5), ("b'bytes'", 0.0)]


@pytest.mark.parametrize(("source", "where"), [("clip.mp4", "clip.mp4"), (b"bytes", "the clip")])
def test_a_clip_without_a_face_is_refused(artifact, front_end, source, where):
    front_end(FakeFrontEnd(faces_found=0))
    with (
        runtime.load(artifact.path) as loaded,
        pytest.raises(NoFaceError, match=f"^{where}: no face found in any of 15"),
    ):
        loaded.predict(source)


def test_what_is_no_clip_is_refused_as_the_front_end_says(artifact, front_end):
    front_end(FakeFrontEnd(error=ClipError("clip.mp4: not a video")))
    with runtime.load(artifact.path) as loaded, pytest.raises(ClipError, match="not a video"):
        loaded.predict("clip.mp4")


@pytest.mark.parametrize("target", TARGETS)
def test_a_changed_artifact_is_not_run(tmp_path, target):
    artifact = tiny_artifact(tmp_path, target=target)
    name = next(iter(sorted(artifact.files)))
    file = artifact.path / name if artifact.path.is_dir() else artifact.path
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(ArtifactError, match="not the file its sidecar describes"):
        runtime.load(artifact.path)


def test_a_path_that_is_no_artifact_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"sa\.onnx: no such artifact"):
        runtime.load(tmp_path / "sa.onnx")


def test_the_newest_that_matches_is_chosen(tmp_path):
    paths = {}
    for age, (target, precision) in enumerate([(TARGETS[0], "fp32"), (TARGETS[0], "int8"), (TARGETS[1], "fp32")]):
        paths[target, precision] = tiny_artifact(tmp_path, target=target, precision=precision).path
        os.utime(sidecar_path(paths[target, precision]), (1000 + age, 1000 + age))
    assert runtime.newest(tmp_path) == paths[TARGETS[1], "fp32"]
    assert runtime.newest(tmp_path, precision="int8") == paths[TARGETS[0], "int8"]
    assert runtime.newest(tmp_path, target=TARGETS[0]) == paths[TARGETS[0], "int8"]
    assert runtime.newest(tmp_path, architecture="sa", target=TARGETS[0], precision="fp32") == paths[TARGETS[0], "fp32"]


def test_an_artifact_that_cannot_run_here_is_passed_over(tmp_path, monkeypatch):
    older, newer = (tiny_artifact(tmp_path, target=target).path for target in TARGETS)
    os.utime(sidecar_path(older), (1000, 1000))
    absent = RuntimeEntry(module="edge_aver.targets.ov", library="no_such_library", extra="openvino")
    monkeypatch.setitem(module.RUNTIMES, "openvino", absent)
    assert runtime.newest(tmp_path) == older
    with pytest.raises(MissingLibraryError, match=r"edge-aver\[openvino\]"):
        runtime.newest(tmp_path, target=TARGETS[1])
    assert newer.exists()


def test_where_none_matches_the_message_says_what_is_there(tmp_path):
    artifact = tiny_artifact(tmp_path, target=_some_target())
    with pytest.raises(ArtifactError, match=f"matches ca int8 .there: {artifact.path.name}.; make one"):
        runtime.newest(tmp_path, architecture="ca", precision="int8")


def test_where_there_is_none_the_message_says_how_to_make_one(tmp_path):
    with pytest.raises(ArtifactError, match=r"matches any \(there: none\); make one with edge-aver export"):
        runtime.newest(tmp_path / "artifacts")


def _some_target():
    return TARGETS[0] if module.RUNTIMES["onnxruntime"].version else TARGETS[1]
