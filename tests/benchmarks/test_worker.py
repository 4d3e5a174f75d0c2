import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from edge_aver import runtime
from edge_aver.benchmarks import clips
from edge_aver.benchmarks.conditions import missing_frames
from edge_aver.benchmarks.request import Request
from edge_aver.benchmarks.worker import AccuracyAnswer, EndToEndAnswer, NetworkAnswer, perform
from edge_aver.bundle import Artifact, write_artifact
from edge_aver.errors import CorpusError, MeasurementError
from edge_aver.spec import LABELS


def _request(tiny: tuple[Artifact, Path], case: str, **values: Any) -> Request:
    artifact, store = tiny
    return Request(case=case, artifact=str(artifact.path), store=str(store), threads=1, **values)


def test_network_latency_of_a_real_artifact(tiny: tuple[Artifact, Path]) -> None:
    answer = perform(_request(tiny, "network", queries=20, warmup_queries=2, seed=3))
    assert isinstance(answer, NetworkAnswer)
    assert len(answer.run.latency_s) >= 20
    assert all(0 < value < 10 for value in answer.run.latency_s)
    assert answer.run.load_s > 0


def test_queries_go_on_until_the_time_is_reached(tiny: tuple[Artifact, Path]) -> None:
    answer = perform(_request(tiny, "network", queries=1, min_duration_s=0.3))
    assert isinstance(answer, NetworkAnswer)
    assert sum(answer.run.latency_s) >= 0.3
    assert len(answer.run.latency_s) > 1


def test_accuracy_over_the_test_actors_alone(tiny: tuple[Artifact, Path]) -> None:
    answer = perform(_request(tiny, "accuracy"))
    assert isinstance(answer, AccuracyAnswer)
    assert {item.actor for item in answer.predictions} == {1, 2}
    wrong = {(item.actor, item.label) for item in answer.predictions if item.prediction != item.label}
    assert len(answer.predictions) == 16
    assert wrong == {(2, "disgust"), (2, "surprised")}
    for item in answer.predictions:
        assert item.prediction == LABELS[int(np.argmax(item.logits))]


def test_a_condition_masks_what_the_network_gets(tiny: tuple[Artifact, Path]) -> None:
    whole, heard, seen = (perform(_request(tiny, "accuracy", condition=name)) for name in ("both", "audio", "visual"))
    assert isinstance(whole, AccuracyAnswer)
    assert isinstance(heard, AccuracyAnswer)
    assert isinstance(seen, AccuracyAnswer)
    # The network listens only: without a voice it says the first label whatever it sees.
    assert heard.predictions == whole.predictions
    assert {item.prediction for item in seen.predictions} == {"neutral"}
    assert [item.tensors_sha256 for item in seen.predictions] == [item.tensors_sha256 for item in whole.predictions]
    assert (whole.condition, heard.condition, seen.condition) == ("both", "audio", "visual")


def test_missing_faces_are_those_of_the_clip(tiny: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[int]] = []

    def record(_: object, faces: np.ndarray, audio: np.ndarray) -> np.ndarray:
        given.append([index for index in range(15) if not faces[0, index].any()])
        return np.eye(8, dtype=np.float32)[:1]

    monkeypatch.setattr(runtime.Model, "predict_tensors", record)
    answer = perform(_request(tiny, "accuracy", condition="missing-faces-4"))
    assert isinstance(answer, AccuracyAnswer)
    assert given == [list(missing_frames(item.id, 4)) for item in answer.predictions]


def test_logits_that_are_not_finite_are_refused(tiny: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    broken = np.full((1, 8), np.nan, np.float32)
    monkeypatch.setattr(runtime.Model, "predict_tensors", lambda *_: broken)
    with pytest.raises(MeasurementError, match="not finite"):
        perform(_request(tiny, "accuracy"))


def _label_from_bytes(*_: object) -> Any:
    return SimpleNamespace(label="sad", stages_s={"decode": 0.25, "network": 0.5})


def test_end_to_end_counts_as_many_as_asked(tiny: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(runtime.Model, "predict", lambda _, source, **__: asked.append(source) or _label_from_bytes())
    answer = perform(_request(tiny, "end_to_end", queries=20))
    assert isinstance(answer, EndToEndAnswer)
    assert len(answer.queries) == 20
    assert len({query.id for query in answer.queries}) == 16
    assert len(asked) == 21, "one warms up"
    assert all(isinstance(source, bytes) for source in asked[1:])
    assert answer.queries[0].stages_s == {"decode": 0.25, "network": 0.5}


def test_processes_share_the_clips_out(tiny: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtime.Model, "predict", lambda *_, **__: _label_from_bytes())
    shares = []
    for part in range(3):
        answer = perform(_request(tiny, "end_to_end", queries=8, part=part, parts=3))
        assert isinstance(answer, EndToEndAnswer)
        assert {query.process for query in answer.queries} == {part}
        shares.append([query.id for query in answer.queries])
    assert [len(share) for share in shares] == [3, 3, 2]
    assert len({clip for share in shares for clip in share}) == 8


@pytest.mark.parametrize(("change", "reason"), [("remove", "is not where"), ("edit", "changed since")])
def test_media_that_are_not_at_hand_are_not_measured(
    tiny: tuple[Artifact, Path], monkeypatch: pytest.MonkeyPatch, change: str, reason: str
) -> None:
    if change == "remove":
        monkeypatch.setattr(Path, "is_file", lambda path: path.suffix != ".mp4" and path.exists())
    else:
        monkeypatch.setattr(clips, "sha256_file", lambda _: "0" * 64)
    answer = perform(_request(tiny, "end_to_end", queries=4))
    assert isinstance(answer, EndToEndAnswer)
    assert answer.queries == ()
    assert reason in str(answer.not_measured)


def test_composite_clips_are_measured_but_for_their_media(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    artifact, store = tiny
    spec = replace(artifact.spec, corpus="composite")
    composite = replace(artifact, path=tmp_path / "aver-sa-composite-fold1-fp32.onnx", spec=spec)
    with write_artifact(composite, folder=False) as path:
        shutil.copy(artifact.path, path)
    (tmp_path / "clips").symlink_to(store / "clips")
    header = json.loads((store / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps(header | {"corpus": "composite"}))
    answers = [perform(_request((composite, tmp_path), case, queries=4)) for case in ("accuracy", "end_to_end")]
    assert isinstance(answers[0], AccuracyAnswer)
    assert len(answers[0].predictions) == 16
    assert isinstance(answers[1], EndToEndAnswer)
    assert answers[1].queries == ()
    assert str(answers[1].not_measured).startswith("composite clips have no media file")


def test_a_store_of_another_corpus_is_refused(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    artifact, store = tiny
    (tmp_path / "clips").symlink_to(store / "clips")
    header = json.loads((store / "store.json").read_text())
    (tmp_path / "store.json").write_text(json.dumps(header | {"corpus": "ravdess"}))
    with pytest.raises(MeasurementError, match="holds ravdess, the network was trained on synthetic"):
        perform(_request((artifact, tmp_path), "accuracy"))


def test_a_missing_store_is_refused(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="edge-aver prepare"):
        perform(_request((tiny[0], tmp_path), "accuracy"))


def _ask_process(request: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge_aver.benchmarks.worker"]
    return subprocess.run(command, input=json.dumps(request), capture_output=True, text=True, timeout=60, check=False)


def test_the_process_answers_with_json_alone(tiny: tuple[Artifact, Path]) -> None:
    artifact, store = tiny
    done = _ask_process({"case": "network", "artifact": str(artifact.path), "store": str(store), "queries": 3})
    assert done.returncode == 0
    run = json.loads(done.stdout)["run"]
    assert len(run["latency_s"]) == 3
    assert run["after_queries"]["peak_bytes"] >= run["after_load"]["resident_bytes"] > 1_000_000


def test_what_libraries_print_stays_out_of_the_answer() -> None:
    code = (
        "import os; from edge_aver.benchmarks import worker;"
        "worker.perform = lambda _: (os.write(1, b'noise'), print('noise'), worker.EndToEndAnswer())[-1];"
        "worker.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        input='{"case": "end_to_end", "artifact": "a", "store": "s"}',
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {"queries": []}
    assert done.stderr.count("noise") == 2


def test_a_persons_mistake_is_an_answer(tiny: tuple[Artifact, Path], tmp_path: Path) -> None:
    done = _ask_process({"case": "accuracy", "artifact": str(tmp_path / "gone.onnx"), "store": str(tiny[1])})
    assert done.returncode == 0
    assert "no such artifact" in json.loads(done.stdout)["error"]
    assert "Traceback" not in done.stderr


def test_the_network_process_holds_no_training_library(tiny: tuple[Artifact, Path]) -> None:
    code = (
        "import sys; from edge_aver.benchmarks.worker import *; from edge_aver.declarations import parse;"
        "perform(Request(case='network', artifact=sys.argv[1], store=sys.argv[2], queries=1));"
        "print(sorted({'torch', 'librosa', 'facenet_pytorch', 'matplotlib', 'openvino'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(tiny[0].path), str(tiny[1])]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == "[]"
